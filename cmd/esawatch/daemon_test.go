package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// The settings of most daemons here: the real ones, but quick.
const (
	period       = time.Second // the least that a schedule may have
	confirmation = 200 * time.Millisecond
	groupWait    = 500 * time.Millisecond

	baseConfig = `
agent: {location: test, data_dir: data, shutdown_timeout: 4s}
web: {listen: 127.0.0.1:0}
log: {level: debug}
defaults:
  schedule: 1s
  timeout: 1s
  confirm: {failures: 2, interval: 200ms}
  resolve_after: 2
alerting: {group_wait: 500ms, group_interval: 500ms}
`
	homeSite = `
sites:
  - name: shop
    url: ${EDGE}
`
	shopSite = `
sites:
  - name: shop
    url: ${EDGE}
    checks:
      - {name: home, path: /}
      - {name: login, path: /login}
`
	botReceiver = `
receivers:
  - name: oncall
    slack: {token_file: slack-token, channel: "#oncall", api_url: "${SLACK}"}
`
	webhookReceiver = `
receivers:
  - name: oncall
    slack: {webhook_url_file: slack-webhook-url}
`
	consoleReceiver = `
receivers:
  - {name: screen, console: {}}
`
)

// patience is how long a test waits for what has to come, whatever else the
// machine does. What must come sooner is measured.
const patience = 20 * time.Second

// home is where daemons run, one after another: a folder with their
// configuration and their state, a site to watch and a Slack to tell.
type home struct {
	t     *testing.T
	dir   string
	edge  *edgetest.Edge
	slack *notifytest.Slack
	flags []string // more of them for run
}

// newHome makes a home whose configuration is the base and parts.
func newHome(t *testing.T, parts ...string) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), edge: newEdge(t, edgetest.Options{ReadTimeout: time.Minute}), slack: notifytest.StartSlack(t)}
	h.write("slack-token", notifytest.SlackToken+"\n")
	h.write("slack-webhook-url", h.slack.WebhookURL()+"\n")
	h.write("00.yaml", baseConfig)
	for i, part := range parts {
		h.write(fmt.Sprintf("%d0.yaml", i+1), part)
	}
	t.Cleanup(h.holdsNoSecret)
	return h
}

// write puts a file beside those of the configuration; all *.yaml are read, in
// the order of their names.
func (h *home) write(name, text string) {
	h.t.Helper()
	dir := filepath.Join(h.dir, "config")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
		h.t.Fatal(err)
	}
}

// secrets are what nobody may ever see: the token and, of the webhook's URL,
// the part that gives access.
func secrets() []string {
	return []string{notifytest.SlackToken, notifytest.SlackWebhookPath, filepath.Base(notifytest.SlackWebhookPath)}
}

// holdsNoSecret fails the test if the daemons have written a secret anywhere.
func (h *home) holdsNoSecret() {
	err := filepath.WalkDir(filepath.Join(h.dir, "data"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range secrets() {
			if bytes.Contains(data, []byte(secret)) {
				h.t.Errorf("%s holds the secret %q", path, secret)
			}
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Error(err)
	}
}

// quickRaceExit has a program with the race detector not wait for a second at
// its end, which would count as time that it took to stop.
const quickRaceExit = "GORACE=atexit_sleep_ms=10"

// daemon is a running "esawatch run": a process of its own.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string // of its web server
	out  *stream
	log  *stream
	done chan struct{} // closed when it has ended
}

var listening = regexp.MustCompile(`msg=watching .*listen=(\S+)`)

// start starts a daemon, with more of an environment, and waits until it watches.
func (h *home) start(env ...string) *daemon {
	h.t.Helper()
	d := h.launch(env...)
	d.until("it watches", func() bool {
		found := listening.FindStringSubmatch(d.log.String())
		if found != nil {
			d.addr = found[1]
		}
		return found != nil
	})
	return d
}

// launch starts a daemon, which may fail to come up.
func (h *home) launch(env ...string) *daemon {
	h.t.Helper()
	d := &daemon{t: h.t, out: &stream{}, log: &stream{}, done: make(chan struct{})}
	d.cmd = exec.CommandContext(h.t.Context(), "esawatch", append([]string{"run", "--config", "config"}, h.flags...)...)
	d.cmd.Dir = h.dir
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.log
	d.cmd.WaitDelay = 5 * time.Second
	d.cmd.Env = []string{"EDGE=" + h.edge.URL(), "ORIGIN=" + h.edge.Origin().Addr(), "SLACK=" + h.slack.APIURL(),
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "TMPDIR=" + os.TempDir(), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR"), quickRaceExit}
	d.cmd.Env = append(d.cmd.Env, env...)
	d.run()
	return d
}

// run starts the process. It does not outlive the test.
func (d *daemon) run() {
	d.t.Helper()
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait() // the state says how it ended
	}()
	d.t.Cleanup(d.inspect)
}

// inspect ends the daemon if it still runs and looks at all that it has said.
func (d *daemon) inspect() {
	d.kill()
	for _, s := range []*stream{d.out, d.log} {
		text := s.String()
		for _, bad := range append(secrets(), "DATA RACE", "panic:", "goroutine 1 [") {
			if strings.Contains(text, bad) {
				d.t.Errorf("the daemon has written %q", bad)
			}
		}
	}
	if d.t.Failed() {
		d.t.Logf("daemon %d, %v, said:\n%s%s", d.cmd.Process.Pid, d.cmd.ProcessState, d.log, d.out)
	}
}

// kill ends the daemon as a power cut does.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.done
}

