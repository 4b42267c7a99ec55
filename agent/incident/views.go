package incident

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Where several locations watch a site, each keeps its streak in the same
// record, and those that have a vote decide together. A streak that goes on is
// not news, but the others have to see that it does: it is saved again from time
// to time.

// maxPOP bounds the name of a POP in bytes.
const maxPOP = 64

// stale tells whether a streak is too old at the time given to be a vote.
func (s *Streak) stale(at time.Time, after time.Duration) bool {
	return after > 0 && at.Sub(s.Last) > after
}

// ages tells whether a streak was saved so long ago that it is to be saved again.
func (s *Streak) ages(stale time.Duration) bool {
	return s.Last.Sub(s.Kept) >= stale/2
}

// kept notes that all streaks of a location are being saved as they are.
func (rec Record) kept(location string) Record {
	states := maps.Clone(rec.Checks)
	for check, state := range states {
		s, ok := state.Locations[location]
		if !ok || s.Kept.Equal(s.Last) {
			continue
		}
		s.Kept = s.Last
		state.Locations = maps.Clone(state.Locations)
		state.Locations[location] = s
		states[check] = state
	}
	rec.Checks = states
	return rec
}

// upToDate is the record, as somebody else has written it, with the newest results
// of streaks that go on as this agent knows them. What it saw since it last wrote
// would have to be written check by check else.
func (rec Record) upToDate(known Record) Record {
	var states map[string]CheckState
	for check, state := range rec.Checks {
		for location, s := range state.Locations {
			mine, ok := known.Checks[check].Locations[location]
			if !ok || !mine.Last.After(s.Last) || !s.sameCount(mine) {
				continue
			}
			if states == nil {
				states = maps.Clone(rec.Checks)
			}
			state = states[check]
			state.Locations = maps.Clone(state.Locations)
			s.Last = mine.Last
			state.Locations[location] = s
			states[check] = state
		}
	}
	if states != nil {
		rec.Checks = states
	}
	return rec
}

// views are what the locations see that vote, nil where there is but one.
func (c *CheckState) views(p Policy) []View {
	if len(p.Locations) == 0 {
		return nil
	}
	views := make([]View, 0, len(p.Locations))
	for _, location := range p.Locations {
		view := View{Location: location, Region: p.Regions[location]}
		if s, ok := c.Locations[location]; ok && s.Failing {
			view.Failing, view.POP = true, s.POP
		}
		views = append(views, view)
	}
	slices.SortFunc(views, func(a, b View) int { return strings.Compare(a.Location, b.Location) })
	return views
}

// sees is the alert with what the locations see now, and those of them that had
// not seen it fail before.
func (a Alert) sees(views []View) (Alert, []string) {
	a.Views = views
	var more []string
	for _, v := range views {
		if v.Failing && !slices.Contains(a.Spread, v.Location) {
			more = append(more, v.Location)
		}
	}
	if len(more) > 0 {
		a.Spread = slices.Concat(a.Spread, more)
	}
	return a, more
}

// viewed is the record with what the locations see now of a check that fires.
func (rec Record) viewed(check string, state CheckState, p Policy) Record {
	inc, ok := rec.open()
	alert, part := inc.Alerts[check]
	if !ok || !part || len(p.Locations) == 0 {
		return rec
	}
	views := state.views(p)
	if slices.Equal(views, alert.Views) {
		return rec
	}
	alert, _ = alert.sees(views)
	return rec.withIncident(inc.withAlert(alert))
}

// Failing are the names of the locations that see the check fail, and how many
// have a vote. Where there is but one location, both are 0.
func (a *Alert) Failing() (names []string, voters int) {
	for _, v := range a.Views {
		if v.Failing {
			names = append(names, v.Location)
		}
	}
	return names, len(a.Views)
}

// Voting are the locations that have a vote on a check, and how many of them
// have to see it fail: none where there is but one location, or no such check.
func (k *Keeper) Voting(site, check string) (locations []string, quorum int) {
	p, ok := k.config.Load().policies[site][check]
	if !ok || k.opts.Panel == nil {
		return nil, 0
	}
	locations, _ = k.opts.Panel.Voters(site, check, p.Stale)
	return locations, p.Quorum.Of(len(locations))
}

// votes counts the locations that see a check fail and those that have a vote.
func (k *Keeper) votes(rec *Record, site, check string) (failing, voting int) {
	locations, _ := k.Voting(site, check)
	state := rec.Checks[check]
	for _, location := range locations {
		if s, ok := state.Locations[location]; ok && s.Failing {
			failing++
		}
	}
	return failing, len(locations)
}
