package packages

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// site is a website that can fail, and a Slack webhook that counts what it is told.
type site struct {
	*httptest.Server
	failing atomic.Bool
	asked   atomic.Int64

	mu   sync.Mutex
	told []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/services/") {
			body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err == nil {
				s.mu.Lock()
				s.told = append(s.told, string(body))
				s.mu.Unlock()
			}
			_, _ = io.WriteString(w, "ok")
			return
		}
		s.asked.Add(1)
		if s.failing.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) fail(fails bool) { s.failing.Store(fails) }

// messages are what the webhook was told, with a text in it.
func (s *site) messages(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, m := range s.told {
		if strings.Contains(m, part) {
			n++
		}
	}
	return n
}

// service is how to run the program as a service.
type service struct {
	command []string
	env     []string
	dir     string
	notify  bool // listen to what it tells its manager
}

// running is a service, and what it says.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu       sync.Mutex
	text     bytes.Buffer
	messages []string
}

// Write implements io.Writer.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *running) out() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// owes is how many notifications the agent has not noted as sent, by its own
// metrics; -1 when it does not say.
func (r *running) owes(t *testing.T) int {
	t.Helper()
	_, address, _ := strings.Cut(r.out(), " listen=")
	address, _, _ = strings.Cut(address, " ")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // leave no goroutine behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(text), "\nesawatch_notification_queue_length{receiver=\"oncall\"} ")
	value, _, _ = strings.Cut(value, "\n")
	n, err := strconv.Atoi(value)
	if err != nil {
		return -1
	}
	return n
}

// told is how many messages to the manager begin so.
func (r *running) told(begin string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, m := range r.messages {
		for line := range strings.Lines(m) {
			if strings.HasPrefix(line, begin) {
				n++
			}
		}
	}
	return n
}

// startService starts a service, which does not outlive the test.
func startService(t *testing.T, s service) *running {
	t.Helper()
	r := &running{t: t, done: make(chan struct{})}
	r.cmd = exec.Command(s.command[0], s.command[1:]...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = s.dir, r, r
	r.cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}, s.env...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if s.notify {
		r.cmd.Env = append(r.cmd.Env, "NOTIFY_SOCKET="+r.listen())
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait() // the state says how it ended
	}()
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("the service said:\n%s\nand told its manager %q", r.out(), r.messages)
		}
	})
	return r
}

// listen takes in what the service tells its manager until the test ends.
func (r *running) listen() (path string) {
	r.t.Helper()
	dir, err := os.MkdirTemp("/run", "esawatch-notify-") // seen from within the sandbox, where /tmp is another
	if err != nil {
		dir = r.t.TempDir()
	}
	r.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{dir, path} {
		if err := os.Chmod(name, 0o777); err != nil {
			r.t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buffer := make([]byte, 4096); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			r.mu.Lock()
			r.messages = append(r.messages, string(buffer[:n]))
			r.mu.Unlock()
		}
	}()
	r.t.Cleanup(func() {
		_ = conn.Close() // ends the reader
		<-done
	})
	return path
}

// kill ends the service and all that it started, as a power cut does.
func (r *running) kill() {
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-r.done
}

// stop ends the service as its manager does, and wants it to end well.
func (r *running) stop() {
	r.t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	select {
	case <-r.done:
	case <-time.After(patience):
		r.t.Fatal("the service does not stop")
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		r.t.Errorf("the service ended with %d", code)
	}
}

func (r *running) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-r.done:
			if !ok() {
				r.t.Fatalf("the service ended before %s", what)
			}
			return
		default:
		}
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
