package incident

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/exposition"
)

// scrape is what Prometheus would read of a keeper.
func scrape(t testing.TB, k *Keeper) string {
	t.Helper()
	var b strings.Builder
	w := exposition.NewWriter(&b, exposition.Text)
	k.WriteMetrics(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// seriesOf are the lines of one metric.
func seriesOf(t testing.TB, k *Keeper, name string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(scrape(t, k)) {
		if strings.HasPrefix(line, name+"{") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func TestMetrics(t *testing.T) {
	k := start(t, memstore.New(), Options{Location: "fra"}, policies(Policy{Failures: 2}, "shop/a", "shop/b", "blog/a"))
	problems, err := promlint.New(strings.NewReader(scrape(t, k))).Lint()
	if err != nil || len(problems) != 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	open := func(want ...string) {
		t.Helper()
		if got := seriesOf(t, k, "esawatch_incident_open"); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const (
		blogWell = `esawatch_incident_open{site="blog",condition="",fault="",severity=""} 0`
		shopWell = `esawatch_incident_open{site="shop",condition="",fault="",severity=""} 0`
	)
	open(blogWell, shopWell)

	fail := func(check, condition string, fault catalog.Fault, seconds int) {
		r := result(check, condition, at(seconds))
		r.Diagnosis.Fault = fault
		observe(t, k, r)
	}
	fail("a", "522", catalog.FaultOriginLink, 0)
	fail("a", "522", catalog.FaultOriginLink, 1)
	fail("b", "522", catalog.FaultOriginLink, 1)
	var states []string
	for _, check := range []struct{ site, check, state string }{{"blog", "a", "ok"}, {"shop", "a", "firing"}, {"shop", "b", "pending"}} {
		for _, s := range []string{"ok", "pending", "firing", "flapping", "suppressed"} {
			value := 0
			if s == check.state {
				value = 1
			}
			states = append(states, fmt.Sprintf(`esawatch_check_state{site="%s",check="%s",location="fra",state="%s"} %d`, check.site, check.check, s, value))
		}
	}
	if got := seriesOf(t, k, "esawatch_check_state"); !slices.Equal(got, states) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(states, "\n"))
	}

	const shop522 = `esawatch_incident_open{site="shop",condition="522",fault="origin_link",severity="critical"} 1`
	fail("b", "522", catalog.FaultOriginLink, 2) // the same condition is one series
	open(blogWell, shop522)
	fail("b", "525", "\xff\n\"", 3) // whatever it was read from
	open(blogWell, shop522, `esawatch_incident_open{site="shop",condition="525",fault="�\n\"",severity="critical"} 1`)

	if err := k.SetPolicies(t.Context(), policies(Policy{}, "blog/a"), timings); err != nil {
		t.Fatal(err)
	}
	open(blogWell)
	if n := len(seriesOf(t, k, "esawatch_check_state")); n != 5 {
		t.Errorf("%d series of states after a reload, want those of the one check that is left", n)
	}
}

func BenchmarkWriteMetrics(b *testing.B) {
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("site-%d/page-%d", i/10, i))
	}
	k := start(b, memstore.New(), Options{Location: "fra"}, policies(Policy{}, names...))
	b.ReportAllocs()
	for b.Loop() {
		w := exposition.NewWriter(io.Discard, exposition.Text)
		k.WriteMetrics(w)
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMutedIsNotOpen: what somebody has silenced wakes nobody by the metrics
// either, while another check of the site fires.
func TestMutedIsNotOpen(t *testing.T) {
	k := start(t, memstore.New(), Options{}, policies(Policy{}, "shop/a", "shop/b"))
	observe(t, k, result("a", "522", time.Now()))
	observe(t, k, result("b", "525", time.Now()))
	if got := seriesOf(t, k, "esawatch_incident_open"); len(got) != 2 {
		t.Fatalf("got %v, want two conditions", got)
	}
	_, err := k.Silences().Add(t.Context(), Silence{Matchers: mute(t, "check=a").Matchers, Until: time.Now().Add(time.Hour), Author: "ana", Comment: "patching"})
	if err != nil {
		t.Fatal(err)
	}
	observe(t, k, result("a", "522", time.Now()))
	if got := seriesOf(t, k, "esawatch_incident_open"); len(got) != 1 || !strings.Contains(got[0], `condition="525"`) {
		t.Errorf("got %v, want the condition that nobody has silenced", got)
	}
}

// TestSeverityOfThePresentCondition: an outage that has become a warning is labelled
// as one, while its incident, and who is told or has silenced it, go by the highest.
func TestSeverityOfThePresentCondition(t *testing.T) {
	k := start(t, memstore.New(), Options{}, policies(Policy{}, "shop/a"))
	for _, condition := range []string{"slow", "522", "slow"} {
		observe(t, k, result("a", condition, time.Now()))
	}
	if got := seriesOf(t, k, "esawatch_incident_open"); len(got) != 1 || !strings.Contains(got[0], `condition="slow"`) || !strings.Contains(got[0], `severity="warning"`) {
		t.Errorf("got %v, want a warning", got)
	}
	rec, _ := k.Record("shop")
	if inc, ok := rec.OpenIncident(); !ok || inc.Severity != catalog.Critical {
		t.Errorf("got %+v, want an incident that is critical", inc)
	}
}
