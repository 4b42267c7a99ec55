package rules

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder is where the rules are.
const folder = "../../prometheus"

// ruleFiles are the paths of all rule files.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.rules.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rule files in %s: %v", folder, err)
	}
	return files
}

// loadRules parses the rule files as strictly as Prometheus does, in the order
// in which they stand.
func loadRules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	var all []rulefmt.Rule
	for _, file := range ruleFiles(t) {
		groups, errs := rulefmt.ParseFile(file, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
		if len(errs) > 0 {
			t.Fatalf("%s: %v", file, errors.Join(errs...))
		}
		for _, g := range groups.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

// promtool runs it and fails the test if it finds a fault.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), stack.LookPath(t, "promtool"), args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool(t, append([]string{"check", "rules", "--lint-fatal"}, ruleFiles(t)...)...)
	promtool(t, "check", "config", "--lint-fatal", filepath.Join(folder, "prometheus.yml"))
	for _, file := range caseFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			promtool(t, "test", "rules", file)
		})
	}
}

// TestConfigNamesAllRules holds the example to the files that are there.
func TestConfigNamesAllRules(t *testing.T) {
	t.Parallel()
	var config struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	load(t, filepath.Join(folder, "prometheus.yml"), &config)
	var want []string
	for _, file := range ruleFiles(t) {
		want = append(want, filepath.Base(file))
	}
	slices.Sort(config.RuleFiles)
	if !slices.Equal(config.RuleFiles, want) {
		t.Errorf("prometheus.yml loads %v, and there are %v", config.RuleFiles, want)
	}
}

// cases is what is of interest in a file of promtool's cases.
type cases struct {
	Tests []struct {
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []struct {
				Labels map[string]string `yaml:"exp_labels"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
		Expressions []struct {
			Expr     string `yaml:"expr"`
			Expected []any  `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
	}
}

func caseFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.test.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return files
}

// TestEveryRuleHasCases demands of the cases that each alert fires in one and
// stays silent in another, and that each recorded series is looked at.
func TestEveryRuleHasCases(t *testing.T) {
	t.Parallel()
	silent := map[string]bool{}
	var fired []map[string]string
	var looked strings.Builder
	for _, file := range caseFiles(t) {
		var c cases
		load(t, file, &c)
		for _, test := range c.Tests {
			for _, a := range test.Alerts {
				silent[a.Name] = silent[a.Name] || len(a.Expected) == 0
				for _, e := range a.Expected {
					e.Labels["alertname"] = a.Name
					fired = append(fired, e.Labels)
				}
			}
			for _, e := range test.Expressions {
				if len(e.Expected) > 0 {
					looked.WriteString(e.Expr + "\n")
				}
			}
		}
	}
	for _, r := range loadRules(t) {
		if r.Record != "" {
			if !regexp.MustCompile(regexp.QuoteMeta(r.Record) + `\b`).MatchString(looked.String()) {
				t.Errorf("no case looks at %s", r.Record)
			}
			continue
		}
		if !silent[r.Alert] {
			t.Errorf("no case in which %s stays silent", r.Alert)
		}
		if !slices.ContainsFunc(fired, func(labels map[string]string) bool { return labels["alertname"] == r.Alert && has(labels, r.Labels) }) {
			t.Errorf("no case in which %s fires with labels %v", r.Alert, r.Labels)
		}
	}
}

// has tells whether an alert has a rule's labels, those aside that are made of
// the alert's own.
func has(labels, want map[string]string) bool {
	for name, value := range want {
		if !strings.Contains(value, "{{") && labels[name] != value {
			return false
		}
	}
	return true
}

func load(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestObjectiveOfOneSite does what slo.rules.yml says of another objective for a
// single site.
func TestObjectiveOfOneSite(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(folder, "slo.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ +# +(label_replace\(vector\(0\.99\), "site", "blog".*)$`).FindStringSubmatch(string(text))
	const rest = "          group by (site)"
	if line == nil || strings.Count(string(text), rest) != 1 {
		t.Fatal("slo.rules.yml has not the line, or not the rule that it is for")
	}
	changed := strings.Replace(string(text), rest, "          "+line[1]+"\n"+rest, 1)
	dir := t.TempDir()
	for name, content := range map[string]string{"slo.rules.yml": changed, "cases.yml": `
rule_files: [slo.rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'esawatch_check_runs_total{site="shop", check="home", outcome="pass"}', values: '0+2x9'}
      - {series: 'esawatch_check_runs_total{site="blog", check="home", outcome="pass"}', values: '0+2x9'}
    promql_expr_test:
      - expr: site:esawatch_slo_objective:ratio
        eval_time: 5m
        exp_samples:
          - {labels: 'site:esawatch_slo_objective:ratio{site="blog"}', value: 0.99}
          - {labels: 'site:esawatch_slo_objective:ratio{site="shop"}', value: 0.999}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	promtool(t, "test", "rules", filepath.Join(dir, "cases.yml"))
}
