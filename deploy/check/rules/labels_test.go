package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// set is a set of label names.
type set map[string]bool

func setOf(names ...string) set {
	s := set{}
	for _, n := range names {
		s[n] = true
	}
	return s
}

func (s set) with(names ...string) set {
	out := setOf(names...)
	for n := range s {
		out[n] = true
	}
	return out
}

func (s set) without(names ...string) set {
	out := set{}
	for n := range s {
		if !slices.Contains(names, n) {
			out[n] = true
		}
	}
	return out
}

// metrics are those that an expression may name, with their labels.
type metrics map[string]set

// exported are the metrics of the agent. The list is the one that the program's
// own tests hold it to, so that it cannot grow stale.
func exported(t *testing.T) metrics {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stack.Root(t), "cmd", "esawatch", "testdata", "metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	// Those of agents that judge together, which a single one does not have.
	known := metrics{
		"up":                         setOf("job", "instance"),
		"esawatch_cluster_connected": setOf("job", "instance"),
		"esawatch_cluster_alone":     setOf("job", "instance"),
		"esawatch_cluster_members":   setOf("job", "instance", "location"),
		"esawatch_check_locations":   setOf("job", "instance", "location", "site", "check", "view"),
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)\{([a-z_,]*)\} (\w+)$`).FindAllStringSubmatch(string(text), -1) {
		own := setOf(strings.Split(m[2], ",")...).without("").with("job", "instance")
		known[m[1]] = own
		if m[3] == "histogram" {
			known[m[1]+"_bucket"], known[m[1]+"_sum"], known[m[1]+"_count"] = own.with("le"), own, own
		}
	}
	return known
}

// labelsOf tells which labels the result of an expression can have. It reports
// metrics that are not known, and labels that cannot be where they are used.
func (known metrics) labelsOf(expr parser.Expr) (set, error) {
	switch e := expr.(type) {
	case *parser.NumberLiteral, *parser.StringLiteral:
		return set{}, nil
	case *parser.ParenExpr:
		return known.labelsOf(e.Expr)
	case *parser.UnaryExpr:
		return known.labelsOf(e.Expr)
	case *parser.MatrixSelector:
		return known.labelsOf(e.VectorSelector)
	case *parser.SubqueryExpr:
		return known.labelsOf(e.Expr)
	case *parser.VectorSelector:
		return known.selector(e)
	case *parser.AggregateExpr:
		inner, err := known.labelsOf(e.Expr)
		if err != nil {
			return nil, err
		}
		if e.Op == parser.TOPK || e.Op == parser.BOTTOMK { // some of what there is, as it is
			return inner, within("by", e.Grouping, inner)
		}
		if e.Without {
			return inner.without(e.Grouping...), nil
		}
		return setOf(e.Grouping...), within("by", e.Grouping, inner)
	case *parser.BinaryExpr:
		return known.binary(e)
	case *parser.Call:
		return known.call(e)
	}
	return nil, fmt.Errorf("no case for a %T: %s", expr, expr)
}

func (known metrics) selector(e *parser.VectorSelector) (set, error) {
	own, ok := known[e.Name]
	if !ok {
		return nil, fmt.Errorf("no metric %q", e.Name)
	}
	for _, m := range e.LabelMatchers {
		if m.Name != model.MetricNameLabel && !own[m.Name] {
			return nil, fmt.Errorf("%s has no label %q", e.Name, m.Name)
		}
	}
	return own, nil
}

func (known metrics) binary(e *parser.BinaryExpr) (set, error) {
	left, err := known.labelsOf(e.LHS)
	if err != nil {
		return nil, err
	}
	right, err := known.labelsOf(e.RHS)
	if err != nil {
		return nil, err
	}
	match := e.VectorMatching
	switch {
	case match == nil: // one of the two is a scalar
		return left.with(keys(right)...), nil
	case match.On:
		if err := within("on", match.MatchingLabels, left); err != nil {
			return nil, err
		}
		if err := within("on", match.MatchingLabels, right); err != nil {
			return nil, err
		}
		if err := within("group_left", match.Include, right); err != nil {
			return nil, err
		}
	case e.Op != parser.LOR && len(match.MatchingLabels) == 0 && !slices.Equal(keys(left), keys(right)):
		return nil, fmt.Errorf("%s: the sides have labels %v and %v, so nothing matches", e, keys(left), keys(right))
	}
	switch {
	case e.Op == parser.LOR:
		return left.with(keys(right)...), nil
	case match.Card == parser.CardOneToOne && match.On:
		return setOf(match.MatchingLabels...), nil
	}
	return left.with(match.Include...), nil
}

func (known metrics) call(e *parser.Call) (set, error) {
	out := set{}
	for _, arg := range e.Args {
		s, err := known.labelsOf(arg)
		if err != nil {
			return nil, err
		}
		out = out.with(keys(s)...)
	}
	switch e.Func.Name {
	case "histogram_quantile":
		return out.without("le"), nil
	case "absent":
		return set{}, nil
	case "label_replace":
		text := func(i int) string { return e.Args[i].(*parser.StringLiteral).Val }
		if from := text(3); !out[from] && text(1) != "class" {
			return nil, fmt.Errorf("%s: no label %q to take from", e, from)
		}
		if text(2) == "" { // an empty label is none
			return out.without(text(1)), nil
		}
		return out.with(text(1)), nil
	}
	return out, nil
}

func within(what string, names []string, s set) error {
	for _, n := range names {
		if !s[n] {
			return fmt.Errorf("%s (%s): there is no such label among %v", what, n, keys(s))
		}
	}
	return nil
}

func keys(s set) []string {
	var names []string
	for n := range s {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// TestExpressions demands that what a rule asks for is what the agent exports
// or a rule before it records, and that its texts name labels that are there.
func TestExpressions(t *testing.T) {
	t.Parallel()
	p := parser.NewParser(parser.Options{})
	known := exported(t)
	for _, r := range loadRules(t) {
		expr, err := p.ParseExpr(r.Expr)
		if err != nil {
			t.Fatalf("%s%s: %v", r.Record, r.Alert, err)
		}
		have, err := known.labelsOf(expr)
		if err != nil {
			t.Errorf("%s%s: %v", r.Record, r.Alert, err)
			continue
		}
		if r.Record != "" {
			known[r.Record] = have.with(keysOf(r.Labels)...)
			continue
		}
		for name, text := range r.Annotations {
			for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
				if !have[m[1]] {
					t.Errorf("%s: its annotation %s names the label %q, and it has %v", r.Alert, name, m[1], keys(have))
				}
			}
		}
	}
}

func keysOf(m map[string]string) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	return names
}

// TestLabelsOf holds the check itself to what it has to find.
func TestLabelsOf(t *testing.T) {
	t.Parallel()
	p := parser.NewParser(parser.Options{})
	known := exported(t)
	for expr, want := range map[string]string{
		`probe_sucess == 0`:                 "no metric",
		`probe_success{receiver="x"}`:       "no label",
		`sum by (receiver) (probe_success)`: "no such label",
		`probe_success * on (instance) group_left (title) esawatch_agent_online`:        "no such label",
		`probe_success * on (site) esawatch_agent_online`:                               "no such label",
		`esawatch_agent_online and esawatch_notification_queue_length`:                  "nothing matches",
		`rate(esawatch_agent_online[5m]) + on (job) sum by (site) (probe_success)`:      "no such label",
		`label_replace(esawatch_agent_online, "a", "$1", "site", "(.*)")`:               "no label",
		`topk by (site) (1, probe_success) * on (check) esawatch_check_state`:           "",
		`topk by (receiver) (1, probe_success)`:                                         "no such label",
		`histogram_quantile(0.9, rate(esawatch_schedule_delay_seconds_bucket[5m]))`:     "",
		`probe_success unless on (job, instance) esawatch_agent_online == 0`:            "",
		`max_over_time(sum by (site) (probe_success)[1h:1m]) > on (site) probe_success`: "",
	} {
		tree, err := p.ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = known.labelsOf(tree)
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}
