package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDefaultFileIsSettledAtTheStart: while the default file that was taken is
// missing, a reload fails. It does not fall back to the other default file, which
// may watch other sites.
func TestDefaultFileIsSettledAtTheStart(t *testing.T) {
	t.Chdir(t.TempDir())
	const file = "config.yaml"
	writeText(t, file, "sites: [{name: shop, url: 'https://shop.invalid'}]\n")
	var load configLoader
	if _, err := load.Load(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, err := load.Load()
	if err == nil || !strings.Contains(err.Error(), "config.yaml: cannot be read: no such file or directory") {
		t.Errorf("with the file gone: got %v, want that it cannot be read", err)
	}
	var looked []string
	for _, in := range load.Inputs() {
		looked = append(looked, in.Path)
	}
	if !slices.Equal(looked, []string{file}) {
		t.Errorf("looked at %q, want only %s: another file is none of our business", looked, file)
	}
	writeText(t, file, "sites: [{name: blog, url: 'https://blog.invalid'}]\n")
	if cfg, err := load.Load(); err != nil || cfg.Sites[0].Name != "blog" {
		t.Errorf("with the file back: got %v, %v", cfg, err)
	}
}
