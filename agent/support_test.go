package agent

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/agent/config"
)

// writeFile writes a file of a test's folder and returns its path.
func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// configOf reads a configuration from its text, untouched by the environment.
func configOf(t *testing.T, text string) *config.Config {
	t.Helper()
	file := writeFile(t, filepath.Join(t.TempDir(), "config.yaml"), text)
	cfg, err := config.Load([]string{file}, config.Options{Environ: []string{}, Hostname: "fra-1"})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// planOf makes a plan of a configuration's text.
func planOf(t *testing.T, text string) *Plan {
	t.Helper()
	plan, err := Build(configOf(t, text), BuildOptions{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plan.Close)
	return plan
}

// refused are the paths and texts of what Build says against a configuration
// that could be read.
func refused(t *testing.T, text string) (paths, texts []string) {
	t.Helper()
	plan, err := Build(configOf(t, text), BuildOptions{Version: "1.2.3"})
	if err == nil {
		plan.Close()
		t.Fatal("the configuration was taken")
	}
	list, ok := errors.AsType[config.Errors](err)
	if !ok {
		t.Fatalf("error %v (%T) is not config.Errors", err, err)
	}
	for _, e := range list {
		paths = append(paths, e.Path)
		texts = append(texts, e.Error())
	}
	return paths, texts
}

// sameSet compares two lists without regard to their order.
func sameSet(got, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

// anyHas tells whether one of the texts holds all parts.
func anyHas(texts []string, parts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
	})
}
