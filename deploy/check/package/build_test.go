package packages

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// makePackages runs deploy/package/build for a version and returns its folder.
func makePackages(t *testing.T, version string) string {
	t.Helper()
	out := t.TempDir()
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), filepath.Join(stack.Root(t), "deploy/package/build"), out)
	cmd.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH=1790000000")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("deploy/package/build: %v\n%s", err, text)
	}
	t.Logf("version %s was made in %v", version, time.Since(began).Round(time.Millisecond))
	return out
}

// release is version 1.0.0, made once for all tests.
var release struct {
	sync.Once
	deb, rpm []byte
}

// packagesOf are the deb and the rpm of version 1.0.0, as files of this test.
func packagesOf(t *testing.T) (deb, rpm string) {
	t.Helper()
	release.Do(func() {
		dir := makePackages(t, "1.0.0")
		release.deb, release.rpm = content(t, filepath.Join(dir, debName("1.0.0"))), content(t, only(t, dir, "*.rpm"))
	})
	if release.deb == nil || release.rpm == nil {
		t.Fatal("there are no packages: another test says why")
	}
	dir := t.TempDir()
	deb, rpm = filepath.Join(dir, debName("1.0.0")), filepath.Join(dir, "esawatch.rpm")
	write(t, deb, string(release.deb))
	write(t, rpm, string(release.rpm))
	return deb, rpm
}

func debName(version string) string {
	return "esawatch_" + version + "_" + goArch() + ".deb"
}

func goArch() string {
	out, err := exec.Command("go", "env", "GOHOSTARCH").Output()
	if err != nil {
		return "amd64"
	}
	return strings.TrimSpace(string(out))
}

func content(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %q, error %v; want one", pattern, dir, found, err)
	}
	return found[0]
}

// output runs a command that must work.
func output(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", command, err, out, problems.String())
	}
	return string(out)
}

// TestSameSourceSameBytes makes the packages twice.
func TestSameSourceSameBytes(t *testing.T) {
	deb, rpm := packagesOf(t)
	again := makePackages(t, "1.0.0")
	for first, second := range map[string]string{deb: only(t, again, "*.deb"), rpm: only(t, again, "*.rpm")} {
		if a, b := sha256.Sum256(content(t, first)), sha256.Sum256(content(t, second)); a != b {
			t.Errorf("%s differs: %x, then %x", filepath.Base(second), a, b)
		}
	}
}

// installed are the files of both packages, those of the shells aside.
var installed = []string{
	"/usr/bin/esawatch",
	"/etc/esawatch/config.yaml",
	"/usr/lib/systemd/system/esawatch.service",
	"/usr/lib/sysusers.d/esawatch.conf",
	"/usr/share/man/man1/esawatch.1.gz",
	"/usr/share/bash-completion/completions/esawatch",
	"/usr/share/fish/vendor_completions.d/esawatch.fish",
	"/usr/share/doc/esawatch/config.example.yaml",
}

