package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// options say what to build from what.
type options struct {
	source  string // folder of the repository
	arches  []string
	version string    // of a release; "" = as the program was stamped
	roots   string    // file or folder of certificate authorities
	epoch   time.Time // of all that is made; zero = the commit's
}

// built is the image of one architecture.
type built struct {
	arch    string
	version string
	image   v1.Image
}

// build makes the image of each architecture.
func build(o options) ([]built, error) {
	roots, err := readRoots(o.roots)
	if err != nil {
		return nil, err
	}
	var images []built
	for _, arch := range o.arches {
		b, err := buildOne(o, arch, roots)
		if err != nil {
			return nil, err
		}
		images = append(images, b)
	}
	if len(images) == 0 {
		return nil, errors.New("no architecture is asked for")
	}
	return images, nil
}

func buildOne(o options, arch string, roots []byte) (built, error) {
	work, err := os.MkdirTemp("", "esawatch-image-")
	if err != nil {
		return built{}, err
	}
	defer os.RemoveAll(work)
	file, rootsFile, tree := filepath.Join(work, "esawatch"), filepath.Join(work, "roots.pem"), filepath.Join(work, "rootfs")
	p, err := compile(o.source, arch, o.version, file)
	if err != nil {
		return built{}, err
	}
	if err := os.WriteFile(rootsFile, roots, 0o600); err != nil {
		return built{}, err
	}
	cmd := exec.Command(filepath.Join(o.source, "deploy/container/rootfs"), file, rootsFile, tree)
	if out, err := cmd.CombinedOutput(); err != nil {
		return built{}, fmt.Errorf("deploy/container/rootfs: %w\n%s", err, out)
	}
	at := o.epoch
	if at.IsZero() {
		at = p.at
	}
	image, err := assemble(tree, arch, p, at)
	return built{arch: arch, version: p.version, image: image}, err
}

// assemble makes an image of a tree of files: what seldom changes as one layer,
// the program as another.
func assemble(tree, arch string, p program, at time.Time) (v1.Image, error) {
	isProgram := func(name string) bool { return name == "esawatch" }
	around, err := layerOf(tree, at, func(name string) bool { return !isProgram(name) })
	if err != nil {
		return nil, err
	}
	alone, err := layerOf(tree, at, isProgram)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	const by = "deploy/check/image"
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: around, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: at}, CreatedBy: by, Comment: "certificates, users, folders"}},
		mutate.Addendum{Layer: alone, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: at}, CreatedBy: by, Comment: "esawatch " + p.version}})
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, v1.Time{Time: at}
	if arch == "arm64" {
		file.Variant = "v8"
	}
	file.Config = configOf(p)
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(image, annotationsOf(p, at)).(v1.Image)
	if !ok {
		return nil, errors.New("an annotated image is no image")
	}
	return annotated, nil
}

// configOf is how the image is run, as the Dockerfile has it.
func configOf(p program) v1.Config {
	return v1.Config{
		User:         "65532:65532",
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"9522/tcp": {}},
		Volumes:      map[string]struct{}{"/data": {}},
		Entrypoint:   []string{"/esawatch"},
		Cmd:          []string{"run", "--config", "/usr/share/esawatch/defaults.yaml", "--config", "/etc/esawatch/config.yaml"},
		// Not of the OCI's configuration; Docker takes it all the same.
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/esawatch", "healthy"},
			Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: 30 * time.Second, Retries: 3},
		Labels: labelsOf(p),
	}
}

func labelsOf(p program) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "esawatch",
		"org.opencontainers.image.description": "Synthetic monitoring of sites behind Alibaba Cloud ESA",
		"org.opencontainers.image.url":         "https://github.com/esawatch/esawatch",
		"org.opencontainers.image.source":      "https://github.com/esawatch/esawatch",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     p.version,
		"org.opencontainers.image.revision":    p.commit,
	}
}

// annotationsOf say the same to a registry, and when.
func annotationsOf(p program, at time.Time) map[string]string {
	all := maps.Clone(labelsOf(p))
	all["org.opencontainers.image.created"] = at.Format(time.RFC3339)
	return all
}

// emptyIndex is an OCI index of nothing.
func emptyIndex() v1.ImageIndex {
	return mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
}

// indexOf is one image of many architectures.
func indexOf(images []built) (v1.ImageIndex, error) {
	index := emptyIndex()
	for _, b := range images {
		file, err := b.image.ConfigFile()
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: b.image, Descriptor: v1.Descriptor{Platform: file.Platform()}})
	}
	manifest, err := images[0].image.Manifest()
	if err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(index, manifest.Annotations).(v1.ImageIndex)
	if !ok {
		return nil, errors.New("an annotated index is no index")
	}
	return annotated, nil
}
