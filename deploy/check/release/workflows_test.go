package release

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// TestVersionsAgree holds that the workflows and .ci/run use the Go and the Helm
// that deploy/release/build names.
func TestVersionsAgree(t *testing.T) {
	root := stack.Root(t)
	script := string(content(t, filepath.Join(root, "deploy/release/build")))
	goVersion, helm := find(t, script, `(?m)^go=(.*)$`), find(t, script, `(?m)^helm=.*@(.*)$`)
	if got := find(t, string(content(t, filepath.Join(root, ".ci/run"))), `(?m)^helm_version=(.*)$`); got[0] != helm[0] {
		t.Errorf(".ci/run checks the chart with Helm %s, it is made with %s", got, helm)
	}
	for _, file := range workflows(t) {
		for _, got := range find(t, string(content(t, file)), `image: golang:([0-9.]*)`) {
			if got != goVersion[0] {
				t.Errorf("%s compiles with Go %s, releases are made with %s", filepath.Base(file), got, goVersion)
			}
		}
	}
}

// TestActionsArePinned holds that what runs beside the sources is what was looked
// at: a tag can be moved, a commit cannot.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9.]+$`)
	for _, file := range workflows(t) {
		for _, got := range find(t, string(content(t, file)), `(?m)uses: *(.*)$`) {
			if !pinned.MatchString(got) {
				t.Errorf("%s: %s is not pinned by its commit", filepath.Base(file), got)
			}
		}
	}
}

func workflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(stack.Root(t), ".github/workflows/*.yml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("workflows %q, %v; want ci.yml and release.yml", files, err)
	}
	return slices.Sorted(slices.Values(files))
}

// find is what the pattern's group matches in text: something, at least once.
func find(t *testing.T, text, pattern string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("nothing matches %s", pattern)
	}
	return all
}
