package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// An agent that cannot ask the others judges by itself, in a record of its own.
// What it has told then is one story with what the others tell: when it is back,
// its open incident becomes the shared one, or, if they have one already, ends as
// a part of that. Nobody is told twice of the same.

// Blind is the record of an agent on its own that knows of an open incident that
// all agents share: what fires in it is not news, until the agent itself has seen
// it recover.
func Blind(rec Record, site string, shared *Incident, location string) (Record, bool) {
	states := maps.Clone(rec.Checks)
	if states == nil {
		states = make(map[string]CheckState)
	}
	changed := false
	for check, a := range shared.Alerts {
		if _, known := states[check]; known || !a.Firing || a.Untold {
			continue
		}
		changed = true
		states[check] = CheckState{State: Firing, Locations: map[string]Streak{location: {
			Failures: 1, Failing: true, Since: a.Since, Last: a.Since, Conditions: a.Conditions,
		}}}
	}
	if !changed {
		return rec, false
	}
	rec.Version, rec.Site, rec.Checks = RecordVersion, site, states
	return rec, true
}

// ToldToAny tells whether any receiver was told of the incident, or may have been.
func (i *Incident) ToldToAny() bool { return !i.untold() }

// Sent tells whether an attempt to tell somebody of the incident is under way.
func (i *Incident) Sent() bool {
	for _, d := range i.Deliveries {
		if d.Sending > 0 {
			return true
		}
	}
	return false
}

// Adopt takes the open incident of an agent that was on its own into the record
// that all share, with what was told of it. It does nothing, and the bool is
// false, if that has an open incident, or had this one already.
func Adopt(rec, alone Record, location string, at time.Time) (Record, bool) {
	inc, ok := alone.open()
	if _, taken := rec.open(); !ok || taken || slices.ContainsFunc(rec.Incidents, func(i Incident) bool { return i.ID == inc.ID }) {
		return rec, false
	}
	states := maps.Clone(rec.Checks)
	if states == nil {
		states = make(map[string]CheckState)
	}
	for check, a := range inc.Alerts {
		if !a.Firing {
			continue
		}
		if len(a.Spread) == 0 {
			a.Spread = []string{location}
			inc = inc.withAlert(a)
		}
		state := states[check]
		state.State = Firing
		state.Locations = maps.Clone(state.Locations)
		if state.Locations == nil {
			state.Locations = make(map[string]Streak, 1)
		}
		if s, ok := alone.Checks[check].Locations[location]; ok {
			s.Kept = s.Last
			state.Locations[location] = s
		}
		states[check] = state
	}
	rec.Version, rec.Site, rec.Checks = RecordVersion, cmp.Or(rec.Site, inc.Site), states
	inc = inc.with(Event{At: at.UTC().Round(0), Kind: EventShared, Quiet: true, Location: location})
	return rec.withIncident(inc), true
}

// Forget is the record of an agent that is no longer on its own: nothing of what
// it saw meanwhile counts. An incident that somebody was told of and that the
// record of all has ends without a word, one that goes on as part of into is
// told as over; "" when there is none. One that nobody was told of never was.
func Forget(rec Record, adopted bool, into string, at time.Time) (Record, bool) {
	if rec.Empty() {
		return rec, false
	}
	at = at.UTC().Round(0)
	var left []Incident
	for _, inc := range rec.Incidents {
		switch {
		case !inc.Open() && !inc.untold():
			left = append(left, inc) // its end may be owed
		case inc.Open() && !adopted && !inc.untold():
			left = append(left, inc.merged(into, at))
		}
	}
	rec.Checks, rec.Memory, rec.Incidents = nil, nil, left
	return rec, true
}

// merged is the incident ended, because it goes on as part of another, or because
// nobody else sees it.
func (i Incident) merged(into string, at time.Time) Incident {
	var check string
	for _, name := range slices.Sorted(maps.Keys(i.Alerts)) {
		a := i.Alerts[name]
		if !a.Firing {
			continue
		}
		check = name
		a.Firing, a.Flapping, a.ResolvedAt, a.Hush = false, false, at, HushNone
		i = i.withAlert(a)
	}
	i.ResolvedAt, i.Severity, i.Reason, i.Into = at, i.Peak, ReasonMerged, into
	return i.with(Event{At: at, Kind: EventResolved, Check: check, Was: i.Alerts[check].Result.Condition()})
}
