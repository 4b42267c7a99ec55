package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// mostExposed is what systemd-analyze security may find at most, of 10. The unit
// says why what is left is left.
const mostExposed = 1.5

var overall = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// unitFor is a copy of the unit that starts another program, for the tools look
// whether it is there.
func unitFor(t *testing.T, program string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stack.Root(t), "deploy/systemd/esawatch.service"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "esawatch.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "/usr/bin/esawatch", program)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnitIsValid(t *testing.T) {
	analyze := stack.LookPath(t, "systemd-analyze")
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unitFor(t, "/bin/true")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "esawatch.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestUnitIsHardened(t *testing.T) {
	analyze := stack.LookPath(t, "systemd-analyze")
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", unitFor(t, "/bin/true")).CombinedOutput()
	found := overall.FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	exposed, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("exposure %v of 10", exposed)
	if exposed > mostExposed {
		t.Errorf("exposure %v, want at most %v:\n%s", exposed, mostExposed, out)
	}
}

// TestCrashIsStartedAgain: systemd starts the service again after a crash and
// after its watchdog's SIGABRT, but not with a configuration that cannot be
// loaded. Go's own exit status is the same for all three.
func TestCrashIsStartedAgain(t *testing.T) {
	program := stack.Build(t)
	final := unitSettings(t, "RestartPreventExitStatus")
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	start := func(text string) *running {
		write(t, config, text)
		return startService(t, service{command: []string{program, "run", "--config", config}, notify: true, env: unitSettings(t, "Environment")})
	}

	s := start("agent: {data_dir: '" + dir + "'}\nweb: {listen: 127.0.0.1:0}\nsites: [{name: shop, url: 'http://127.0.0.1:1'}]\n")
	s.until("ready", func() bool { return s.told("READY=1") > 0 })
	if err := s.cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	<-s.done
	if !strings.Contains(s.out(), "goroutine 1 ") {
		t.Error("the watchdog's signal leaves no stack trace")
	}
	if code := s.cmd.ProcessState.ExitCode(); slices.Contains(final, strconv.Itoa(code)) {
		t.Errorf("after the watchdog's signal it ended with %d, and would not be started again", code)
	}

	s = start("sites: []\n")
	<-s.done
	if code := s.cmd.ProcessState.ExitCode(); !slices.Contains(final, strconv.Itoa(code)) {
		t.Errorf("with a configuration that cannot be loaded it ended with %d, and would be started for ever", code)
	}
}

// allowedCalls are the system calls that the unit lets through.
func allowedCalls(t *testing.T, filters []string) map[string]bool {
	t.Helper()
	analyze := stack.LookPath(t, "systemd-analyze")
	var members func(set string) []string
	members = func(set string) []string {
		out, err := exec.CommandContext(t.Context(), analyze, "syscall-filter", "--no-pager", set).Output()
		if err != nil {
			t.Fatalf("systemd-analyze syscall-filter %s: %v", set, err)
		}
		var calls []string
		for line := range strings.Lines(string(out)) {
			switch name := strings.TrimSpace(line); {
			case !strings.HasPrefix(line, " ") || strings.HasPrefix(name, "#"):
			case strings.HasPrefix(name, "@"):
				calls = append(calls, members(name)...)
			default:
				calls = append(calls, name)
			}
		}
		return calls
	}
	allowed := map[string]bool{}
	for _, filter := range filters {
		rest, denied := strings.CutPrefix(filter, "~")
		for set := range strings.FieldsSeq(rest) {
			for _, call := range members(set) {
				allowed[call] = !denied
			}
		}
	}
	return allowed
}

var tracedCall = regexp.MustCompile(`(?m)^(?:\[pid +\d+\] |\d+ +)?([a-z][a-z0-9_]*)\(`)

// TestUnitLetsThroughWhatIsNeeded watches the program's system calls through a
// check, an alert, a reload and a stop, and compares them with the unit's filter.
// There is no service manager here that would enforce it.
func TestUnitLetsThroughWhatIsNeeded(t *testing.T) {
	strace := stack.LookPath(t, "strace")
	program := stack.Build(t)
	site := newSite(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	write(t, config, "agent: {data_dir: '"+dir+"'}\nweb: {listen: 127.0.0.1:0}\n"+
		"defaults: {schedule: 1s, timeout: 1s, confirm: {failures: 1}}\nalerting: {group_wait: 100ms}\n"+
		"sites: [{name: shop, url: '"+site.URL+"'}]\nreceivers: [{name: screen, console: {}}]\n")
	site.fail(true)
	calls := filepath.Join(dir, "calls")
	s := startService(t, service{command: []string{strace, "-f", "-o", calls, program, "run", "--config", config}, notify: true})
	s.until("ready", func() bool { return s.told("READY=1") > 0 })
	s.until("the alert", func() bool { return strings.Contains(s.out(), "shop is failing") })
	write(t, config, "agent: {data_dir: '"+dir+"'}\nweb: {listen: 127.0.0.1:0}\nsites: [{name: shop, url: '"+site.URL+"'}]\n")
	s.until("the reload", func() bool { return s.told("RELOADING=1") > 0 })
	s.stop() // strace ends with it

	text, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, found := range tracedCall.FindAllStringSubmatch(string(text), -1) {
		made[found[1]] = true
	}
	for _, sure := range []string{"socket", "connect", "inotify_add_watch", "fdatasync", "futex"} {
		if !made[sure] {
			t.Errorf("the program made no call of %s: the trace is not what it should be", sure)
		}
	}
	allowed := allowedCalls(t, unitSettings(t, "SystemCallFilter"))
	for call := range made {
		if !allowed[call] {
			t.Errorf("the program calls %s, which the unit does not allow", call)
		}
	}
}

// unitSettings are the values of a key of the unit, in order.
func unitSettings(t *testing.T, key string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stack.Root(t), "deploy/systemd/esawatch.service"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		t.Fatalf("the unit has no %s", key)
	}
	return values
}
