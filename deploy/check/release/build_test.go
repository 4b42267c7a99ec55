package release

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// TestRelease makes version 1.2.3 in two folders, of which the second also holds
// an edit that was not committed, and looks at what comes out.
func TestRelease(t *testing.T) {
	for _, tool := range []string{"git", "tar", "gzip", "dpkg-deb"} {
		stack.LookPath(t, tool)
	}
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "the second")
	copySources(t, first)
	git(t, first, "init", "--quiet", "--initial-branch=main")
	git(t, first, "add", "--all")
	git(t, first, "commit", "--quiet", "--message=all")
	git(t, first, "tag", "v1.2.3")
	git(t, ".", "clone", "--quiet", first, second)
	write(t, filepath.Join(second, "cmd/esawatch/version.go"), "this does not compile\n")

	made, again := t.TempDir(), t.TempDir()
	build(t, first, made, "archives", "packages")
	build(t, second, again, "archives")
	for _, name := range names(t, again) {
		if name != "SHA256SUMS" && sum(t, filepath.Join(made, name)) != sum(t, filepath.Join(again, name)) {
			t.Errorf("%s is another one in another folder", name)
		}
	}

	checkSums(t, made)
	commit := git(t, first, "rev-parse", "HEAD")
	for _, arch := range []string{"amd64", "arm64"} {
		base := "esawatch_1.2.3_linux_" + arch
		files := unpack(t, filepath.Join(made, base+".tar.gz"), base)
		checkProgram(t, arch, files["esawatch"], commit)
		checkBeside(t, files, content(t, filepath.Join(made, base+".cdx.json")))
		deb := t.TempDir()
		run(t, ".", "dpkg-deb", "-x", filepath.Join(made, "esawatch_1.2.3_"+arch+".deb"), deb)
		if !bytes.Equal(content(t, filepath.Join(deb, "usr/bin/esawatch")), files["esawatch"]) {
			t.Errorf("%s: the archive and the deb hold different programs", arch)
		}
	}
}

// TestRefusesWhatIsThere holds that old files are not taken into a release.
func TestRefusesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old.deb"), "old")
	script := filepath.Join(stack.Root(t), "deploy/release/build")
	for args, want := range map[string]string{dir: "is not empty", dir + "/new tarballs": "there is no part tarballs"} {
		out, err := exec.CommandContext(t.Context(), script, strings.Fields(args)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("build %s: %v, %q; want an error with %q", args, err, out, want)
		}
	}
}

// checkProgram holds that a program needs nothing around it and says where it
// comes from.
func checkProgram(t *testing.T, arch string, program []byte, commit string) {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s: it is linked dynamically", arch)
		}
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"version": info.Main.Version}
	for _, s := range info.Settings {
		got[s.Key] = s.Value
	}
	want := map[string]string{"version": "v1.2.3", "vcs.revision": commit, "vcs.modified": "false",
		"CGO_ENABLED": "0", "-trimpath": "true", "GOOS": "linux", "GOARCH": arch}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: %s is %q, want %q", arch, key, got[key], value)
		}
	}
	if bytes.Contains(program, []byte(os.TempDir()+"/tmp.")) {
		t.Errorf("%s: it holds the name of the folder where it was made", arch)
	}
	if arch != runtime.GOARCH || runtime.GOOS != "linux" {
		return
	}
	path := filepath.Join(t.TempDir(), "esawatch")
	write(t, path, string(program))
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, want := run(t, ".", path, "version"), "esawatch 1.2.3\ncommit   "+commit+"\n"; !strings.HasPrefix(got, want) {
		t.Errorf("it says %q, want %q at the beginning", got, want)
	}
}

// checkBeside holds that each module in the program is named in the bill of
// materials, and comes with its licence.
func checkBeside(t *testing.T, files map[string][]byte, bill []byte) {
	t.Helper()
	for _, name := range []string{"README.md", "CHANGELOG.md", "LICENSE", "config.example.yaml", "esawatch.schema.json",
		"esawatch.service", "man/esawatch.1", "completions/esawatch.bash", "completions/esawatch.zsh", "completions/esawatch.fish"} {
		if len(files[name]) == 0 {
			t.Errorf("no %s", name)
		}
	}
	var bom struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(bill, &bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range bom.Components {
		listed[c.Name+" "+c.Version] = true
	}
	info, err := buildinfo.Read(bytes.NewReader(files["esawatch"]))
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) == 0 {
		t.Error("the program has no modules")
	}
	for _, m := range info.Deps {
		name := m.Path + " " + m.Version
		if !listed[name] {
			t.Errorf("%s is not in the bill of materials", name)
		}
		if !bytes.Contains(files["THIRD-PARTY-NOTICES"], []byte("\n"+name+"\n")) {
			t.Errorf("%s comes without its licence", name)
		}
	}
}

// checkSums holds that SHA256SUMS names each file and is right.
func checkSums(t *testing.T, dir string) {
	t.Helper()
	listed := map[string]string{}
	for line := range strings.Lines(string(content(t, filepath.Join(dir, "SHA256SUMS")))) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[name] = digest
	}
	actual := map[string]string{}
	for _, name := range names(t, dir) {
		if name != "SHA256SUMS" {
			actual[name] = sum(t, filepath.Join(dir, name))
		}
	}
	if !maps.Equal(listed, actual) || len(actual) != 8 {
		t.Errorf("SHA256SUMS lists %v, want those of 8 files: %v", listed, actual)
	}
}

// build runs the script of a copy of the sources.
func build(t *testing.T, source, out string, parts ...string) {
	t.Helper()
	began := time.Now()
	run(t, source, append([]string{"deploy/release/build", out}, parts...)...)
	t.Logf("%q took %v", parts, time.Since(began).Round(time.Millisecond))
}
