package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long the tests wait for what has to come.
const patience = 30 * time.Second

// ownMounts tells whether a process may have mounts of its own here; within many
// containers none may.
var ownMounts = sync.OnceValue(func() bool {
	return exec.Command("unshare", "--mount", "--propagation", "private", "true").Run() == nil
})

// container is the image's content on disk, run as a container would be: in a
// root of its own, as its user, with a volume at /data. Where mounts may be made
// nothing else can be written to.
type container struct {
	t    *testing.T
	root string
}

// newContainer unpacks an image that trusts one authority, which is made for the
// test, and writes the configuration.
func newContainer(t *testing.T, authority []byte, config string) container {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("this test needs to be root, to change the root folder")
	}
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots.crt")
	if err := os.WriteFile(roots, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := findSource()
	if err != nil {
		t.Fatal(err)
	}
	all, err := build(options{source: source, arches: []string{runtime.GOARCH}, version: "1.2.3", roots: roots, epoch: time.Unix(epoch, 0)})
	if err != nil {
		t.Fatal(err)
	}
	c := container{t, filepath.Join(dir, "root")}
	for name, f := range files(t, all[0].image) {
		c.unpack(name, f)
	}
	c.unpack("/etc/esawatch/config.yaml", file{content: []byte(config)})
	// Others may pass, for the program is not root.
	for _, above := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(above, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c container) unpack(name string, f file) {
	c.t.Helper()
	path := filepath.Join(c.root, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if f.FileInfo().IsDir() && f.Typeflag != 0 {
		err = errors.Join(err, os.MkdirAll(path, 0o755), os.Chown(path, f.Uid, f.Gid), os.Chmod(path, f.FileInfo().Mode()))
	} else {
		mode := max(fs.FileMode(f.Mode), 0o644)
		err = errors.Join(err, os.WriteFile(path, f.content, mode), os.Chmod(path, mode))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// command runs the program of the image with arguments and an environment.
func (c container) command(env []string, args ...string) *exec.Cmd {
	// The arguments after the script are $0, the root, and those of the program.
	script := `exec chroot --userspec=65532:65532 "$0" /esawatch "$@"`
	program := []string{"sh", "-c"}
	if ownMounts() {
		script = `mount --bind "$0" "$0" && mount --bind "$0/data" "$0/data" && mount -o remount,bind,ro "$0" && ` + script
		program = slices.Concat([]string{"unshare", "--mount", "--propagation", "private"}, program)
	}
	program = append(append(program, script, c.root), args...)
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	c.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output runs the program to its end, which must be a good one.
func (c container) output(args ...string) string {
	c.t.Helper()
	out, err := c.command(nil, args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("esawatch %q in the image: %v\n%s", args, err, out)
	}
	return string(out)
}

// start runs the program until the end of the test at most; how it ended is sent.
func (c container) start(said io.Writer, env []string, args ...string) (*os.Process, <-chan error) {
	c.t.Helper()
	cmd := c.command(env, args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- cmd.Wait()
	}()
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-done
	})
	return cmd.Process, ended
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// log is what a process says.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until waits until a page answers with a text, and returns it.
func until(t *testing.T, url, part string, said *log) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := ""
	for ctx.Err() == nil {
		if req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil); err != nil {
			t.Fatal(err)
		} else if resp, err := http.DefaultClient.Do(req); err != nil {
			last = err.Error()
		} else {
			text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // a part is looked for
			_ = resp.Body.Close()
			if last = string(text); strings.Contains(last, part) {
				return last
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s never had %q, but %s\nthe program said:\n%s", url, part, last[:min(len(last), 2000)], said)
	return ""
}

// TestRuns runs the image as the user it names and with nothing but what it
// holds: the site's certificate is verified with the roots inside, the time zone
// is known, and the state is written to /data and nowhere else.
func TestRuns(t *testing.T) {
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "all is well") }))
	t.Cleanup(site.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})
	c := newContainer(t, authority, `
defaults: {schedule: 1s, timeout: 1s}
sites:
  - name: shop
    url: `+site.URL+`
    checks:
      - {name: home}
      - {name: by-day, schedule: "CRON_TZ=Asia/Shanghai 0 9 * * 1-5"}
receivers: [{name: screen, console: {}}]
maintenance: [{name: night, schedule: "0 2 * * *", duration: 1h, timezone: Asia/Shanghai}]
`)
	if _, err := os.Stat(filepath.Join(c.root, "usr/share/zoneinfo")); err == nil {
		t.Fatal("the image has a folder of time zones: this test would prove nothing")
	}
	if got := c.output("validate"); !strings.HasPrefix(got, "ok: 1 site, 2 checks, 1 receiver") {
		t.Errorf("validate: %s", got)
	}
	if got := c.output("version"); !strings.HasPrefix(got, "esawatch 1.2.3\n") {
		t.Errorf("version: %s", got)
	}

	address, health := freeAddress(t), freeAddress(t)
	config := configOf(program{})
	said := &log{}
	process, ended := c.start(said, []string{"ESAWATCH_WEB__LISTEN=" + address, "ESAWATCH_WEB__HEALTH_LISTEN=" + health}, config.Cmd...)

	until(t, "http://"+health+"/-/ready", "ready", said)
	if got := c.output("healthy", "http://"+health+"/-/healthy"); got != "healthy\n" {
		t.Errorf("healthy: %q", got)
	}
	until(t, "http://"+address+"/metrics", "probe_success{", said)
	if got := until(t, "http://"+address+"/api/v1/results", `"outcome"`, said); !strings.Contains(strings.ReplaceAll(got, `": "`, `":"`), `"outcome":"pass"`) {
		t.Errorf("the site's certificate was not verified with the image's roots: %s", got)
	}

	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil { // within the minute that command gives it
		t.Errorf("it ended with %v:\n%s", err, said)
	}
	state, err := os.ReadDir(filepath.Join(c.root, "data"))
	if err != nil || len(state) == 0 {
		t.Fatalf("there is no state in /data: %v", err)
	}
	for _, s := range state {
		info, err := s.Info()
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != user {
			t.Errorf("/data/%s is of user %d", s.Name(), owner)
		}
	}
}

