package incident

import (
	"maps"
	"slices"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// reorderWindow is how much older than the newest result another may be and
// still be taken for one that came late, which no longer counts. One that is
// older than this can only mean that the clock was set back: then it counts,
// for else the check would be blind until the clock has caught up.
const reorderWindow = time.Minute

// Next is the state machine: what the record of a site becomes after one more
// result of one of its checks. It reads no clock and changes nothing in place.
//
// The bool tells that the new record must be saved. When it is false the new
// record may still differ in what need not survive a crash: the newest result
// of an alert that fires for what it fired for before.
//
//   - A degraded result counts as a failed one; its diagnosis has a lower severity.
//   - Policy.Failures results in a row fire, whatever their conditions; fewer are
//     pending, and one that passes ends that.
//   - Policy.ResolveAfter passes in a row end a spell.
//   - The first check to fire opens the site's incident, the others join it, and
//     one that recovered joins again. It is over when none fires any more.
//   - A result that is not newer than the last one is ignored.
//   - internal_error is esawatch's own failure to look. It says nothing of the
//     site, so next to real failures it neither counts nor clears. On its own it
//     counts: a check that cannot run is a blind spot, and is told as what it
//     is, with its own condition and never louder than a warning. The first real
//     failure starts its own count, unless the alert fires already: then it
//     raises it.
//   - What Policy.Mutes cover is recorded with quiet events; see Quieten.
//   - A check that begins and ceases to fire more often than Policy.Flapping
//     allows stays part of the incident until it is steady; see Flapping.
//   - A certificate that expires is told once, and again at half of its time; see
//     Certificate.
//   - Where several locations vote, so many as Policy.Quorum wants have to fail.
//     A vote that is lost ends nothing: only a pass does, from any location.
func Next(rec Record, r checks.Result, p Policy) (Record, bool) {
	if rec.stays(&r, &p) {
		return rec, false
	}
	return step(rec, rec.Checks[r.Check], r, p)
}

// stays tells that a result changes nothing, in the common case: the check is
// well, and was.
func (rec *Record) stays(r *checks.Result, p *Policy) bool {
	if r.Outcome != checks.Pass {
		return false
	}
	if _, known := rec.Checks[r.Check]; known {
		return false
	}
	m, known := rec.Memory[r.Check]
	return !known || !m.stirs(r.StartedAt, p.Flapping)
}

// step is Next for a result that has something to change.
func step(rec Record, state CheckState, r checks.Result, p Policy) (Record, bool) {
	r = normal(r)
	was := state
	state = state.at(r, p)
	streak := state.Locations[r.Location]
	if late(streak.Last, r.StartedAt) || unseen(streak, r) || rec.othersCertificate(r) {
		return rec, false
	}

	next, over := streak.next(r, p)
	if over {
		delete(state.Locations, r.Location)
	} else {
		state.Locations[r.Location] = next
	}
	state.State = state.aggregate(p.quorum())
	switch passed := r.Outcome == checks.Pass; {
	case passed && state.State == Firing && was.State != Firing:
		// Only a changed quorum gets here. A pass is nothing to fire with: the
		// next failed result will.
		state.State = Pending
	case !passed && state.State == Pending && was.State == Firing:
		// A location has lost its vote, which is no recovery.
		state.State = Firing
	}
	rec = rec.withCheck(r, state)
	rec, told := rec.turn(r, was, state, p)
	save := told || over || !streak.sameCount(next) || state.State != was.State
	if p.Stale > 0 && (save || !over && next.ages(p.Stale)) {
		rec, save = rec.kept(r.Location), true
	}
	return rec, save
}

// turn is what comes of a result now that the state of its check is known. The
// bool tells that it must be saved.
func (rec Record) turn(r checks.Result, was, state CheckState, p Policy) (Record, bool) {
	at := end(r)
	fires, fired := state.State == Firing, was.State == Firing
	before := rec.Memory[r.Check]
	memory := before
	if fires != fired {
		memory = memory.changed(at, p.Flapping)
	}
	memory = memory.settled(at, p.Flapping)
	rec = rec.withMemory(r.Check, memory)

	save := !memory.equal(&before)
	switch {
	case fires && !fired && !rec.fires(r.Check):
		rec, save = rec.fire(r, state, p), true
	case fires && r.Outcome != checks.Pass:
		var told bool
		rec, told = rec.change(r, state, p)
		save = save || told
	case fires:
		rec = rec.viewed(r.Check, state, p)
	case !fires && fired && !memory.Flapping && !before.Flapping:
		rec, save = rec.recover(r.Check, at, EventLeft), true
	}
	switch {
	case memory.Flapping && !before.Flapping:
		rec = rec.flap(r.Check, at, EventFlapping)
	case before.Flapping && !memory.Flapping:
		rec = rec.flap(r.Check, at, EventSteady)
		if !fires {
			rec = rec.recover(r.Check, at, EventLeft)
		}
	}
	return rec, save
}

// fires tells whether the check is a firing part of the open incident.
func (rec *Record) fires(check string) bool {
	inc, _ := rec.open()
	return inc.Alerts[check].Firing
}

// late tells whether a result that started at start is a duplicate or was
// overtaken by the one of last.
func late(last, start time.Time) bool {
	return !last.IsZero() && !start.After(last) && last.Sub(start) < reorderWindow
}

// unseen tells whether r is esawatch's own failure on a check of which
// something real is known.
func unseen(s Streak, r checks.Result) bool {
	return r.Condition() == catalog.InternalError && len(s.Conditions) > 0 && !s.blind()
}

// blind tells whether nothing but internal_error was seen in the spell.
func (s Streak) blind() bool {
	return len(s.Conditions) == 1 && s.Conditions[0] == catalog.InternalError
}

// next is the streak after one more result, and whether its spell is over.
func (s Streak) next(r checks.Result, p Policy) (next Streak, over bool) {
	if r.Outcome == checks.Pass {
		if !s.Failing {
			return Streak{}, true
		}
		s.Failures, s.Passes, s.Last = 0, s.Passes+1, r.StartedAt
		return s, s.Passes >= p.resolveAfter()
	}
	if s.blind() && !s.Failing && r.Condition() != catalog.InternalError {
		s = Streak{}
	}
	if s.Since.IsZero() {
		s.Since = r.StartedAt
	}
	s.Last = r.StartedAt
	s.Passes = 0
	s.Failures = min(s.Failures+1, p.failures()) // past the threshold nobody counts
	s.Failing = s.Failing || s.Failures >= p.failures()
	s.Conditions = seen(s.Conditions, r.Condition())
	if len(p.Locations) > 0 {
		s.POP = clip(r.Edge.POP, maxPOP)
	}
	return s, false
}

// sameCount tells whether t is s but for the time of its last result.
func (s Streak) sameCount(t Streak) bool {
	return s.Failures == t.Failures && s.Passes == t.Passes && s.Failing == t.Failing &&
		s.Since.Equal(t.Since) && len(s.Conditions) == len(t.Conditions)
}

// at is a copy of the state whose streaks are those that count when r comes:
// of its own location, and of the others that vote and whose streak is not
// stale. Where there is but one location, a streak that was left under a former
// name is carried on as its own.
func (c CheckState) at(r checks.Result, p Policy) CheckState {
	location := r.Location
	streaks := make(map[string]Streak, len(c.Locations)+1)
	for name, s := range c.Locations {
		switch {
		case name == location:
			streaks[name] = s
		case slices.Contains(p.Locations, name):
			if !s.stale(r.StartedAt.Add(-p.Behind[name]), p.Stale) {
				streaks[name] = s
			}
		case len(p.Locations) == 0:
			if _, own := c.Locations[location]; own {
				continue
			}
			if s.Last.After(streaks[location].Last) {
				streaks[location] = s
			}
		}
	}
	c.Locations = streaks
	return c
}

// aggregate is the check's state over its locations.
func (c CheckState) aggregate(quorum int) State {
	failing := 0
	for _, s := range c.Locations {
		if s.Failing {
			failing++
		}
	}
	switch {
	case failing >= quorum:
		return Firing
	case len(c.Locations) > 0:
		return Pending
	}
	return OK
}

// withCheck is the record with the state of r's check, which has an entry only
// while it is not well.
func (rec Record) withCheck(r checks.Result, state CheckState) Record {
	rec.Version, rec.Site = RecordVersion, r.Site
	if state.State == OK {
		return rec.withoutCheck(r.Check)
	}
	states := maps.Clone(rec.Checks)
	if states == nil {
		states = make(map[string]CheckState, 1)
	}
	states[r.Check] = state
	rec.Checks = states
	return rec
}

// withoutCheck is the record with no state of the check: it is well, or gone.
func (rec Record) withoutCheck(check string) Record {
	states := maps.Clone(rec.Checks)
	delete(states, check)
	if len(states) == 0 {
		states = nil
	}
	rec.Checks = states
	return rec
}

// Remove drops the checks that keep refuses, because they left the
// configuration: their alerts end, and an incident of which none is left firing
// is closed with the reason "removed". The bool tells that something changed.
func Remove(rec Record, keep func(check string) bool, at time.Time) (Record, bool) {
	gone := make(map[string]struct{})
	for check := range rec.Checks {
		gone[check] = struct{}{}
	}
	for check := range rec.Memory { // it may flap, and be well at the moment
		gone[check] = struct{}{}
	}
	maps.DeleteFunc(gone, func(check string, _ struct{}) bool { return keep(check) })
	if len(gone) == 0 {
		return rec, false
	}
	for _, check := range slices.Sorted(maps.Keys(gone)) {
		rec = rec.recover(check, at.UTC().Round(0), EventRemoved).withoutCheck(check).withMemory(check, Memory{})
	}
	rec.Version = RecordVersion
	return rec, true
}

// Tick adds a reminder to an incident of which nothing was to be told for
// Timings.RepeatInterval. The bool tells that it did. Of what is muted nobody is
// reminded, nor of a certificate that expires: that has its own two times.
func Tick(rec Record, now time.Time, t Timings) (Record, bool) {
	inc, ok := rec.open()
	if !ok || t.RepeatInterval <= 0 || len(inc.Events) == 0 || !inc.presses() {
		return rec, false
	}
	due := func(last time.Time) bool { return !now.Before(last.Add(t.RepeatInterval)) }
	if !due(inc.lastNews()) || !due(inc.pressesSince()) {
		return rec, false
	}
	inc = inc.with(Event{At: now.UTC().Round(0), Kind: EventReminder})
	return rec.withIncident(inc), true
}

// presses tells whether anything in the incident is worth a reminder.
func (i *Incident) presses() bool {
	for _, a := range i.Alerts {
		if a.presses() {
			return true
		}
	}
	return false
}

func (a *Alert) presses() bool {
	return a.Firing && a.Hush == HushNone && a.Result.Condition() != catalog.TLSExpiring
}

// lastNews is when there was last something to tell. What was recorded only, as
// the coming and going of a silenced check, puts no reminder off.
func (i *Incident) lastNews() time.Time {
	for _, e := range slices.Backward(i.Events) {
		if !e.Quiet {
			return e.At
		}
	}
	return i.Events[0].At
}

// pressesSince is when the last mute ended of what is worth a reminder, of several
// checks the one that has been heard for longest: right after a mute nobody is
// reminded. It is the zero time if none of them was muted.
func (i *Incident) pressesSince() (since time.Time) {
	first := true
	for check, a := range i.Alerts {
		if !a.presses() {
			continue
		}
		var unmuted time.Time
		for _, e := range i.Events {
			if e.Kind == EventUnmuted && e.Check == check {
				unmuted = e.At
			}
		}
		if first || unmuted.Before(since) {
			first, since = false, unmuted
		}
	}
	return since
}

// Empty tells whether there is nothing left to remember of the site.
func (rec *Record) Empty() bool {
	return len(rec.Checks) == 0 && len(rec.Memory) == 0 && len(rec.Incidents) == 0
}

// Prune takes the resolved incidents that settled accepts out of the record,
// and returns them. The bool tells that there were any.
func Prune(rec Record, settled func(*Incident) bool) (Record, []Incident, bool) {
	var left, gone []Incident
	for i := range rec.Incidents {
		inc := &rec.Incidents[i]
		if !inc.Open() && settled(inc) {
			gone = append(gone, *inc)
		} else {
			left = append(left, *inc)
		}
	}
	if len(gone) == 0 {
		return rec, nil, false
	}
	rec.Incidents = left
	return rec, gone, true
}
