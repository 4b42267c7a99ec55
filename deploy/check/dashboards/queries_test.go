package dashboards

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// query is an expression of a dashboard, wherever in it.
type query struct {
	where string
	expr  string
}

// queries are those of the panels, the annotations and the variables.
func (b *board) queries() []query {
	var list []query
	for _, p := range b.shown() {
		for _, q := range p.Targets {
			list = append(list, query{b.file + ": " + p.Title + " " + q.RefID, q.Expr})
		}
	}
	for _, a := range b.events() {
		list = append(list, query{b.file + ": annotation " + a.Name, a.Expr})
	}
	for _, v := range b.Templating.List {
		if v.Type == "query" {
			metric, _ := v.label()
			list = append(list, query{b.file + ": variable " + v.Name, metric})
		}
	}
	return list
}

// reference is a variable in a text; that of one digit is label_replace's.
var reference = regexp.MustCompile(`\$([a-z_]+)|\$\{([a-z_]+)(?::[a-z]+)?\}`)

// fill puts values in the place of variables, as Grafana does.
func fill(expr string, values map[string]string) (filled string, unknown []string) {
	filled = reference.ReplaceAllStringFunc(expr, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		value, ok := values[m[1]+m[2]]
		if !ok {
			unknown = append(unknown, ref)
		}
		return value
	})
	return filled, unknown
}

// grafanas are the variables that Grafana itself defines, for so short a past
// as the tests have.
var grafanas = map[string]string{"__rate_interval": "10s", "__range": "20s"}

// anything are values of the dashboard's variables with which a query parses.
func (b *board) anything() map[string]string {
	values := maps.Clone(grafanas)
	for _, v := range b.Templating.List {
		switch v.Type {
		case "query":
			values[v.Name] = ".*"
		case "custom":
			values[v.Name], _ = v.Current.Value.(string)
		}
	}
	return values
}

// TestQueries demands that each query is PromQL over metrics and labels that
// the contract has, with variables that the dashboard has.
func TestQueries(t *testing.T) {
	contract := readContract(t)
	p := parser.NewParser(parser.Options{})
	seen := 0
	for _, b := range boards(t) {
		values := b.anything()
		for _, q := range b.queries() {
			seen++
			expr, unknown := fill(q.expr, values)
			if len(unknown) > 0 {
				t.Errorf("%s: the variables %v are not defined", q.where, unknown)
			}
			tree, err := p.ParseExpr(expr)
			if err != nil {
				t.Errorf("%s: %v\n%s", q.where, err, expr)
				continue
			}
			for _, problem := range contract.problems(tree) {
				t.Errorf("%s: %s\n%s", q.where, problem, expr)
			}
		}
	}
	if seen < 80 {
		t.Errorf("looked at %d queries, want all", seen)
	}
}

// TestVariables demands that the variables are used, and chosen as they are meant.
func TestVariables(t *testing.T) {
	for _, b := range boards(t) {
		for _, v := range b.Templating.List {
			used := strings.Count(string(b.raw), "$"+v.Name) + strings.Count(string(b.raw), "${"+v.Name)
			if used == 0 {
				t.Errorf("%s: nothing uses the variable %s", b.file, v.Name)
			}
			if v.Label == "" {
				t.Errorf("%s: the variable %s has no label", b.file, v.Name)
			}
			if v.Type != "query" {
				continue
			}
			metric, label := v.label()
			if metric == "" || label == "" || v.Datasource != prometheus {
				t.Errorf("%s: the variable %s asks for %q of %v", b.file, v.Name, v.Definition, v.Datasource)
			}
			var asked struct{ Query string }
			unmarshal(t, v.Query, &asked)
			if asked.Query != v.Definition {
				t.Errorf("%s: the variable %s shows %q and asks for %q", b.file, v.Name, v.Definition, asked.Query)
			}
			if !v.Multi {
				t.Errorf("%s: the variable %s takes one value, and the queries any number", b.file, v.Name)
			}
			// Several values are a regular expression; "=" would find nothing.
			if exact := regexp.MustCompile(`=\\"\$` + v.Name + `\b`); exact.Match(b.raw) {
				t.Errorf("%s: $%s is compared with =, want =~", b.file, v.Name)
			}
		}
		for _, a := range b.events() {
			if a.Datasource != prometheus || a.Step == "" || a.TitleFormat == "" || a.TextFormat == "" || a.TagKeys == "" || a.IconColor == "" {
				t.Errorf("%s: the annotation %s lacks something: %+v", b.file, a.Name, a)
			}
		}
	}
}

