package outbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

// shared is what the incidents of a digest that go on have in common, or all of
// them once none does: whatever every failed check of them shows.
func (w writer) shared(members []member) string {
	results := failed(members)
	if len(results) == 0 {
		return ""
	}
	p := &w.phrases
	var parts []string
	for _, trait := range []func(*checks.Result, *catalog.Diagnosis) string{
		func(_ *checks.Result, d *catalog.Diagnosis) string {
			return notify.Group{Condition: string(d.Condition), Title: d.Title}.Label()
		},
		func(_ *checks.Result, d *catalog.Diagnosis) string { return w.words.Fault(string(d.Fault)) },
		func(_ *checks.Result, d *catalog.Diagnosis) string { return d.Owner },
		func(r *checks.Result, _ *catalog.Diagnosis) string {
			if !edgeMade(r) {
				return ""
			}
			return p.edgeAnswer
		},
		func(r *checks.Result, _ *catalog.Diagnosis) string { return formatted(p.atPOP, r.Edge.POP) },
		func(r *checks.Result, _ *catalog.Diagnosis) string { return formatted(p.seenFrom, r.Location) },
	} {
		of := func(r checks.Result) string { return trait(&r, cmp.Or(r.Diagnosis, &catalog.Diagnosis{})) }
		first := of(results[0])
		if first != "" && !slices.ContainsFunc(results, func(r checks.Result) bool { return of(r) != first }) {
			parts = append(parts, first)
		}
	}
	return strings.Join(parts, p.semicolon)
}

// failed is the results of the alerts that fire, or of all once none does.
func failed(members []member) []checks.Result {
	anyOpen := slices.ContainsFunc(members, func(m member) bool { return m.inc.Open() })
	var results []checks.Result
	for _, m := range members {
		for _, a := range m.inc.Alerts {
			if a.Firing || !anyOpen {
				results = append(results, a.Result)
			}
		}
	}
	return results
}

func formatted(format, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf(format, value)
}

// edgeMade tells whether ESA made the answer by itself: it says so, or the
// status is one that only ESA gives.
func edgeMade(r *checks.Result) bool {
	return r.Edge.ErrorToken != "" || r.StatusCode >= 520 && r.StatusCode <= 599 && r.Edge.ViaESA == "yes"
}
