package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startWith starts a daemon as systemd does that has opened its sockets: they
// are the files from 3 on, and the environment says whose they are. names are
// those of the files, joined by colons.
func (h *home) startWith(names string, files ...*os.File) *daemon {
	h.t.Helper()
	d := &daemon{t: h.t, out: &stream{}, log: &stream{}, done: make(chan struct{})}
	// Only the process itself can know its number before it is the program.
	d.cmd = exec.CommandContext(h.t.Context(), "sh", "-c", "LISTEN_PID=$$ exec esawatch run --config config")
	d.cmd.Dir, d.cmd.ExtraFiles = h.dir, files
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.WaitDelay = d.out, d.log, 5*time.Second
	d.cmd.Env = []string{"EDGE=" + h.edge.URL(), "SLACK=" + h.slack.APIURL(), "PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "TMPDIR=" + os.TempDir(),
		"GOCOVERDIR=" + os.Getenv("GOCOVERDIR"), quickRaceExit, "LISTEN_FDS=" + string(rune('0'+len(files))), "LISTEN_FDNAMES=" + names}
	d.run()
	return d
}

// passed is a listener and the file by which another process gets it.
func passed(t *testing.T, network, address string) (net.Addr, *os.File) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr(), f
}

// TestSocketsOfSystemd: they take the place of what the configuration says,
// hold what comes while nobody is there, and stay for the next daemon.
func TestSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, "web: {listen: '127.0.0.1:1', health_listen: '127.0.0.1:1'}\n")
	web, webFile := passed(t, "tcp", "127.0.0.1:0")
	health, healthFile := passed(t, "tcp", "127.0.0.1:0")
	early := make(chan int, 1)
	go func() { early <- answerOf(t, "http://"+web.String()+"/api/v1/results") }()
	for range 2 {
		d := h.startWith("esawatch.socket:health", webFile, healthFile)
		d.until("it watches", func() bool { return listening.MatchString(d.log.String()) })
		for url, want := range map[string]int{
			"http://" + web.String() + "/api/v1/results": 200,
			"http://" + health.String() + "/-/ready":     200,
			"http://" + health.String() + "/api/v1/":     404,
		} {
			if got := answerOf(t, url); got != want {
				t.Errorf("%s: got %d, want %d", url, got, want)
			}
		}
		if !d.log.hasLine("listening on a socket of systemd", "path=web.health_listen", health.String()) {
			t.Error("it does not say where it listens")
		}
		d.signal(syscall.SIGTERM)
		if code := d.exit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	if got := <-early; got != 200 {
		t.Errorf("who came before the daemon: got %d", got)
	}
}

// TestUnixSocketOfSystemd: only this machine reaches it, so that changes go
// through, under the names that are known.
func TestUnixSocketOfSystemd(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite)
	path := filepath.Join(t.TempDir(), "web.sock")
	_, file := passed(t, "unix", path)
	d := h.startWith("esawatch.socket", file)
	d.until("it watches", func() bool { return listening.MatchString(d.log.String()) })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}}}
	for host, want := range map[string]int{"localhost": 200, "evil.example": 403} {
		resp, err := client.Post("http://"+host+"/-/reload", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // it is not read
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// TestSocketsThatCannotBeUsed are errors, not silence.
func TestSocketsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite)
	_, one := passed(t, "tcp", "127.0.0.1:0")
	_, two := passed(t, "tcp", "127.0.0.1:0")
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := packets.(*net.UDPConn).File()
	if err := errors.Join(err, packets.Close()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	for _, tt := range []struct {
		names string
		files []*os.File
		want  string
	}{
		{"a:b", []*os.File{one, two}, "of systemd is the second for web.listen, want one"},
		{"a:health:health", []*os.File{one, two, one}, `socket "health" of systemd is the second for web.health_listen, want one`},
		{"a", []*os.File{udp}, `socket "a" of systemd does not listen for connections, want ListenStream=`},
	} {
		d := h.startWith(tt.names, tt.files...)
		if code := d.exit(); code != exitFailed || !strings.Contains(d.log.String(), tt.want) {
			t.Errorf("%s: exit code %d, want %q:\n%s", tt.names, code, tt.want, d.log)
		}
	}
}

// TestSocketsOfAnother: what systemd passed to a parent is not ours.
func TestSocketsOfAnother(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite)
	d := h.start("LISTEN_PID=1", "LISTEN_FDS=1")
	if got := answerOf(t, "http://"+d.addr+"/-/ready"); got != 200 {
		t.Errorf("got %d", got)
	}
}

// answerOf asks for a page, however long that takes.
func answerOf(t *testing.T, url string) int {
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = resp.Body.Close() // only the status is wanted
	return resp.StatusCode
}
