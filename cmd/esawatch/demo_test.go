package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo is what a newcomer runs first: an alert with what to do within 15
// seconds, then its end, the address of /metrics, and nothing left behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	tmp, empty := t.TempDir(), t.TempDir()
	d := &daemon{t: t, out: &stream{}, log: &stream{}, done: make(chan struct{})}
	d.cmd = exec.CommandContext(t.Context(), "esawatch", "demo", "--listen", "127.0.0.1:0")
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr, d.cmd.WaitDelay = empty, d.out, d.log, 5*time.Second
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + empty, "TMPDIR=" + tmp, quickRaceExit}
	began := time.Now()
	d.run()

	d.until("the first alert is on screen", func() bool {
		_, alert, found := strings.Cut(d.out.String(), "CRITICAL")
		return found && strings.Contains(alert, "521 Web server is down") && strings.Contains(alert, "\n    1. ")
	})
	took := time.Since(began)
	t.Logf("the first alert after %v", took.Round(time.Millisecond))
	if took > 15*time.Second {
		t.Errorf("the first alert after %v, want at most 15s", took)
	}
	_, rest, _ := strings.Cut(d.out.String(), "Metrics are at http://")
	d.addr, _, _ = strings.Cut(rest, "/metrics")
	if ok, _ := d.metric(`probe_success{check="home",location="demo",site="shop"}`); ok != 0 {
		t.Errorf("probe_success is %v during the outage", ok)
	}
	d.until("the recovery is on screen", func() bool { return d.out.has("RESOLVED") })

	d.signal(syscall.SIGTERM)
	if code := d.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for _, dir := range []string{tmp, empty} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	if d.log.String() != "" {
		t.Errorf("stderr is %q, want nothing", d.log)
	}
}
