package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// instruction is a line of a Dockerfile with its continuations.
type instruction struct{ word, rest string }

// lastStage are the instructions from the last FROM on, and all those before it.
func lastStage(t *testing.T) (before, last []instruction) {
	t.Helper()
	text := strings.ReplaceAll(sourceFile(t, "deploy/container/Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			before, last = append(before, last...), nil
		}
		last = append(last, instruction{word, strings.TrimSpace(rest)})
	}
	return before, last
}

var label = regexp.MustCompile(`([a-z.]+)="([^"]*)"`)

// TestDockerfileSaysTheSame reads the last stage of the Dockerfile, as far as a
// file of this kind goes, and compares what it comes to with the image.
func TestDockerfileSaysTheSame(t *testing.T) {
	t.Parallel()
	got := v1.Config{ExposedPorts: map[string]struct{}{}, Volumes: map[string]struct{}{}, Labels: map[string]string{}}
	_, stage := lastStage(t)
	var copies []string
	for _, i := range stage {
		switch i.word {
		case "FROM":
			if i.rest != "scratch" {
				t.Errorf("the image is made from %q", i.rest)
			}
		case "ARG":
		case "COPY":
			copies = append(copies, i.rest)
		case "USER":
			got.User = i.rest
		case "WORKDIR":
			got.WorkingDir = i.rest
		case "EXPOSE":
			got.ExposedPorts[i.rest] = struct{}{}
		case "VOLUME":
			for _, v := range list(t, i.rest) {
				got.Volumes[v] = struct{}{}
			}
		case "ENTRYPOINT":
			got.Entrypoint = list(t, i.rest)
		case "CMD":
			got.Cmd = list(t, i.rest)
		case "HEALTHCHECK":
			got.Healthcheck = healthcheck(t, i.rest)
		case "LABEL":
			for _, m := range label.FindAllStringSubmatch(i.rest, -1) {
				got.Labels[m[1]] = strings.NewReplacer("$VERSION", "1.2.3", "$REVISION", "5aa8b27").Replace(m[2])
			}
		default:
			t.Errorf("an instruction that this test does not know: %s", i.word)
		}
	}
	if diff := cmp.Diff(configOf(program{version: "1.2.3", commit: "5aa8b27"}), got); diff != "" {
		t.Errorf("- the image, + the Dockerfile:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"--from=build /rootfs /", fmt.Sprintf("--from=build --chown=%d:%[1]d /data /data", user)}, copies); diff != "" {
		t.Errorf("COPY:\n%s", diff)
	}
}

// TestDockerfileBuildsTheSame holds that the build stage compiles with the same
// flags and has the same script lay out the files.
func TestDockerfileBuildsTheSame(t *testing.T) {
	t.Parallel()
	var runs strings.Builder
	before, _ := lastStage(t)
	for _, i := range before {
		if i.word == "RUN" || i.word == "FROM" {
			runs.WriteString(i.rest + "\n")
		}
	}
	for _, want := range []string{"golang:" + goVersion(t) + " AS build", "CGO_ENABLED=0", "GOOS=$TARGETOS GOARCH=$TARGETARCH", "-trimpath", "-buildvcs=auto",
		`-ldflags "-s -w${VERSION:+ -X main.version=$VERSION}"`, "./cmd/esawatch",
		"deploy/container/rootfs /esawatch /etc/ssl/certs/ca-certificates.crt /rootfs && mv /rootfs/data /data"} {
		if !strings.Contains(runs.String(), want) {
			t.Errorf("the build has no %q:\n%s", want, runs.String())
		}
	}
}

// goVersion is the minor version of Go that the program is for, as "1.26".
func goVersion(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(sourceFile(t, "go.mod"))
	if m == nil {
		t.Fatal("go.mod names no version of Go")
	}
	return m[1]
}

// list reads the JSON form of an instruction.
func list(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all
}

func healthcheck(t *testing.T, text string) *v1.HealthConfig {
	t.Helper()
	flags, command, ok := strings.Cut(text, " CMD ")
	if !ok {
		t.Fatalf("HEALTHCHECK %s", text)
	}
	h := &v1.HealthConfig{Test: append([]string{"CMD"}, list(t, command)...)}
	for flag := range strings.FieldsSeq(flags) {
		name, value, _ := strings.Cut(flag, "=")
		if name == "--retries" {
			if _, err := fmt.Sscan(value, &h.Retries); err != nil {
				t.Fatal(err)
			}
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "--interval":
			h.Interval = d
		case "--timeout":
			h.Timeout = d
		case "--start-period":
			h.StartPeriod = d
		default:
			t.Errorf("HEALTHCHECK %s", flag)
		}
	}
	return h
}