// signal sends the daemon a signal.
func (d *daemon) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatalf("send %v: %v", s, err)
	}
}

// exit waits for the daemon to end by itself and returns its exit code.
func (d *daemon) exit() int {
	d.t.Helper()
	select {
	case <-d.done:
	case <-time.After(patience):
		d.t.Fatal("it does not end")
	}
	return d.cmd.ProcessState.ExitCode()
}

// until waits for what has to come.
func (d *daemon) until(what string, come func() bool) {
	d.t.Helper()
	d.untilEvery(2*time.Millisecond, what, come)
}

// untilEvery is until with a pause between two looks, for one that costs the
// daemon something.
func (d *daemon) untilEvery(pause time.Duration, what string, come func() bool) {
	d.t.Helper()
	ended := false
	for deadline := time.Now().Add(patience); !come(); time.Sleep(pause) {
		switch {
		case time.Now().After(deadline):
			d.t.Fatalf("waited in vain until %s", what)
		case ended:
			d.t.Fatalf("the daemon ended before %s", what)
		}
		select {
		case <-d.done:
			ended = true // what it did last may still count
		default:
		}
	}
}

// untilLogged waits for a line of the log that has all these parts.
func (d *daemon) untilLogged(parts ...string) {
	d.t.Helper()
	d.until(fmt.Sprintf("it logs %q", parts), func() bool { return d.log.hasLine(parts...) })
}

// untilAsked waits until the edge was asked n times more.
func (d *daemon) untilAsked(edge *edgetest.Edge, n int64) {
	d.t.Helper()
	want := edge.Requests() + n
	d.until(fmt.Sprintf("%d more requests have reached the edge", n), func() bool { return edge.Requests() >= want })
}

// browser is what the tests look at a daemon's pages with.
var browser = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// page asks the daemon for a page.
func (d *daemon) page(method, path string, header http.Header) (status int, h http.Header, body string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.addr+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := browser.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(all)
}

// metrics is the daemon's /metrics.
func (d *daemon) metrics() string {
	d.t.Helper()
	status, _, body := d.page("GET", "/metrics", nil)
	if status != http.StatusOK {
		d.t.Fatalf("/metrics answers %d: %s", status, body)
	}
	return body
}

// metric is the value of one series, written as in /metrics with its labels in
// any order.
func (d *daemon) metric(series string) (value float64, ok bool) {
	d.t.Helper()
	return valueOf(d.t, d.metrics(), series)
}

// queue is the series that is 0 when Slack has been told all.
const queue = `esawatch_notification_queue_length{receiver="oncall"}`

// untilMetric waits for a series to have a value.
func (d *daemon) untilMetric(series string, want float64) {
	d.t.Helper()
	d.untilEvery(25*time.Millisecond, fmt.Sprintf("%s is %v", series, want), func() bool {
		got, ok := d.metric(series)
		return ok && got == want
	})
}

// stream is what a process writes, to be read meanwhile.
type stream struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String is all that was written so far.
func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// has tells whether a text was written.
func (s *stream) has(part string) bool { return strings.Contains(s.String(), part) }

// hasLine tells whether one line holds all parts.
func (s *stream) hasLine(parts ...string) bool {
next:
	for line := range strings.Lines(s.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue next
			}
		}
		return true
	}
	return false
}
