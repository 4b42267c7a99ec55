package dashboards

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// TestEveryQueryHasData runs every query of every dashboard on a Prometheus that
// scrapes two agents, whose sites fail in every way; once with classic
// histograms, and once with native ones and of agents that judge together. There
// is no list of exceptions: a panel without data there would have none when it is
// needed. Of agents that do not judge together, only what asks for nothing but
// that has none.
func TestEveryQueryHasData(t *testing.T) {
	for _, native := range []bool{false, true} {
		t.Run(fmt.Sprintf("native=%v", native), func(t *testing.T) {
			t.Parallel()
			s := stack.Start(t, stack.Options{Locations: []string{"fra-1", "sin-1"}, NativeHistograms: native, Together: native})
			if native {
				s.Until(t, `sum(esawatch_cluster_connected) == 2 and min(esawatch_check_locations{view="voting"}) == 2`, 30*time.Second, nil)
			}
			untilBroken(t, s)
			for _, b := range boards(t) {
				values := b.chosen(t, s)
				if native {
					shownOnce(t, s, b, values)
				}
				for _, p := range b.shown() {
					for _, q := range p.Targets {
						where := fmt.Sprintf("%s: %s %s", b.file, p.Title, q.RefID)
						expr, _ := fill(q.Expr, values)
						if !native && onlyTogether(t, expr) {
							continue
						}
						checkSeries(t, where, q, p, ask(t, s, where, expr, q.Instant))
					}
				}
				for _, a := range b.events() {
					where := b.file + ": annotation " + a.Name
					expr, _ := fill(a.Expr, values)
					for _, labels := range ask(t, s, where, expr, false) {
						checkLegend(t, where, a.TitleFormat+a.TextFormat, labels)
					}
				}
			}
		})
	}
}

// shownOnce demands that what both agents show is one incident, and one row.
func shownOnce(t *testing.T, s *stack.Stack, b board, values map[string]string) {
	t.Helper()
	for _, p := range b.shown() {
		expr, _ := fill(p.Targets[0].Expr, values)
		switch p.Title {
		case "Open incidents":
			open := float64(s.Query(t, `count(max by (site) (esawatch_incident_open) == 1)`)[0].Value)
			s.Until(t, expr, 10*time.Second, stack.Is(open))
		case "What is broken, and what to do":
			for _, row := range s.Query(t, "count by (site, condition, fault, severity) ("+expr+") > 1") {
				t.Errorf("%s: %s has %v rows of %v", b.file, p.Title, row.Value, row.Metric)
			}
		}
	}
}

// onlyTogether tells whether an expression is of nothing but metrics that agents
// have which judge together.
func onlyTogether(t *testing.T, expr string) bool {
	t.Helper()
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatal(err)
	}
	only := true
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok && !strings.HasPrefix(v.Name, "esawatch_cluster_") && v.Name != "esawatch_check_locations" {
			only = false
		}
		return nil
	})
	return only
}

// untilBroken waits until what the dashboards tell of has come about: incidents
// are open at both agents, and receivers were told, or were not.
func untilBroken(t *testing.T, s *stack.Stack) {
	t.Helper()
	s.Until(t, `count(count by (site) (esawatch_incident_open == 1)) >= 6 and count(count by (instance) (esawatch_incident_open == 1)) == 2`, 30*time.Second, nil)
	s.Until(t, `sum(esawatch_notifications_total{outcome="sent"}) > 0 and sum(esawatch_notifications_total{outcome="dropped"}) > 0`, 30*time.Second, nil)
	s.Until(t, `min(count_over_time(up[20s])) > 6`, 30*time.Second, nil)
	// What happened before the first scrape is no increase, so let more happen.
	s.Site(stack.Healthy).Set(stack.Status(503))
	for _, a := range s.Agents {
		s.Reload(t, a)
	}
	s.Until(t, `count(changes(esawatch_config_last_reload_success_timestamp_seconds[1m]) > 0) == 2`, 30*time.Second, nil)
	s.Until(t, `sum(increase(esawatch_notifications_total{outcome="sent"}[10s])) > 0`, 30*time.Second, nil)
	s.Until(t, `count(esawatch_check_edge_info{pop!=""}) > 0`, 30*time.Second, nil)
}

