// Command image makes the container image of esawatch with no Docker engine, the
// same that deploy/container/Dockerfile describes:
//
//	cd deploy/check && go run ./image -o dist
//
// It writes an OCI image layout for linux/amd64 and linux/arm64 to dist/esawatch,
// for crane, skopeo and every registry, and one tar for each of them, such as
// dist/esawatch-amd64.tar, for "docker load". The same commit, Go and roots give
// the same bytes; SOURCE_DATE_EPOCH is the time of all of it, else the commit's.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	out := flags.String("o", "dist", "`FOLDER` to write to; what is there under the same names is replaced")
	arches := flags.String("arch", "amd64,arm64", "architectures")
	version := flags.String("version", os.Getenv("VERSION"), "version of a release, as 1.2.3; the commit's if empty")
	roots := flags.String("roots", defaultRoots, "certificate authorities: a `FILE` of PEM, or a folder of *.crt")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("got %q, want flags only", flags.Args())
	}
	epoch, err := sourceDate(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	source, err := findSource()
	if err != nil {
		return err
	}
	images, err := build(options{source: source, arches: strings.Split(*arches, ","), version: *version, roots: *roots, epoch: epoch})
	if err != nil {
		return err
	}
	return write(*out, images)
}

// write writes the index of all images as a layout, and each image as a tar.
func write(out string, images []built) error {
	dir := filepath.Join(out, "esawatch")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	index, err := indexOf(images)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	// A layout may hold many images: its own index names this one.
	path, err := layout.Write(dir, emptyIndex())
	if err != nil {
		return fmt.Errorf("write layout %s: %w", dir, err)
	}
	version := images[0].version
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tagOf(version)})); err != nil {
		return fmt.Errorf("write layout %s: %w", dir, err)
	}
	fmt.Printf("%s  %s\n", digest, dir)
	for _, b := range images {
		file := filepath.Join(out, "esawatch-"+b.arch+".tar")
		tag, err := name.NewTag("esawatch:" + tagOf(version))
		if err != nil {
			return err
		}
		if err := tarball.WriteToFile(file, tag, b.image); err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
		digest, err := b.image.Digest()
		if err != nil {
			return err
		}
		fmt.Printf("%s  %s\n", digest, file)
	}
	return nil
}

// tagOf is a version as a tag may have it.
func tagOf(version string) string {
	return strings.Map(func(r rune) rune {
		if r == '+' {
			return '-'
		}
		return r
	}, version)
}
