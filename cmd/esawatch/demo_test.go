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
	d, tmp := newDemoProcess(t)
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
	holdsNothing(t, tmp)
	holdsNothing(t, d.cmd.Dir)
	if d.log.String() != "" {
		t.Errorf("stderr is %q, want nothing", d.log)
	}
}

// TestDemoEndsWithItsTerminal closes the terminal, which sends SIGHUP, and the
// pipe that reads it, as head does.
func TestDemoEndsWithItsTerminal(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *daemon, *os.File){
		"hangup": func(_ *testing.T, d *daemon, _ *os.File) { d.signal(syscall.SIGHUP) },
		"pipe": func(t *testing.T, _ *daemon, reader *os.File) {
			if err := reader.Close(); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }() // it may be closed already
			d, tmp := newDemoProcess(t)
			d.cmd.Stdout = writer
			d.run()
			_ = writer.Close() // the process has its own
			d.until("it has begun", func() bool {
				_, err := reader.Read(make([]byte, 4096))
				return err == nil
			})
			end(t, d, reader)
			if code := d.exit(); code < 0 {
				t.Errorf("it was killed: %v", d.cmd.ProcessState)
			}
			holdsNothing(t, tmp)
		})
	}
}

// newDemoProcess is a demo that is yet to run, in an empty folder. Whatever it
// writes to its temporary folder is in tmp.
func newDemoProcess(t *testing.T) (d *daemon, tmp string) {
	t.Helper()
	tmp = t.TempDir()
	d = &daemon{t: t, out: &stream{}, log: &stream{}, done: make(chan struct{})}
	d.cmd = exec.CommandContext(t.Context(), "esawatch", "demo", "--listen", "127.0.0.1:0")
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr, d.cmd.WaitDelay = t.TempDir(), d.out, d.log, 5*time.Second
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.cmd.Dir, "TMPDIR=" + tmp, quickRaceExit}
	return d, tmp
}

func holdsNothing(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind in %s: %v, %v", dir, left, err)
	}
}
