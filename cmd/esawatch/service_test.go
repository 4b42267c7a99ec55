package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent"
	"github.com/esawatch/esawatch/agent/config"
)

// systemd is the socket of a service manager, and what it was told.
type systemd struct {
	path string
	conn *net.UnixConn
	done chan struct{}

	mu   sync.Mutex
	told []string
}

func startSystemd(t *testing.T) *systemd {
	t.Helper()
	s := &systemd{path: filepath.Join(t.TempDir(), "notify"), done: make(chan struct{})}
	var err error
	if s.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		for buffer := make([]byte, 4096); ; {
			n, err := s.conn.Read(buffer)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.told = append(s.told, string(buffer[:n]))
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = s.conn.Close() // which ends the reader
		<-s.done
	})
	return s
}

// messages are those with a line that begins so, in order.
func (s *systemd) messages(begin string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, m := range s.told {
		if slices.ContainsFunc(strings.Split(m, "\n"), func(line string) bool { return strings.HasPrefix(line, begin) }) {
			found = append(found, m)
		}
	}
	return found
}

var reloadMessage = regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+$`)

// TestServiceManagerIsTold runs the program as systemd would, from its start to
// its end.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	systemd := startSystemd(t)
	h := newHome(t, shopSite)
	began := time.Now()
	d := h.start("NOTIFY_SOCKET="+systemd.path, "WATCHDOG_USEC=400000")
	told := func(begin string, n int) []string {
		t.Helper()
		d.until(begin, func() bool { return len(systemd.messages(begin)) >= n })
		return systemd.messages(begin)
	}
	if ready := told("READY=1", 1)[0]; ready != "READY=1\nSTATUS=watching 1 site, 2 checks; 0 incidents open" {
		t.Errorf("told %q of the start", ready)
	}
	if first := systemd.messages("")[0]; first != "STATUS=starting" {
		t.Errorf("told %q first", first)
	}

	// Beats come twice in each interval of the watchdog.
	told("WATCHDOG=1", 5)
	if took := time.Since(began); took < 4*200*time.Millisecond {
		t.Errorf("5 beats within %v, want one each 200 ms", took)
	}

	h.write("10.yaml", homeSite) // the file alone: nobody sends a signal
	if reload := told("RELOADING=1", 1)[0]; !reloadMessage.MatchString(reload) {
		t.Errorf("told %q of the reload", reload)
	}
	told("READY=1", 2)
	h.write("10.yaml", brokenSite)
	d.signal(syscall.SIGHUP)
	told("RELOADING=1", 2)
	told("READY=1", 3)
	told("STATUS=watching 1 site, 1 check; 0 incidents open; the configuration has errors, an older one is in force", 1)

	d.signal(syscall.SIGTERM)
	if code := d.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	all := systemd.messages("")
	if last := all[len(all)-1]; last != "STOPPING=1\nSTATUS=stopping" {
		t.Errorf("told %q last", last)
	}
}

// TestWatchdogWaitsForAnAgentThatStandsStill tells of an agent that was never
// run: that it lives would be a lie.
func TestWatchdogWaitsForAnAgentThatStandsStill(t *testing.T) {
	systemd := startSystemd(t)
	t.Setenv("NOTIFY_SOCKET", systemd.path)
	t.Setenv("WATCHDOG_USEC", "4000")
	var log stream
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeText(t, file, "agent: {data_dir: '"+t.TempDir()+"'}\nweb: {listen: 127.0.0.1:0}\nsites: [{name: shop, url: 'http://shop.invalid'}]\n")
	a, err := agent.New(t.Context(), agent.Options{Load: func() (*config.Config, error) {
		return config.Load([]string{file}, config.Options{Environ: []string{}})
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m := newManager(slog.New(slog.NewTextHandler(&log, nil)))
	stop := m.tell(ctx, a) // waits for it to be ready
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.beat(ctx, a, 2*time.Millisecond) // as if it had been
	}()
	for strings.Count(log.String(), "the watchdog is not told") < 5 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-ended
	stop()
	if err := a.Run(ctx); err != nil { // which releases it
		t.Error(err)
	}
	for _, never := range []string{"WATCHDOG=1", "READY=1", "RELOADING=1"} {
		if told := systemd.messages(never); len(told) > 0 {
			t.Errorf("told %q", told)
		}
	}
}

// TestNoServiceManager is the program started by hand.
func TestNoServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m := newManager(slog.New(slog.DiscardHandler))
	m.ready.Store(true)
	m.reloading()()
	if m.send("STATUS=nobody listens") {
		t.Error("somebody was told")
	}
}