// TestTrustsNobodyElse holds that what the machine around the image trusts does
// not count inside.
func TestTrustsNobodyElse(t *testing.T) {
	site, stranger := httptest.NewUnstartedServer(nil), newStranger(t)
	site.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the refusal is what is wanted
	site.StartTLS()
	t.Cleanup(site.Close)
	c := newContainer(t, stranger, "sites: []\n")
	out, err := c.command(nil, "probe", site.URL, "--output", "json").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), "tls_untrusted") {
		t.Errorf("probe: %v\n%s", err, out)
	}
}

// TestRootCannotBeWritten holds that the tests above ran where they say. An agent
// that cannot save goes on watching, and says that it is not to be relied on.
func TestRootCannotBeWritten(t *testing.T) {
	if !ownMounts() {
		t.Skip("this test needs a mount of its own, which the system refuses")
	}
	c := newContainer(t, newStranger(t), "sites: []\n")
	health := freeAddress(t)
	said := &log{}
	c.start(said, []string{"ESAWATCH_AGENT__DATA_DIR=/state", "ESAWATCH_WEB__LISTEN=127.0.0.1:0", "ESAWATCH_WEB__HEALTH_LISTEN=" + health},
		"run", "--allow-no-sites", "--config", "/etc/esawatch/config.yaml")
	if got := until(t, "http://"+health+"/-/ready", "not ready", said); !strings.Contains(got, "read-only file system") {
		t.Errorf("ready: %s", got)
	}
}

// TestHealthCheckAsksWhereTheImageListens holds that the address which the health
// check asks is that of defaults.yaml.
func TestHealthCheckAsksWhereTheImageListens(t *testing.T) {
	c := newContainer(t, newStranger(t), "sites: []\n")
	help := c.output("healthy", "--help")
	if want := "http://127.0.0.1:9523/-/healthy if none is given"; !strings.Contains(strings.Join(strings.Fields(help), " "), want) {
		t.Errorf("healthy --help has no %q:\n%s", want, help)
	}
	if defaults := sourceFile(t, "deploy/container/defaults.yaml"); !strings.Contains(defaults, "health_listen: 127.0.0.1:9523 ") {
		t.Errorf("defaults.yaml:\n%s", defaults)
	}
}