func TestDebHoldsWhatItShould(t *testing.T) {
	stack.LookPath(t, "dpkg-deb")
	deb, _ := packagesOf(t)
	if got := strings.TrimSpace(output(t, "dpkg-deb", "-f", deb, "Package", "Version", "Architecture", "Recommends")); got !=
		fmt.Sprintf("Package: esawatch\nVersion: 1.0.0\nArchitecture: %s\nRecommends: ca-certificates", goArch()) {
		t.Errorf("it says of itself %q", got)
	}
	dir := t.TempDir()
	output(t, "dpkg-deb", "-R", deb, dir)
	if got := string(content(t, filepath.Join(dir, "DEBIAN/conffiles"))); got != "/etc/esawatch/config.yaml\n" {
		t.Errorf("conffiles %q", got)
	}
	for _, name := range append(slices.Clone(installed), "/usr/share/zsh/vendor-completions/_esawatch", "/usr/share/doc/esawatch/copyright",
		"/usr/share/doc/esawatch/changelog.gz", "/usr/share/lintian/overrides/esawatch") {
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err != nil:
			t.Error(err)
		case info.ModTime().Unix() != 1790000000:
			t.Errorf("%s is of %v, not of the source", name, info.ModTime())
		case info.Mode().Perm() != map[bool]os.FileMode{true: 0o755, false: 0o644}[name == "/usr/bin/esawatch"]:
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if got := output(t, filepath.Join(dir, "usr/bin/esawatch"), "version"); !strings.HasPrefix(got, "esawatch 1.0.0\n") {
		t.Errorf("the program is %q", got)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		output(t, "sh", "-n", filepath.Join(dir, "DEBIAN", script))
	}
	for shell, file := range map[string]string{"bash": "usr/share/bash-completion/completions/esawatch", "zsh": "usr/share/zsh/vendor-completions/_esawatch"} {
		if path, err := exec.LookPath(shell); err == nil {
			output(t, path, "-n", filepath.Join(dir, file))
		}
	}
	if man, err := exec.LookPath("man"); err == nil {
		if page := output(t, man, "-l", filepath.Join(dir, "usr/share/man/man1/esawatch.1.gz")); !strings.Contains(page, "EXIT STATUS") {
			t.Errorf("the manual page: %q", page)
		}
	}
	if lintian, err := exec.LookPath("lintian"); err == nil {
		output(t, lintian, "--allow-root", "--fail-on", "error,warning", deb)
	}
}

func TestRPMHoldsWhatItShould(t *testing.T) {
	rpm := stack.LookPath(t, "rpm")
	_, file := packagesOf(t)
	if got := output(t, rpm, "-qp", "--qf", "%{NAME} %{VERSION} %{LICENSE} %{BUILDHOST}", file); got != "esawatch 1.0.0 Apache-2.0 esawatch.invalid" {
		t.Errorf("it says of itself %q", got)
	}
	files := strings.Fields(output(t, rpm, "-qpl", file))
	for _, want := range append(slices.Clone(installed), "/usr/share/zsh/site-functions/_esawatch", "/usr/share/doc/esawatch/LICENSE") {
		if !slices.Contains(files, want) {
			t.Errorf("it has no %s, but %q", want, files)
		}
	}
	if got := strings.TrimSpace(output(t, rpm, "-qpc", file)); got != "/etc/esawatch/config.yaml" {
		t.Errorf("configuration files %q", got)
	}
	// noreplace is a flag of the file that rpm shows as n.
	if got := output(t, rpm, "-qp", "--qf", "[%{FILEFLAGS:fflags} %{FILENAMES}\n]", file); !strings.Contains(got, "cn /etc/esawatch/config.yaml\n") {
		t.Errorf("an upgrade would replace the configuration: %s", got)
	}
	scripts := output(t, rpm, "-qp", "--scripts", file)
	for _, want := range []string{"postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet", "try-restart"} {
		if !strings.Contains(scripts, want) {
			t.Errorf("its scripts have no %q", want)
		}
	}
	output(t, rpm, "-K", "--nosignature", file)
}

// TestDefaultConfigurationIsTwoLinesFromWorking removes the two signs that the
// file tells people to remove.
func TestDefaultConfigurationIsTwoLinesFromWorking(t *testing.T) {
	program := stack.Build(t)
	dir := t.TempDir()
	text := string(content(t, filepath.Join(stack.Root(t), "deploy/package/config.yaml")))
	text = configured(t, text, "https://shop.example.com", filepath.Join(dir, "slack-webhook-url"))
	write(t, filepath.Join(dir, "slack-webhook-url"), "https://hooks.example.com/services/one\n")
	write(t, filepath.Join(dir, "config.yaml"), text)
	output(t, program, "validate", "--config", filepath.Join(dir, "config.yaml"))
}

// configured is the default configuration after the edit that it asks for.
func configured(t *testing.T, text, url, webhookFile string) string {
	t.Helper()
	for _, edit := range [][2]string{
		{"\n#sites: ", "\nsites: "}, {"\n#receivers: ", "\nreceivers: "},
		{"https://shop.example.com", url}, {"webhook_url_file: /etc/esawatch/slack-webhook-url", "webhook_url_file: " + webhookFile},
	} {
		if strings.Count(text, edit[0]) != 1 {
			t.Fatalf("the default configuration has %q not once", edit[0])
		}
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	return text
}
