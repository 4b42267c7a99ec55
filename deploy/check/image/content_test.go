package main

import (
	"bytes"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContent holds every name in the image, its owner and its mode: there is no
// shell, and nothing else that an intruder could use.
func TestContent(t *testing.T) {
	t.Parallel()
	type entry struct {
		mode, owner int64
		folder      bool
	}
	want := map[string]entry{
		"/data":                              {0o700, user, true},
		"/esawatch":                          {0o755, 0, false},
		"/etc":                               {0o755, 0, true},
		"/etc/group":                         {0o644, 0, false},
		"/etc/passwd":                        {0o644, 0, false},
		"/etc/ssl":                           {0o755, 0, true},
		"/etc/ssl/certs":                     {0o755, 0, true},
		"/etc/ssl/certs/ca-certificates.crt": {0o644, 0, false},
		"/tmp":                               {0o1777, 0, true},
		"/usr":                               {0o755, 0, true},
		"/usr/share":                         {0o755, 0, true},
		"/usr/share/esawatch":                {0o755, 0, true},
		"/usr/share/esawatch/LICENSE":        {0o644, 0, false},
		"/usr/share/esawatch/defaults.yaml":  {0o644, 0, false},
	}
	for arch, image := range images(t) {
		got := map[string]entry{}
		for name, f := range files(t, image) {
			if f.Uid != f.Gid || f.Uname != "" || f.Gname != "" || f.ModTime.Unix() != epoch || f.Linkname != "" {
				t.Errorf("%s: %s: owner %d:%d %q:%q, time %v, link to %q", arch, name, f.Uid, f.Gid, f.Uname, f.Gname, f.ModTime, f.Linkname)
			}
			got[name] = entry{f.Mode, int64(f.Uid), f.FileInfo().IsDir()}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); diff != "" {
			t.Errorf("%s: - want, + got:\n%s", arch, diff)
		}
	}
}

// TestProgram holds that the program needs nothing around it, and is of the
// image's architecture and version.
func TestProgram(t *testing.T) {
	t.Parallel()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for arch, image := range images(t) {
		content := files(t, image)["/esawatch"].content
		program, err := elf.NewFile(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if program.Machine != machines[arch] {
			t.Errorf("%s: the program is for %v", arch, program.Machine)
		}
		for _, p := range program.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("%s: the program is linked dynamically", arch)
			}
		}
		info, err := buildinfo.Read(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" || settings["GOARCH"] != arch {
			t.Errorf("%s: it was built with %v", arch, settings)
		}
		if !bytes.Contains(content, []byte("1.2.3")) {
			t.Errorf("%s: the program has no version", arch)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != arch || config.OS != "linux" {
			t.Errorf("the image for %s says %s/%s", arch, config.OS, config.Architecture)
		}
		if config.Config.Labels["org.opencontainers.image.version"] != "1.2.3" || config.Config.Labels["org.opencontainers.image.revision"] != settings["vcs.revision"] {
			t.Errorf("%s: labels %v, the program's commit %s", arch, config.Config.Labels, settings["vcs.revision"])
		}
	}
}

// TestRoots holds that the image trusts whom visitors trust, and nobody whom only
// the building machine trusts.
func TestRoots(t *testing.T) {
	t.Parallel()
	for arch, image := range images(t) {
		bundle := certificates(t, files(t, image)["/etc/ssl/certs/ca-certificates.crt"].content)
		if len(bundle) < 100 {
			t.Errorf("%s: %d certificate authorities", arch, len(bundle))
		}
		var names []string
		for _, c := range bundle {
			names = append(names, c.Subject.CommonName)
		}
		for _, want := range []string{"ISRG Root X1", "DigiCert Global Root G2", "GlobalSign"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s: no %q", arch, want)
			}
		}
		local, err := filepath.Glob("/usr/local/share/ca-certificates/*.crt")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range local {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range certificates(t, text) {
				if slices.ContainsFunc(bundle, c.Equal) {
					t.Errorf("%s: the image trusts %s of this machine", arch, file)
				}
			}
		}
	}
}

func certificates(t *testing.T, text []byte) []*x509.Certificate {
	t.Helper()
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			if rest := strings.TrimSpace(string(text)); rest != "" {
				t.Errorf("after the certificates comes %q", rest[:min(len(rest), 80)])
			}
			return all
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
}

// TestContextHasEverything holds that what Docker is not given is nothing that
// git tracks: the program would be stamped as changed.
func TestContextHasEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ignored := strings.ReplaceAll(sourceFile(t, "deploy/container/Dockerfile.dockerignore"), "**/", "")
	if err := os.WriteFile(filepath.Join(dir, "ignored"), []byte(ignored), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := findSource()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(source, ".git")); err != nil {
		t.Skip("this is no clone of git")
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", source, "ls-files", "--cached", "--ignored", "--exclude-from="+filepath.Join(dir, "ignored")).Output()
	if err != nil || len(out) > 0 {
		t.Errorf("tracked, but not in the context: %q (%v)", out, err)
	}
}

// TestUsersHaveNames holds that the numbers have names inside.
func TestUsersHaveNames(t *testing.T) {
	t.Parallel()
	all := files(t, images(t)["amd64"])
	for name, want := range map[string]string{"/etc/passwd": "\nesawatch:x:65532:65532:", "/etc/group": "\nesawatch:x:65532:"} {
		if !strings.Contains(string(all[name].content), want) {
			t.Errorf("%s: %q", name, all[name].content)
		}
	}
	if !slices.Contains(slices.Collect(maps.Keys(all)), "/data") {
		t.Error("no /data")
	}
}
