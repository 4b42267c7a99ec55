package page

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// agent is the real program, running.
type agent struct {
	t    *testing.T
	base string // http://HOST:PORT, without a slash
	file string // the configuration
	stop func() // ends the program, and reads its log
}

// quick are times that show a whole incident within seconds.
const quick = `log: {level: info, format: json}
defaults: {schedule: 1s, timeout: 800ms, confirm: {failures: 2, interval: 200ms}, resolve_after: 2}
alerting: {group_wait: 100ms, group_interval: 1s, flapping: {changes: 0}}
receivers: [{name: screen, console: {}}]
`

// startAgent runs the program with a configuration, which is put behind quick
// and tells of everything but where to listen and to save, until the test ends.
func startAgent(t *testing.T, config string) *agent {
	t.Helper()
	return startAgentAt(t, "web: {listen: 127.0.0.1:0}\n", config)
}

func startAgentAt(t *testing.T, web, config string) *agent {
	t.Helper()
	needBrowser(t)
	dir := t.TempDir()
	head := fmt.Sprintf("agent: {location: fra-1, data_dir: %s}\n", filepath.Join(dir, "data"))
	if strings.HasPrefix(config, "agent:") {
		head = "" // it says so itself
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(head+web+quick+config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "run", "--config", file)
	cmd.Dir, cmd.Env, cmd.Stdout = dir, []string{"HOME=" + dir}, io.Discard
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, log := make(chan string, 1), make(chan string, 1)
	go follow(stderr, address, log)
	stop := sync.OnceFunc(func() {
		cancel()
		text := <-log
		err := cmd.Wait()
		if cmd.ProcessState.ExitCode() != 0 || t.Failed() {
			t.Logf("the program ended with %d, %v:\n%s", cmd.ProcessState.ExitCode(), err, text)
		}
		if strings.Contains(text, `"level":"ERROR"`) {
			t.Errorf("the program logged an error:\n%s", text)
		}
	})
	t.Cleanup(stop)
	select {
	case a := <-address:
		if a == "" {
			t.Fatal("the program ended before it listened")
		}
		return &agent{t, "http://" + a, file, stop}
	case <-time.After(30 * time.Second):
		t.Fatal("the program does not say where it listens")
	}
	return nil
}

// follow reads the program's log to its end; it says where the program listens,
// "" if it never did, and at the end the last of what it logged.
func follow(r io.Reader, address, log chan<- string) {
	var all []string
	found := false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		all = append(all, lines.Text())
		all = all[max(0, len(all)-200):]
		var line struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "watching" && !found {
			found = true
			address <- line.Listen
		}
	}
	if !found {
		address <- ""
	}
	log <- strings.Join(all, "\n")
}

// get reads a page without a browser.
func (a *agent) get(path string) string {
	a.t.Helper()
	body, err := fetch(a.base + path)
	if err != nil {
		a.t.Fatal(err)
	}
	return body
}

func fetch(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// api reads an endpoint into v.
func (a *agent) api(path string, v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.get("/api/v1/"+path)), v); err != nil {
		a.t.Fatalf("%s: %v", path, err)
	}
}

// until waits for what the agent comes to by itself.
func (a *agent) until(what string, done func() bool) {
	a.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			a.t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// shows waits until the page holds all of the texts.
func (a *agent) shows(path string, texts ...string) {
	a.t.Helper()
	for _, text := range texts {
		a.until(fmt.Sprintf("%s shows %q", path, text), func() bool { return strings.Contains(a.get(path), text) })
	}
}

// silence asks the API for a silence.
func (a *agent) silence(matcher, duration, author, comment string) {
	a.t.Helper()
	body, err := json.Marshal(map[string]any{"matchers": []string{matcher}, "duration": duration, "author": author, "comment": comment})
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.base+"/api/v1/silences", bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing of it is read
	if resp.StatusCode != http.StatusCreated {
		a.t.Fatalf("silence: got %d", resp.StatusCode)
	}
}

// openIncident waits for an incident of a site to be open and returns its ID.
func (a *agent) openIncident(site string) (id string) {
	a.t.Helper()
	a.until(site+" has an open incident", func() bool {
		var list []struct{ ID, Site string }
		a.api("incidents?state=open", &list)
		for _, one := range list {
			if one.Site == site {
				id = one.ID
			}
		}
		return id != ""
	})
	return id
}