// chosen are the values that Grafana gives the variables when every choice is
// "All", or all values where there is no such choice.
func (b *board) chosen(t *testing.T, s *stack.Stack) map[string]string {
	t.Helper()
	values := b.anything()
	for _, v := range b.Templating.List {
		if v.Type != "query" {
			continue
		}
		selector, label := v.label()
		selector, unknown := fill(selector, values)
		if len(unknown) > 0 {
			t.Fatalf("%s: the variable %s comes before %v", b.file, v.Name, unknown)
		}
		var found []string
		for _, sample := range s.Query(t, fmt.Sprintf("count by (%s) (%s)", label, selector)) {
			// Grafana too escapes it twice: for the expression and for the string around it.
			value := regexp.QuoteMeta(string(sample.Metric[model.LabelName(label)]))
			found = append(found, strings.ReplaceAll(value, `\`, `\\`))
		}
		if len(found) == 0 || slices.Contains(found, "") {
			t.Errorf("%s: the variable %s can be %q", b.file, v.Name, found)
		}
		values[v.Name] = strings.Join(found, "|")
		if v.AllValue != "" {
			values[v.Name] = v.AllValue
		}
	}
	return values
}

// ask returns the labels of each series of the answer. A scrape that failed
// leaves a gap, in which an instant query has nothing, so it asks again for a
// while. Then it complains of a query that has no data, or none that is a number.
func ask(t *testing.T, s *stack.Stack, where, expr string, instant bool) []model.Metric {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		list, numbers := answer(t, s, expr, instant)
		if numbers > 0 {
			return list
		}
		if time.Now().After(end) {
			t.Errorf("%s: has no data: %d series without a number\n%s", where, len(list), expr)
			return list
		}
	}
}

// answer evaluates an expression once; numbers is how many points of the answer
// are numbers.
func answer(t *testing.T, s *stack.Stack, expr string, instant bool) (list []model.Metric, numbers int) {
	t.Helper()
	count := func(v float64) {
		if !math.IsNaN(v) {
			numbers++
		}
	}
	if instant {
		for _, sample := range s.Query(t, expr) {
			list = append(list, sample.Metric)
			count(float64(sample.Value))
		}
		return list, numbers
	}
	for _, stream := range s.QueryRange(t, expr, 15*time.Second) {
		list = append(list, stream.Metric)
		for _, pair := range stream.Values {
			count(float64(pair.Value))
		}
		for _, pair := range stream.Histograms {
			count(float64(pair.Histogram.Count))
		}
	}
	return list, numbers
}

// checkSeries holds what is shown of the series to the labels that they have.
func checkSeries(t *testing.T, where string, q target, p panel, series []model.Metric) {
	t.Helper()
	if p.Type == "table" {
		checkColumns(t, where, q, p, series)
		return
	}
	legends := map[string]bool{}
	for _, labels := range series {
		legend := checkLegend(t, where, q.LegendFormat, labels)
		if legends[legend] && p.Type != "heatmap" {
			t.Errorf("%s: two series are called %q", where, legend)
		}
		legends[legend] = true
	}
}

var legendLabel = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*\}\}`)

// checkLegend renders a legend. A native histogram has no "le".
func checkLegend(t *testing.T, where, format string, labels model.Metric) string {
	t.Helper()
	return legendLabel.ReplaceAllStringFunc(format, func(ref string) string {
		name := model.LabelName(legendLabel.FindStringSubmatch(ref)[1])
		value, ok := labels[name]
		if !ok && name != "le" {
			t.Errorf("%s: the legend %q names a label that %v has not", where, format, labels)
		}
		return string(value)
	})
}

// checkColumns demands that a table names each label of its series: either it
// has a place and a heading, or it is hidden.
func checkColumns(t *testing.T, where string, q target, p panel, series []model.Metric) {
	t.Helper()
	options := p.Transformations[len(p.Transformations)-1].Options
	value := "Value"
	if len(p.Targets) > 1 {
		value = "Value #" + q.RefID
	}
	for _, labels := range series {
		names := []string{"Time", value}
		for name := range labels {
			names = append(names, string(name))
		}
		for _, name := range names {
			if _, placed := options.IndexByName[name]; !placed && !options.ExcludeByName[name] {
				t.Errorf("%s: the column %q of the table was not thought of", where, name)
			}
		}
		if len(p.Targets) == 1 {
			for name := range options.IndexByName {
				if !slices.Contains(names, name) {
					t.Errorf("%s: the table has a column %q, and the series none: %v", where, name, labels)
				}
			}
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		heading := false
		for name := range options.IndexByName {
			heading = heading || o.Matcher.Options == name || o.Matcher.Options == options.RenameByName[name]
		}
		if !heading {
			t.Errorf("%s: an override is for the column %q, which there is not", where, o.Matcher.Options)
		}
	}
}
