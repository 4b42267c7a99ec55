package page

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startDemo runs the demo until the test ends.
func startDemo(t *testing.T) *agent {
	t.Helper()
	needBrowser(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "demo", "--listen", "127.0.0.1:0")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "TMPDIR=" + cmd.Dir}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	where, read := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), "The status page is at "); ok {
				where <- strings.TrimSuffix(strings.TrimSpace(url), "/")
			}
		}
		_, _ = io.Copy(io.Discard, out) // a line too long for the scanner
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		_ = cmd.Wait() // the signal ends it
	})
	select {
	case base := <-where:
		return &agent{t: t, base: base}
	case <-read:
		t.Fatal("the demo ended before it said where its page is")
	case <-time.After(30 * time.Second):
		t.Fatal("the demo does not say where its page is")
	}
	return nil
}

// TestDemo: who starts the demo and opens its page sees an incident come and go
// without touching anything.
func TestDemo(t *testing.T) {
	t.Parallel()
	a := startDemo(t)
	p := a.open()
	p.visit("/")
	p.has("All checks pass")
	p.has("521 Web server is down")
	p.has("What to do")
	p.has("All checks pass")
	p.until("its end was announced", `document.querySelector("#said").textContent.startsWith("All checks pass")`)
}
