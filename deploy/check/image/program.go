package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// findSource is the folder of the repository: the nearest above the working
// directory that has the program's sources.
func findSource() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "esawatch", "main.go")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above this one has cmd/esawatch")
		}
		dir = parent
	}
}

// program is what was compiled, and what it says of its source.
type program struct {
	version, commit string
	at              time.Time // of the commit; 1970 if that is not known
}

// compile makes the program for an architecture of Linux.
func compile(source, arch, version, file string) (program, error) {
	flags := "-s -w"
	if version != "" {
		flags += " -X main.version=" + version
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=auto", "-ldflags", flags, "-o", file, "./cmd/esawatch")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return program{}, fmt.Errorf("go build for %s: %w\n%s", arch, err, out)
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return program{}, fmt.Errorf("build information of %s: %w", file, err)
	}
	p := program{version: strings.TrimPrefix(version, "v"), at: time.Unix(0, 0).UTC()}
	if p.version == "" {
		p.version = strings.TrimPrefix(info.Main.Version, "v")
	}
	if p.version == "" || p.version == "(devel)" {
		p.version = "devel"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.commit = s.Value
		case "vcs.time":
			if p.at, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return program{}, fmt.Errorf("vcs.time of %s: %w", file, err)
			}
		}
	}
	return p, nil
}

// sourceDate reads SOURCE_DATE_EPOCH, seconds since 1970. Without it the time is
// zero, and the commit's is taken.
func sourceDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: got %q, want seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
