package agent

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/web"
	"github.com/esawatch/esawatch/checks"
)

// view is what the pages show of a team's records: the shared ones, and beside
// them what this agent saw by itself.
type view struct{ team *team }

var (
	_ web.Incidents = view{}
	_ web.Cluster   = view{}
)

// Records implements web.Incidents.
func (v view) Records() []incident.Record {
	t := v.team
	all := t.shared.Records()
	at := make(map[string]int, len(all))
	for i := range all {
		at[all[i].Site] = i
	}
	for _, own := range t.own.Records() {
		if i, ok := at[own.Site]; ok {
			all[i] = t.joined(all[i], own)
		} else if len(own.Incidents) > 0 || !t.together() {
			all = append(all, own)
		}
	}
	return all
}

// Record implements web.Incidents.
func (v view) Record(site string) (incident.Record, bool) {
	shared, known := v.team.shared.Record(site)
	own, seen := v.team.own.Record(site)
	switch {
	case !seen:
		return shared, known
	case !known:
		return own, true
	}
	return v.team.joined(shared, own), true
}

// joined is one record of two. While the agent is cut off its own states are the
// newer ones; of the incidents the open one comes last.
func (t *team) joined(shared, own incident.Record) incident.Record {
	if !t.together() {
		shared.Checks = own.Checks
	}
	_, open := shared.OpenIncident()
	incidents := make([]incident.Incident, 0, len(shared.Incidents)+len(own.Incidents))
	if open {
		incidents = append(append(incidents, own.Incidents...), shared.Incidents...)
	} else {
		incidents = append(append(incidents, shared.Incidents...), own.Incidents...)
	}
	shared.Incidents = incidents
	return shared
}

// History implements web.Incidents. While the shared one cannot be read, it is
// the agent's own.
func (v view) History(ctx context.Context, site string) ([]incident.Past, error) {
	if !v.team.together() {
		return v.team.own.History(ctx, site)
	}
	return v.team.shared.History(ctx, site)
}

// Recall implements web.Incidents.
func (v view) Recall(ctx context.Context, p incident.Past) (incident.Incident, bool, error) {
	if !v.team.together() {
		return v.team.own.Recall(ctx, p)
	}
	return v.team.shared.Recall(ctx, p)
}

// Incident implements web.Incidents.
func (v view) Incident(ctx context.Context, id string) (incident.Incident, bool, error) {
	if v.team.together() {
		if inc, ok, err := v.team.shared.Incident(ctx, id); ok || err != nil {
			return inc, ok, err
		}
	}
	for _, rec := range v.Records() {
		for _, inc := range rec.Incidents {
			if inc.ID == id {
				return inc, true, nil
			}
		}
	}
	return v.team.own.Incident(ctx, id)
}

// Silences implements web.Incidents.
func (v view) Silences() *incident.Silences { return v.team.shared.Silences() }

// Windows implements web.Incidents.
func (v view) Windows() []incident.Window { return v.team.shared.Windows() }

// Standing implements web.Cluster.
func (v view) Standing() web.Standing {
	m := v.team.mode.Load()
	s := web.Standing{Together: m.together, Alone: m.alone, Since: m.since, After: time.Duration(v.team.aloneAfter.Load())}
	if m.why != nil {
		s.Why = m.why.Error()
	}
	return s
}

// Members implements web.Cluster.
func (v view) Members() []web.Member {
	var all []web.Member
	for _, p := range v.team.member.Peers() {
		all = append(all, web.Member{ID: p.ID, Location: p.Location, Region: p.Region, Version: p.Version, URL: p.URL,
			Self: p.Self, Offline: p.Offline, Live: p.Live, Seen: p.LastSeen})
	}
	return all
}

// Runs implements web.Cluster.
func (v view) Runs(site, check string) bool { return v.team.runs(checks.FullName(site, check)) }

// Runner implements web.Cluster.
func (v view) Runner(site, check string) (web.Member, bool) {
	id := v.team.member.Owner(*v.team.neighbours.Load(), checks.FullName(site, check))
	for _, m := range v.Members() {
		if m.ID == id {
			return m, true
		}
	}
	return web.Member{}, false
}

// Voting implements web.Cluster.
func (v view) Voting(site, check string) (locations []string, quorum int) {
	return v.team.shared.Voting(site, check)
}

// Version implements web.Cluster.
func (v view) Version() uint64 {
	m := v.team.mode.Load()
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, v.team.shared.Changes(), m.together, m.alone, m.since.UnixNano()) // a hash takes everything
	for _, p := range v.team.member.Peers() {
		_, _ = fmt.Fprint(h, p.ID, p.URL, p.Live, p.Offline)
	}
	return h.Sum64()
}
