package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// seenBy are the inputs of a Load, by their names below dir: whether each is
// live. Both a Load that works and one that fails tell of them.
func seenBy(t *testing.T, dir, path string) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	_, err := Load([]string{filepath.Join(dir, path)}, Options{Environ: []string{"CREDENTIALS_DIRECTORY=" + filepath.Join(dir, "credentials")},
		Seen: func(in Input) {
			name, err := filepath.Rel(dir, in.Path)
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := seen[name]; twice {
				t.Errorf("%s is told twice", name)
			}
			if in.Sum != SumOf(in.Path) {
				t.Errorf("%s: sum %q, want %q", name, in.Sum, SumOf(in.Path))
			}
			seen[name] = in.Live
		}})
	if err != nil {
		t.Logf("load: %v", err)
	}
	return seen
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSeen(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "conf.d/10.yaml", `
web: {config_file: web.yml}
defaults: {tls: {ca_file: ca.pem}}
sites:
  - name: shop
    url: https://shop.example.com
    checks:
      - {name: home, auth: {bearer: {token_file: "${CREDENTIALS_DIRECTORY}/token"}}}
      - {name: login, auth: {bearer: {token_file: "${CREDENTIALS_DIRECTORY}/token"}}, method: POST, body_file: body.json}
`)
	put(t, dir, "conf.d/20.yaml", "receivers: [{name: hook, webhook: {url_file: ../missing}}]\n")
	put(t, dir, "conf.d/README", "not read")
	for _, name := range []string{"conf.d/web.yml", "conf.d/ca.pem", "conf.d/body.json", "credentials/token"} {
		put(t, dir, name, "x")
	}
	want := map[string]bool{"conf.d": false, "conf.d/10.yaml": false, "conf.d/20.yaml": false, "conf.d/body.json": false,
		"conf.d/web.yml": true, "conf.d/ca.pem": true, "credentials/token": true, "missing": true}
	if got := seenBy(t, dir, "conf.d"); !maps.Equal(got, want) {
		t.Errorf("seen %v, want %v", got, want)
	}
	if got := seenBy(t, dir, "nowhere"); !maps.Equal(got, map[string]bool{"nowhere": false}) {
		t.Errorf("seen %v, want the file that is not there", got)
	}
}

// TestSeenByDefault: a default path that is not there yet is looked at, too.
func TestSeenByDefault(t *testing.T) {
	t.Chdir(t.TempDir())
	load := func() (seen []string) {
		_, _ = Load(nil, Options{Environ: []string{}, Seen: func(in Input) { seen = append(seen, in.Path) }})
		return seen
	}
	// Where one is installed in /etc, what it names follows.
	if got := load(); len(got) < len(DefaultPaths()) || !slices.Equal(got[:len(DefaultPaths())], DefaultPaths()) {
		t.Errorf("with no file there it looked at %q, want %q", got, DefaultPaths())
	}
	put(t, ".", "config.yaml", smallest)
	if got := load(); !slices.Equal(got, DefaultPaths()[:1]) {
		t.Errorf("with the first there it looked at %q, want %q", got, DefaultPaths()[:1])
	}
}

// TestPipes: no pipe holds up a Load, be it in the place of the configuration or
// of what it names. One that somebody writes to is as good as a file.
func TestPipes(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "secret.yaml", smallest+"\nreceivers: [{name: hook, webhook: {url_file: pipe}}]\n")
	put(t, dir, "ca.yaml", smallest+"\ndefaults: {tls: {ca_file: pipe}}\n")
	for name, want := range map[string]string{
		"pipe":        "the file is empty",
		"secret.yaml": "is a pipe or a device",
		"ca.yaml":     "is a pipe or a device",
	} {
		if _, err := Load([]string{filepath.Join(dir, name)}, Options{Environ: []string{}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = w.WriteString(smallest) // a failure to write is one to load
		_ = w.Close()
	}()
	if _, err := Load([]string{fmt.Sprintf("/dev/fd/%d", r.Fd())}, Options{Environ: []string{}}); err != nil {
		t.Errorf("from a pipe: %v", err)
	}
}

func TestSumOf(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, dir, "a.yaml", "one")
	put(t, dir, "b.yaml", "one")
	one := SumOf(at("a.yaml"))
	if one == "" || one != SumOf(at("b.yaml")) {
		t.Errorf("equal contents have the sums %q and %q", one, SumOf(at("b.yaml")))
	}
	list := SumOf(dir)
	put(t, dir, "a.yaml", "two")
	put(t, dir, "README", "not read")
	if SumOf(at("a.yaml")) == one || SumOf(dir) != list {
		t.Error("a file's sum is of its content, a directory's of the names that are read")
	}
	put(t, dir, "c.yaml", "")
	if SumOf(dir) == list {
		t.Error("a new file leaves the directory's sum as it was")
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{at("pipe"), at("none"), "/dev/zero"} {
		if sum := SumOf(name); sum != "" {
			t.Errorf("%s has the sum %q, want none: it must not be read", name, sum)
		}
	}
}
