package incident

import (
	"cmp"
	"maps"
	"slices"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/exposition"
)

// metricStates are the values of the label state, of which exactly one is 1.
var metricStates = []State{OK, Pending, Firing, flapping, suppressed}

// The states that only metrics show: what a check is in stands above them in
// the record.
const (
	flapping   State = "flapping"
	suppressed State = "suppressed" // it fires, and a mute covers it
)

// shown is the state of a check as the metrics have it.
func (rec *Record) shown(check string) State {
	inc, _ := rec.open()
	switch a := inc.Alerts[check]; {
	case a.Firing && a.Hush == HushMuted:
		return suppressed
	case rec.Memory[check].Flapping:
		return flapping
	}
	return cmp.Or(rec.Checks[check].State, OK)
}

// The metrics of a keeper.
var (
	stateFamily = exposition.Family{Name: "esawatch_check_state", Kind: exposition.Gauge, Labels: []string{"state"},
		Help: "Whether the check is in the state: 1 for the one that it is in, 0 for the others."}
	viewFamily = exposition.Family{Name: "esawatch_check_locations", Kind: exposition.Gauge, Labels: []string{"view"},
		Help: "Locations that see the check fail, and those that have a vote on it; only where several agents judge together."}
	openFamily = exposition.Family{Name: "esawatch_incident_open", Kind: exposition.Gauge, Labels: []string{"condition", "fault", "severity"},
		Help: "Whether the site has an open incident: 1 for each condition that fires in it and is not muted, and a single 0 without condition when there is none."}
)

// shownCheck and shownSite are what is written of a check and a site.
type (
	shownCheck struct {
		base            exposition.Base
		state           State
		failing, voting int // locations; voting is 0 where there is one
	}
	shownSite struct {
		base   exposition.Base
		firing []cause
	}
)

// WriteMetrics writes the keeper's metrics from its snapshots. It holds no
// series of its own: those of a check begin and end with its policy.
func (k *Keeper) WriteMetrics(w *exposition.Writer) { WriteMetrics(w, k) }

// WriteMetrics writes the metrics of several keepers, each of which shows what is
// its own to show.
func WriteMetrics(w *exposition.Writer, keepers ...*Keeper) {
	if !w.Wants(&stateFamily) && !w.Wants(&viewFamily) && !w.Wants(&openFamily) {
		return
	}
	var (
		states []shownCheck
		sites  []shownSite
	)
	for _, k := range keepers {
		states, sites = k.collect(w, states, sites)
	}
	writeStates(w, states)
	writeViews(w, states)
	writeOpen(w, sites)
}

// collect adds what the keeper has to show.
func (k *Keeper) collect(w *exposition.Writer, states []shownCheck, sites []shownSite) ([]shownCheck, []shownSite) {
	policies := k.config.Load().policies
	for _, site := range slices.Sorted(maps.Keys(policies)) {
		rec, _ := k.Record(site)
		mine := false
		for _, check := range slices.Sorted(maps.Keys(policies[site])) {
			if k.opts.Mine != nil && !k.opts.Mine(site, check) {
				continue
			}
			mine = true
			c := shownCheck{base: w.Base("site", site, "check", check, "location", k.opts.Location), state: rec.shown(check)}
			if k.opts.Panel != nil {
				c.failing, c.voting = k.votes(&rec, site, check)
			}
			states = append(states, c)
		}
		if mine {
			sites = append(sites, shownSite{w.Base("site", site), rec.firing()})
		}
	}
	return states, sites
}

func writeStates(w *exposition.Writer, states []shownCheck) {
	w.Family(&stateFamily, func() {
		for _, c := range states {
			for _, state := range metricStates {
				value := 0.0
				if state == c.state {
					value = 1
				}
				w.Sample(c.base, value, string(state))
			}
		}
	})
}

// writeViews writes how many locations see a check fail, of those that vote.
func writeViews(w *exposition.Writer, states []shownCheck) {
	if !slices.ContainsFunc(states, func(c shownCheck) bool { return c.voting > 0 }) {
		return
	}
	w.Family(&viewFamily, func() {
		for _, c := range states {
			if c.voting > 0 {
				w.Sample(c.base, float64(c.failing), "failing")
				w.Sample(c.base, float64(c.voting), "voting")
			}
		}
	})
}

func writeOpen(w *exposition.Writer, sites []shownSite) {
	w.Family(&openFamily, func() {
		for _, s := range sites {
			for _, f := range s.firing {
				w.Sample(s.base, 1, string(f.condition), string(f.fault), string(f.severity))
			}
			if len(s.firing) == 0 {
				w.Sample(s.base, 0, "", "", "")
			}
		}
	})
}

// cause is what an alert fires for.
type cause struct {
	condition catalog.Condition
	fault     catalog.Fault
	severity  catalog.Severity
}

// firing returns the distinct causes of the open incident that nothing mutes: who
// alerts from the metrics must not be woken by what somebody has silenced.
func (rec *Record) firing() []cause {
	inc, _ := rec.open()
	if len(inc.Alerts) == 0 {
		return nil
	}
	causes := make(map[cause]struct{})
	for _, a := range inc.Alerts {
		if !a.Firing || a.Hush == HushMuted {
			continue
		}
		f := cause{condition: a.Result.Condition(), severity: a.Loudness()}
		if a.Result.Diagnosis != nil {
			f.fault = a.Result.Diagnosis.Fault
		}
		causes[f] = struct{}{}
	}
	return slices.SortedFunc(maps.Keys(causes), func(a, b cause) int {
		return cmp.Or(cmp.Compare(a.condition, b.condition), cmp.Compare(a.fault, b.fault), cmp.Compare(a.severity, b.severity))
	})
}
