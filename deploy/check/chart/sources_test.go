package chart

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// sources are the files of other folders that the chart has links to.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for folder, pattern := range map[string]string{"files/rules": "prometheus/*.rules.yml", "files/dashboards": "grafana/*.json"} {
		found, err := filepath.Glob(filepath.Join(stack.Root(t), "deploy", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		for _, file := range found {
			all[folder+"/"+filepath.Base(file)] = file
		}
	}
	return all
}

// TestLinks holds that the rules and the dashboards are in the chart as links to
// the only copy that there is, and that none is missing.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := sources(t)
	for name, source := range all {
		path := filepath.Join(chartDir(t), name)
		info, err := os.Lstat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		to, err := filepath.EvalSymlinks(path)
		if info.Mode()&os.ModeSymlink == 0 || err != nil || to != source {
			t.Errorf("%s is no link to %s, but leads to %q (%v)", name, source, to, err)
		}
	}
	there, err := filepath.Glob(filepath.Join(chartDir(t), "files/*/*"))
	if err != nil || len(there) != len(all) {
		t.Errorf("%q, of %d sources (%v)", there, len(all), err)
	}
}

// TestPackage holds that a packed chart has the files in place of the links, with
// what they say, and nothing that is for the repository only.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, errs, err := helm(t, "package", chartDir(t), "--destination", dir, "--version", "1.2.3", "--app-version", "1.2.3"); err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	packed := untar(t, filepath.Join(dir, "esawatch-1.2.3.tgz"))
	for name, source := range sources(t) {
		want, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := packed["esawatch/"+name]; !ok || got != string(want) {
			t.Errorf("%s is not as %s", name, source)
		}
	}
	for name := range packed {
		if strings.HasPrefix(name, "esawatch/ci/") {
			t.Errorf("%s is for the repository only", name)
		}
	}
	out, errs, err := helm(t, "template", "esawatch", filepath.Join(dir, "esawatch-1.2.3.tgz"), "--namespace", "monitoring", "--values", valuesFiles(t)["small"])
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	if got := decode(t, out).container(t).Image; got != "ghcr.io/esawatch/esawatch:1.2.3" {
		t.Errorf("a release runs the image %s", got)
	}
}

func untar(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			t.Errorf("%s is no file", h.Name)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = string(text)
	}
}

// TestRules holds that the PrometheusRule says what the rule files do, in full.
func TestRules(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{"full": {"agent", "sites", "slo"}, "locked": {"agent"}} {
		rules := decode(t, render(t, "--values", valuesFiles(t)[name])).rules
		if len(rules) != 1 {
			t.Fatalf("%s: %d PrometheusRules", name, len(rules))
		}
		spec, err := yaml.Marshal(rules[0].Spec)
		if err != nil {
			t.Fatal(err)
		}
		var groups []any
		for _, file := range want {
			text, err := os.ReadFile(filepath.Join(chartDir(t), "files/rules", file+".rules.yml"))
			if err != nil {
				t.Fatal(err)
			}
			groups = append(groups, tree(t, string(text))["groups"].([]any)...)
		}
		if diff := cmp.Diff(groups, tree(t, string(spec))["groups"]); diff != "" {
			t.Errorf("%s: - the files, + the PrometheusRule:\n%s", name, diff)
		}
	}
}

func tree(t *testing.T, text string) (all map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDashboards holds that each dashboard is in a ConfigMap of its own, as it is
// and small enough for one, with the label that Grafana's sidecar looks for.
func TestDashboards(t *testing.T) {
	t.Parallel()
	found := map[string]string{}
	for _, c := range decode(t, render(t, "--values", valuesFiles(t)["full"])).configMaps {
		if c.Labels["grafana_dashboard"] != "1" {
			continue
		}
		if c.Annotations["grafana_folder"] != "esawatch" {
			t.Errorf("%s has annotations %v", c.Name, c.Annotations)
		}
		for name, text := range c.Data {
			found[strings.TrimPrefix(name, "esawatch-")] = text
			if len(text) > 900<<10 {
				t.Errorf("%s has %d bytes: a ConfigMap has room for a mebibyte", name, len(text))
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(stack.Root(t), "deploy/grafana/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found[filepath.Base(file)] != string(text) {
			t.Errorf("%s is in no ConfigMap as it is", filepath.Base(file))
		}
		delete(found, filepath.Base(file))
	}
	if len(found) > 0 {
		t.Errorf("dashboards of nowhere: %d", len(found))
	}
}

// TestVersions holds that the chart and the program have one version.
func TestVersions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(chartDir(t), "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	chart := tree(t, string(text))
	if chart["version"] != chart["appVersion"] || chart["apiVersion"] != "v2" {
		t.Errorf("Chart.yaml: %v", chart)
	}
}
