package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// TestBlackboxQueries runs what others ask of blackbox_exporter over our
// metrics, with the labels that deploy/grafana/README.md has Prometheus make.
func TestBlackboxQueries(t *testing.T) {
	t.Parallel()
	s := stack.Start(t, stack.Options{Relabelling: relabelling(t)})
	s.Until(t, `count(probe_success == 0) > 2 and count(probe_ssl_earliest_cert_expiry - time() < 0) > 0`, 30*time.Second, nil)
	for _, sample := range s.Query(t, "probe_success") {
		if got, want := string(sample.Metric["instance"]), string(sample.Metric["site"]+"/"+sample.Metric["check"]); got != want {
			t.Errorf("the instance is %q, want %q", got, want)
		}
	}
	text, err := os.ReadFile("testdata/blackbox.txt")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		expr, unknown := fill(line, map[string]string{"job": "esawatch", "instance": stack.Expiring + "/home"})
		if len(unknown) > 0 {
			t.Fatalf("%s: variables %v", line, unknown)
		}
		ask(t, s, "blackbox.txt", expr, true)
		asked++
	}
	if asked < 20 {
		t.Errorf("asked %d queries", asked)
	}
}

// relabelling is the one that the manual gives.
func relabelling(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stack.Root(t), "deploy", "grafana", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "    metric_relabel_configs:\n")
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("deploy/grafana/README.md has no metric_relabel_configs")
	}
	return block
}
