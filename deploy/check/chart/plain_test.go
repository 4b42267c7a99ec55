package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// plainManifests are the chart's objects with its defaults, a file each, without
// the labels that speak of Helm.
func plainManifests(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, part := range strings.Split(render(t), "# Source: esawatch/templates/")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		var kept []string
		for line := range strings.Lines(strings.TrimSuffix(strings.TrimSpace(text), "\n---") + "\n") {
			if word := strings.TrimSpace(line); !strings.HasPrefix(word, "helm.sh/chart:") && !strings.HasPrefix(word, "app.kubernetes.io/managed-by:") {
				kept = append(kept, line)
			}
		}
		all[name] = "# Made of deploy/helm: in deploy/check, go test ./chart -update\n" + strings.Join(kept, "")
	}
	return all
}

// TestPlainManifests holds that deploy/kubernetes is what the chart comes to, and
// that its kustomization names every file.
func TestPlainManifests(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(stack.Root(t), "deploy", "kubernetes")
	want := plainManifests(t)
	if len(want) < 5 {
		t.Fatalf("the chart has %d objects", len(want))
	}
	if *update {
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	const custom = "kustomization.yaml"
	text, err := os.ReadFile(filepath.Join(folder, custom))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct {
		APIVersion, Kind, Namespace string
		Resources                   []string
		Images                      []struct{ Name, NewTag string }
	}
	if err := yaml.UnmarshalStrict(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	got, named := map[string]string{}, map[string]bool{}
	for _, name := range kustomization.Resources {
		named[name] = true
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == custom {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(file)] = string(text)
		if !named[filepath.Base(file)] {
			t.Errorf("%s does not name %s", custom, filepath.Base(file))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(named) != len(got) {
		t.Errorf("deploy/kubernetes is not up to date; in deploy/check: go test ./chart -update\n%s", diff)
	}
	var together strings.Builder
	for _, text := range got {
		together.WriteString("---\n" + text)
	}
	o := decode(t, together.String())
	if image := kustomization.Images[0].Name; !strings.HasPrefix(o.container(t).Image, image+":") {
		t.Errorf("the program is %s, %s changes the tag of %s", o.container(t).Image, custom, image)
	}
	if len(o.sets) != 1 || o.sets[0].Namespace != kustomization.Namespace {
		t.Errorf("deploy/kubernetes has %d StatefulSets, in another namespace than %s", len(o.sets), kustomization.Namespace)
	}
}
