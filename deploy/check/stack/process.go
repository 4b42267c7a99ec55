package stack

import (
	"errors"
	"fmt"
	"net"
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

// LookPath finds a program in PATH. Where there is none the test says so and
// ends, or fails when ESAWATCH_REQUIRE_SERVERS is set.
func LookPath(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("ESAWATCH_REQUIRE_SERVERS") != "" {
			t.Fatalf("ESAWATCH_REQUIRE_SERVERS is set: %v", err)
		}
		t.Skipf("this test runs the real %s: %v", name, err)
	}
	return path
}

var build struct {
	sync.Mutex
	folder string // of the test that built it, gone with that
	path   string
}

// Build makes the program from the sources around this module and returns its
// path. What one test built serves the others that run at the same moment;
// later ones get it from Go's cache, which takes a second.
func Build(t testing.TB) string {
	t.Helper()
	build.Lock()
	defer build.Unlock()
	if _, err := os.Stat(build.path); build.path != "" && err == nil {
		return build.path
	}
	path := filepath.Join(t.TempDir(), "esawatch")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/esawatch")
	cmd.Dir = Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build esawatch: %v\n%s", err, out)
	}
	build.path = path
	return path
}

// Root is the folder of the repository: the nearest above the working directory
// that has the program's sources.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "esawatch", "main.go")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no folder above the test's has cmd/esawatch")
		}
		dir = parent
	}
}

// process is a running server of which a test is the owner.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string // the path of what it says
	ended chan struct{}
}

// serve starts a server on a free port until the end of the test, and returns
// when it answers at ready. args makes its arguments of the address to listen
// on: a port that was free may be taken before the server gets there, so
// another is tried then.
func (s *Stack) serve(t testing.TB, name, program, ready string, args func(address string) []string) (*process, string) {
	t.Helper()
	for range 3 {
		address := freeAddress(t)
		p := start(t, name, program, args(address)...)
		if s.ready(p, "http://"+address+ready) {
			return p, address
		}
		p.stop()
	}
	t.Fatalf("%s did not start", name) // its log follows
	return nil, ""
}

// start runs a program until the end of the test. If the test fails, what the
// program said becomes part of its output.
func start(t testing.TB, name, program string, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{name: name, log: log.Name(), ended: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir = filepath.Dir(p.log)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.tail(8<<10))
		}
	})
	return p
}

// stop kills the process and waits for its end. What it stored is of no use to
// anybody, so there is nothing that it should finish.
func (p *process) stop() {
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(fmt.Sprintf("kill %s: %v", p.name, err))
	}
	<-p.ended
}

// ready waits for a 200 at url and tells whether it came.
func (s *Stack) ready(p *process, url string) bool {
	for began := time.Now(); time.Since(began) < startTimeout; {
		select {
		case <-p.ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
		resp, err := s.client.Get(url)
		if err != nil {
			continue
		}
		_ = resp.Body.Close() // the status is all
		if resp.StatusCode == http.StatusOK {
			return true
		}
	}
	return false
}

// tail is the end of what the process said, at most n bytes.
func (p *process) tail(n int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.ToValidUTF8(string(text[max(0, len(text)-n):]), "\uFFFD")
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
