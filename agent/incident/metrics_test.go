package incident

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks/catalog"
)

func TestMetrics(t *testing.T) {
	k := start(t, memstore.New(), Options{Location: "fra"}, policies(Policy{Failures: 2}, "shop/a", "shop/b", "blog/a"))
	c := NewCollector(k)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) != 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	want := func(text string) {
		t.Helper()
		if err := testutil.CollectAndCompare(c, strings.NewReader(text), "esawatch_incident_open"); err != nil {
			t.Error(err)
		}
	}
	const head = `
# HELP esawatch_incident_open Whether the site has an open incident: 1 for each condition that fires in it, and a single 0 without condition when there is none.
# TYPE esawatch_incident_open gauge
`
	want(head + `
esawatch_incident_open{condition="",fault="",severity="",site="blog"} 0
esawatch_incident_open{condition="",fault="",severity="",site="shop"} 0
`)
	if n := testutil.CollectAndCount(c, "esawatch_check_state"); n != 3*5 {
		t.Errorf("%d series of states, want 5 for each of 3 checks", n)
	}

	fail := func(check string, seconds int) {
		r := result(check, "522", at(seconds))
		r.Diagnosis.Fault = catalog.FaultOriginLink
		observe(t, k, r)
	}
	fail("a", 0)
	fail("a", 1)
	fail("b", 1)
	state := `
# HELP esawatch_check_state Whether the check is in the state: 1 for the one that it is in, 0 for the others.
# TYPE esawatch_check_state gauge
`
	for _, check := range []struct{ site, check, state string }{{"blog", "a", "ok"}, {"shop", "a", "firing"}, {"shop", "b", "pending"}} {
		for _, s := range metricStates {
			value := "0"
			if string(s) == check.state {
				value = "1"
			}
			state += `esawatch_check_state{check="` + check.check + `",location="fra",site="` + check.site + `",state="` + string(s) + `"} ` + value + "\n"
		}
	}
	if err := testutil.CollectAndCompare(c, strings.NewReader(state), "esawatch_check_state"); err != nil {
		t.Error(err)
	}
	fail("b", 2) // the same condition is one series
	want(head + `
esawatch_incident_open{condition="",fault="",severity="",site="blog"} 0
esawatch_incident_open{condition="522",fault="origin_link",severity="critical",site="shop"} 1
`)

	if err := k.SetPolicies(t.Context(), policies(Policy{}, "blog/a"), timings); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(c); n != 5+1 {
		t.Errorf("%d series after a reload, want those of the one check that is left", n)
	}
}
