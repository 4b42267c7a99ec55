package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConventions holds the rules to how Prometheus' users name and describe theirs.
func TestConventions(t *testing.T) {
	t.Parallel()
	record := regexp.MustCompile(`^[a-z_]+:[a-z_]+:[a-z0-9_]+$`) // level:metric:operations
	alert := regexp.MustCompile(`^Esawatch[A-Z][A-Za-z]+$`)
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range loadRules(t) {
		if r.Record != "" {
			if !record.MatchString(r.Record) {
				t.Errorf("%s is not level:metric:operations", r.Record)
			}
			if !strings.Contains(string(readme), "`"+r.Record+"`") && !strings.Contains(r.Record, ":ratio_avg") {
				t.Errorf("the README has no word of %s", r.Record)
			}
			continue
		}
		if !alert.MatchString(r.Alert) {
			t.Errorf("%s: an alert is called Esawatch and what is wrong", r.Alert)
		}
		if !strings.Contains(string(readme), "| `"+r.Alert+"` |") {
			t.Errorf("%s is not in the README's table", r.Alert)
		}
		switch r.Labels["severity"] {
		case "info", "warning", "critical", `{{ or $labels.severity "critical" }}`:
		default:
			t.Errorf("%s: its severity is %q", r.Alert, r.Labels["severity"])
		}
		for _, name := range []string{"summary", "description", "remediation", "runbook_url"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		if _, anchor, ok := strings.Cut(r.Annotations["runbook_url"], "#"); ok && !hasHeading(string(readme), anchor) {
			t.Errorf("%s: the README has no heading for #%s", r.Alert, anchor)
		}
	}
}

// hasHeading tells whether a Markdown text has the heading that an anchor leads to.
func hasHeading(text, anchor string) bool {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		if strings.ReplaceAll(strings.ToLower(m[1]), " ", "-") == anchor {
			return true
		}
	}
	return false
}
