package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// epoch is the time of what the tests build.
const epoch = 1790000000

// release is version 1.2.3, built once for all tests.
var release = sync.OnceValues(func() ([]built, error) {
	source, err := findSource()
	if err != nil {
		return nil, err
	}
	return build(options{source: source, arches: []string{"amd64", "arm64"}, version: "1.2.3", roots: defaultRoots, epoch: time.Unix(epoch, 0).UTC()})
})

// images are those of the release, by architecture.
func images(t *testing.T) map[string]v1.Image {
	t.Helper()
	all, err := release()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]v1.Image{}
	for _, b := range all {
		by[b.arch] = b.image
	}
	return by
}

// file is an entry of an image.
type file struct {
	tar.Header
	content []byte
}

// files are the entries of an image, by absolute path.
func files(t *testing.T, image v1.Image) map[string]file {
	t.Helper()
	all := map[string]file{}
	stream := mutate.Extract(image)
	defer stream.Close()
	for r := tar.NewReader(stream); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all["/"+strings.Trim(h.Name, "/")] = file{*h, content}
	}
}

// TestTypes holds that all of it is of the OCI's types, of which registries keep
// the digests.
func TestTypes(t *testing.T) {
	t.Parallel()
	for arch, image := range images(t) {
		m, err := image.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if m.MediaType != types.OCIManifestSchema1 || m.Config.MediaType != types.OCIConfigJSON {
			t.Errorf("%s is of type %s with a configuration of type %s", arch, m.MediaType, m.Config.MediaType)
		}
		for _, l := range m.Layers {
			if l.MediaType != types.OCILayer {
				t.Errorf("%s has a layer of type %s", arch, l.MediaType)
			}
		}
		if got := m.Annotations["org.opencontainers.image.created"]; got != "2026-09-21T14:13:20Z" {
			t.Errorf("%s was created at %q", arch, got)
		}
	}
}

// TestSameSourceSameImage builds again and compares all that there is.
func TestSameSourceSameImage(t *testing.T) {
	t.Parallel()
	source, err := findSource()
	if err != nil {
		t.Fatal(err)
	}
	arch := runtime.GOARCH
	again, err := build(options{source: source, arches: []string{arch}, version: "1.2.3", roots: defaultRoots, epoch: time.Unix(epoch, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	first, err := images(t)[arch].Digest()
	if err != nil {
		t.Fatal(err)
	}
	second, err := again[0].image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("digest %s, then %s", first, second)
	}
}

// TestWritten runs the command, reads back what it wrote, and has the library
// validate digests, sizes and the order of layers.
func TestWritten(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1790000000")
	out := filepath.Join(t.TempDir(), "out")
	for _, args := range [][]string{{"-version", "1.2.2", "-arch", runtime.GOARCH}, {"-version", "1.2.3"}} { // the second replaces the first
		if err := run(append([]string{"-o", out}, args...)); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(out, "esawatch"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	top, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "1.2.3" {
		t.Fatalf("the layout has %+v", top.Manifests)
	}
	inner, err := index.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := inner.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	want := images(t)
	if len(m.Manifests) != len(want) {
		t.Fatalf("the index has %d images, want %d", len(m.Manifests), len(want))
	}
	for _, d := range m.Manifests {
		if d.Platform == nil || d.Platform.OS != "linux" {
			t.Fatalf("an image is for %v", d.Platform)
		}
		image := want[d.Platform.Architecture]
		if stored, err := inner.Image(d.Digest); err != nil {
			t.Error(err)
		} else if err := validate.Image(stored); err != nil {
			t.Errorf("%v: %v", d.Platform, err)
		}
		if digest, err := image.Digest(); err != nil || digest != d.Digest {
			t.Errorf("%v is %s, want %s (%v)", d.Platform, d.Digest, digest, err)
		}
		loaded, err := tarball.ImageFromPath(filepath.Join(out, "esawatch-"+d.Platform.Architecture+".tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := loaded.ConfigName() // what docker load calls the image's ID
		if wanted, err2 := image.ConfigName(); errors.Join(err, err2) != nil || got != wanted {
			t.Errorf("the tar for %v holds image %s, want %s (%v, %v)", d.Platform, got, wanted, err, err2)
		}
	}
}

// TestMistakesAreNamed holds that a wrong call says what is wrong with it.
func TestMistakesAreNamed(t *testing.T) {
	dir := t.TempDir()
	noCA := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(noCA, []byte("-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		epoch string
		want  string
	}{
		{[]string{"extra"}, "", `got ["extra"], want flags only`},
		{nil, "yesterday", `SOURCE_DATE_EPOCH: got "yesterday", want seconds since 1970`},
		{[]string{"-roots", filepath.Join(dir, "none")}, "", "install ca-certificates, or name a file with -roots"},
		{[]string{"-roots", dir}, "", "has no certificates"},
		{[]string{"-roots", noCA}, "", `a block of type "EC PARAMETERS" among the certificates`},
		{[]string{"-arch", "mips128"}, "", "go build for mips128: "},
	} {
		t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
		err := run(append([]string{"-o", filepath.Join(dir, "out")}, c.args...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v, want %q", c.args, err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("a wrong call wrote something")
	}
}

// sourceFile is the text of a file of the repository.
func sourceFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stack.Root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
}