// contract knows the labels of each metric.
type contract map[string][]string

// readContract reads testdata/metrics.txt.
func readContract(t *testing.T) contract {
	t.Helper()
	text, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := contract{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		name, labels := words[0], append(words[2:], "job", "instance")
		c[name] = labels
		if words[1] == "histogram" {
			c[name+"_bucket"] = append(slices.Clone(labels), "le")
			c[name+"_sum"], c[name+"_count"] = labels, labels
		}
	}
	return c
}

// TestContractIsTheAgents holds testdata/metrics.txt to the list of what the
// agent exports, which a test of the program keeps true.
func TestContractIsTheAgents(t *testing.T) {
	exported := readLines(t, filepath.Join(stack.Root(t), "cmd", "esawatch", "testdata", "metrics.txt"))
	ours := 0
	for line := range readLines(t, filepath.Join("testdata", "metrics.txt")) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" || words[0] == "up" || words[0] == "scrape_duration_seconds" {
			continue
		}
		// Only agents that judge together export these; the live queries hold them.
		if strings.HasPrefix(words[0], "esawatch_cluster_") || words[0] == "esawatch_check_locations" {
			continue
		}
		ours++
		name, kind, labels := words[0], words[1], slices.Sorted(slices.Values(words[2:]))
		labels = slices.DeleteFunc(labels, func(l string) bool { return kind == "summary" && l == "quantile" })
		if want := fmt.Sprintf("%s{%s} %s", name, strings.Join(labels, ","), kind); !exported[want] {
			t.Errorf("the agent does not export %s", want)
		}
	}
	if ours < 40 {
		t.Errorf("looked at %d metrics, want all", ours)
	}
}

// readLines reads the lines of a file.
func readLines(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		lines[strings.TrimSpace(line)] = true
	}
	return lines
}

// problems are what an expression names that the contract does not have.
func (c contract) problems(tree parser.Node) []string {
	var list []string
	known := map[string]bool{} // labels of the metrics, and those that label_replace makes
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			labels, ok := c[n.Name]
			if !ok {
				list = append(list, fmt.Sprintf("the contract has no metric %q", n.Name))
			}
			for _, l := range labels {
				known[l] = true
			}
			for _, m := range n.LabelMatchers {
				if m.Name != "__name__" && !slices.Contains(labels, m.Name) {
					list = append(list, fmt.Sprintf("%s has no label %q", n.Name, m.Name))
				}
			}
		case *parser.AggregateExpr:
			if made, ok := n.Param.(*parser.StringLiteral); ok { // count_values
				known[made.Val] = true
			}
		case *parser.Call:
			if n.Func.Name == "label_replace" {
				known[n.Args[1].(*parser.StringLiteral).Val] = true
			}
		}
		return nil
	})
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		var named []string
		switch n := node.(type) {
		case *parser.AggregateExpr:
			named = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				named = slices.Concat(n.VectorMatching.MatchingLabels, n.VectorMatching.Include)
			}
		}
		for _, l := range named {
			if !known[l] {
				list = append(list, fmt.Sprintf("nothing in it has the label %q", l))
			}
		}
		return nil
	})
	return list
}

// TestContractIsHeld sees to it that the checks above can fail.
func TestContractIsHeld(t *testing.T) {
	c := readContract(t)
	p := parser.NewParser(parser.Options{})
	for expr, want := range map[string]int{
		`sum by (site) (probe_success{check="a"})`:                 0,
		`rate(esawatch_check_duration_seconds_bucket{le="1"}[5m])`: 0,
		`probe_succes`:                 1,
		`probe_success{phase="tls"}`:   1,
		`sum by (pop) (probe_success)`: 1,
		`probe_success * on (site, owner) probe_duration_seconds`:      1,
		`label_replace(up, "entry", "x", "job", "") * on (entry) up`:   0,
		`esawatch_check_failures_total{condition="522",outcome="bad"}`: 1,
	} {
		tree, err := p.ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.problems(tree); len(got) != want {
			t.Errorf("%s: %d problems, want %d: %v", expr, len(got), want, got)
		}
	}
}
