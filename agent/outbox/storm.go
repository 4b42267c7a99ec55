package outbox

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Storm is when a receiver is told of many incidents as one digest: of more than
// Incidents that come within Window. With Incidents 0 that never begins.
type Storm struct {
	Incidents int
	Window    time.Duration
}

// digest is incidents that are told as one. It is derived from the records as
// all debts are: a delivery says in which digest its incident was told, and one
// that was not told yet joins by when it came. Only the first attempt makes that
// lasting, by noting it with the one that leads.
type digest struct {
	lead        *item // whose delivery holds the receipt, and how the telling goes
	members     []*item
	first, last time.Time // when the first and the last of them came
}

func (g *digest) add(it *item) {
	g.members = append(g.members, it)
	if len(g.members) == 1 || it.came.Before(g.first) {
		g.first = it.came
	}
	if it.came.After(g.last) {
		g.last = it.came
	}
}

// live tells whether the digest goes on: it is not over, or that was not told.
func (g *digest) live() bool {
	return slices.ContainsFunc(g.members, func(it *item) bool { return it.open || it.owed || it.begun })
}

// divide tells incidents that go into digests from those that are told by
// themselves. past is when incidents came that are settled already; they count.
//
// A storm begins with the incident that is one too many within the window. It
// takes in those of the window that were not told yet, and then every incident
// that comes within a window after the last: so the stragglers of an outage
// need no message of their own. An incident that was told by itself stays so.
func (s Storm) divide(items []*item, past []time.Time) (alone []*item, digests []*digest) {
	var fresh []*item
	told := make(map[string]*digest)
	for _, it := range items {
		switch {
		case it.delivery.Digest != "":
			g := told[it.delivery.Digest]
			if g == nil {
				g = &digest{}
				told[it.delivery.Digest] = g
				digests = append(digests, g)
			}
			g.add(it)
			if it.id == it.delivery.Digest {
				g.lead = it
			}
		case it.owed && it.fresh():
			fresh = append(fresh, it)
		default:
			alone = append(alone, it)
		}
	}
	came := slices.Clone(past)
	if len(fresh) > 0 {
		for _, it := range items {
			came = append(came, it.came)
		}
		slices.SortFunc(came, time.Time.Compare)
		slices.SortFunc(fresh, byArrival)
	}
	var waiting []*item // fresh ones in no storm so far
	for _, it := range fresh {
		g := s.joins(it, digests)
		if g == nil && s.breaks(it.came, came) {
			g = &digest{}
			digests = append(digests, g)
			recent := slices.IndexFunc(waiting, func(w *item) bool { return w.came.After(it.came.Add(-s.Window)) })
			if recent >= 0 {
				for _, w := range waiting[recent:] {
					g.add(w)
				}
				waiting = waiting[:recent]
			}
		}
		if g == nil {
			waiting = append(waiting, it)
			continue
		}
		g.add(it)
	}
	for _, g := range digests {
		if g.lead == nil { // it is new, or the record with its lead was lost
			g.lead = slices.MinFunc(g.members, byArrival)
		}
	}
	return append(alone, waiting...), digests
}

func byArrival(a, b *item) int {
	return cmp.Or(a.came.Compare(b.came), strings.Compare(a.id, b.id))
}

// joins finds the digest that an incident is part of by when it came.
func (s Storm) joins(it *item, digests []*digest) *digest {
	if s.Incidents <= 0 {
		return nil
	}
	for _, g := range digests {
		if !it.came.Before(g.first) && !it.came.After(g.last.Add(s.Window)) && g.live() {
			return g
		}
	}
	return nil
}

// breaks tells whether an incident that came at that time is one too many. came
// is when each came, in order.
func (s Storm) breaks(at time.Time, came []time.Time) bool {
	if s.Incidents <= 0 {
		return false
	}
	after := func(t time.Time) int { // how many came by t
		n, _ := slices.BinarySearchFunc(came, t, func(e, t time.Time) int {
			if e.After(t) {
				return 1
			}
			return -1
		})
		return n
	}
	return after(at)-after(at.Add(-s.Window)) > s.Incidents
}

// debt is what the receiver is owed of the digest, if anything, as it would be
// of one incident: the first telling waits for others to come, the end and a
// rise in severity go at once, all else GroupInterval after the last telling.
func (g *digest) debt(p *plan) (d debt, owed bool) {
	var heard catalog.Severity
	var due time.Time // of the first telling
	open, rise := false, time.Time{}
	for _, it := range g.members {
		heard = louder(heard, it.delivery.Severity)
		open = open || it.open
	}
	for _, it := range g.members {
		if !it.owed {
			continue
		}
		d.since = earliest(d.since, it.since)
		due = earliest(due, it.due)
		if it.open && it.severity.Rank() > heard.Rank() {
			rise = earliest(rise, it.since)
		}
	}
	told := g.lead.delivery.ToldAt
	switch {
	case d.since.IsZero() && !open && g.lead.begun:
		// All may have been told, but that was not noted: it is told once more, in
		// doubt, or the digest would never be over.
		d.since = g.lead.delivery.SendingAt
		d.due = d.since
	case d.since.IsZero():
		return d, false
	case told.IsZero():
		d.due = due
	case !open:
		d.due = d.since
	case !rise.IsZero():
		d.due = rise
	default:
		d.due = latest(d.since, told.Add(p.timings.GroupInterval))
	}
	return d, true
}

func louder(a, b catalog.Severity) catalog.Severity {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// earliest is the earlier of two times, of which one that is zero does not count.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
