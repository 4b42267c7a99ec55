package outbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

// digest is the present state of many incidents for a receiver. The first of the
// members leads, and told is what the receiver has been told of the digest.
func (w writer) digest(members []member, told incident.Delivery) notify.Notification {
	n := notify.Notification{
		ID:          "storm-" + members[0].inc.ID,
		Receiver:    w.receiver,
		IncidentURL: w.page(),
		Receipt:     maps.Clone(notify.Receipt(told.Receipt)),
		Lang:        w.lang,
		Digest:      &notify.Digest{Incidents: len(members)},
	}
	if told.Sending > 0 {
		n.Doubtful, n.DoubtfulSince = true, told.SendingAt
	}
	members = w.sorted(members)
	var highest, open catalog.Severity
	var over time.Time
	removed := true
	for i := range members {
		inc := &members[i].inc
		// Every event of a member adds one, and no member leaves: so it grows.
		n.Seq += inc.Seq
		n.Since, n.OpenedAt = earliest(n.Since, inc.Since), earliest(n.OpenedAt, inc.OpenedAt)
		highest = louder(highest, inc.Peak)
		if k := len(inc.Events); k > 0 {
			n.At = latest(n.At, inc.Events[k-1].At)
		}
		if inc.Open() {
			n.Firing, open = true, louder(open, inc.Severity)
		} else {
			n.Digest.Over++
			over = latest(over, inc.ResolvedAt)
			removed = removed && inc.Reason == incident.ReasonRemoved
		}
		w.line(&n, inc)
	}
	n.Severity = string(open)
	if !n.Firing {
		n.Severity, n.ResolvedAt, n.Reason = string(highest), over, incident.ReasonRecovered
		if removed {
			n.Reason = incident.ReasonRemoved
		}
	}
	slices.SortStableFunc(n.Alerts, func(a, b notify.Alert) int {
		return cmp.Or(compareBool(b.Firing, a.Firing), cmp.Compare(catalog.Severity(b.Severity).Rank(), catalog.Severity(a.Severity).Rank()))
	})
	n.Digest.Shared = w.shared(members)
	n.Summary = fmt.Sprintf(w.phrases.storm, w.words.Incidents(len(members), n.Digest.Over), w.counted(&n))
	n.Events = w.digestEvents(members, &n, told)
	return n
}

// sorted is the members with results in the receiver's language, those that go
// on first, the most severe of them first, then by site.
func (w writer) sorted(members []member) []member {
	sorted := slices.Clone(members)
	for i := range sorted {
		sorted[i].inc = *w.translated(&sorted[i].inc)
	}
	slices.SortFunc(sorted, func(a, b member) int {
		return cmp.Or(compareBool(b.inc.Open(), a.inc.Open()), cmp.Compare(b.inc.Severity.Rank(), a.inc.Severity.Rank()),
			strings.Compare(a.site, b.site), strings.Compare(a.inc.ID, b.inc.ID))
	})
	return sorted
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// line adds an incident to a digest: its line, and its alerts with their site.
func (w writer) line(n *notify.Notification, inc *incident.Incident) {
	var alerts []notify.Alert
	for _, a := range sortedAlerts(inc) {
		alerts = append(alerts, w.alert(&a))
	}
	n.Digest.Lines = append(n.Digest.Lines, notify.DigestLine{
		Site: inc.Site, Firing: inc.Open(), Severity: string(inc.Severity), Summary: w.what(inc, alerts),
		Since: inc.Since, ResolvedAt: inc.ResolvedAt, URL: w.page("incidents", inc.ID),
	})
	for i := range alerts {
		alerts[i].Site = inc.Site
	}
	n.Alerts = append(n.Alerts, alerts...)
}

// counted names the conditions of a digest, with how many checks show each: the
// most frequent first.
func (w writer) counted(n *notify.Notification) string {
	const maxGroups = 3
	groups := notify.Groups(n.Telling())
	slices.SortStableFunc(groups, func(a, b notify.Group) int { return cmp.Compare(len(b.Alerts), len(a.Alerts)) })
	var parts []string
	for _, g := range groups[:min(maxGroups, len(groups))] {
		parts = append(parts, fmt.Sprintf(w.phrases.counted, g.Label(), len(g.Alerts)))
	}
	if more := len(groups) - maxGroups; more > 0 {
		parts = append(parts, w.words.More(more))
	}
	return strings.Join(parts, w.phrases.semicolon)
}

// shared is what the incidents of a digest that go on have in common, or all of
// them once none does.
func (w writer) shared(members []member) string {
	anyOpen := slices.ContainsFunc(members, func(m member) bool { return m.inc.Open() })
	var results []checks.Result
	for _, m := range members {
		for _, a := range m.inc.Alerts {
			if a.Firing || !anyOpen {
				results = append(results, a.Result)
			}
		}
	}
	if len(results) == 0 {
		return ""
	}
	var parts []string
	add := func(value func(*checks.Result) string) {
		first := value(&results[0])
		if first != "" && !slices.ContainsFunc(results, func(r checks.Result) bool { return value(&r) != first }) {
			parts = append(parts, first)
		}
	}
	diagnosed := func(value func(*catalog.Diagnosis) string) {
		add(func(r *checks.Result) string {
			if r.Diagnosis == nil {
				return ""
			}
			return value(r.Diagnosis)
		})
	}
	format := func(format, value string) string {
		if value == "" {
			return ""
		}
		return fmt.Sprintf(format, value)
	}
	diagnosed(func(d *catalog.Diagnosis) string {
		return notify.Group{Condition: string(d.Condition), Title: d.Title}.Label()
	})
	diagnosed(func(d *catalog.Diagnosis) string { return w.words.Fault(string(d.Fault)) })
	diagnosed(func(d *catalog.Diagnosis) string { return d.Owner })
	add(func(r *checks.Result) string {
		if !edgeMade(r) {
			return ""
		}
		return w.phrases.edgeAnswer
	})
	add(func(r *checks.Result) string { return format(w.phrases.atPOP, r.Edge.POP) })
	add(func(r *checks.Result) string { return format(w.phrases.seenFrom, r.Location) })
	return strings.Join(parts, w.phrases.semicolon)
}

// edgeMade tells whether ESA made the answer by itself: it says so, or the
// status is one that only ESA gives.
func edgeMade(r *checks.Result) bool {
	return r.Edge.ErrorToken != "" || r.StatusCode >= 520 && r.StatusCode <= 599 && r.Edge.ViaESA != "no"
}

// digestEvents are what happened in a digest since the receiver was told, a line
// for each kind of thing, not for each incident.
func (w writer) digestEvents(members []member, n *notify.Notification, told incident.Delivery) []notify.Event {
	p := &w.phrases
	var events []notify.Event
	add := func(kind incident.EventKind, at time.Time, text string) {
		events = append(events, notify.Event{Seq: n.Seq, At: at, Kind: string(kind), Text: text})
	}
	var came, left, altered happened
	var heard, severity catalog.Severity
	var rose, reminded time.Time
	for i := range members {
		m := &members[i]
		was := m.told()
		heard = louder(heard, was.Severity)
		if was.Seq == 0 {
			came.note(m.site, m.inc.OpenedAt)
		}
		for _, e := range m.inc.Events {
			switch {
			case e.Seq <= was.Seq || e.Quiet:
				continue
			case e.Kind == incident.EventReminder:
				reminded = latest(reminded, e.At)
			case was.Seq > 0 && m.inc.Open() && e.Kind != incident.EventSeverity:
				altered.note(m.site, e.At)
			}
			if m.inc.Open() && m.inc.Severity.Rank() > severity.Rank() {
				severity, rose = m.inc.Severity, e.At
			}
		}
		if !m.inc.Open() && was.Seq < m.inc.Seq {
			left.note(m.site, m.inc.ResolvedAt)
		}
	}
	first := told.ToldAt.IsZero()
	switch {
	case len(came.sites) > 0 && first:
		add(incident.EventOpened, came.at, w.happened(p.came, came))
	case len(came.sites) > 0:
		add(incident.EventJoined, came.at, w.happened(p.joined, came))
	}
	if !first && severity.Rank() > heard.Rank() {
		add(incident.EventSeverity, rose, fmt.Sprintf(p.severity, w.words.Severity(string(severity))))
	}
	if len(altered.sites) > 0 {
		add(incident.EventChanged, altered.at, w.happened(p.altered, altered))
	}
	switch {
	case !n.Firing:
		add(incident.EventResolved, n.ResolvedAt, fmt.Sprintf(p.allEnded, len(members), w.lasted(n.Since, n.ResolvedAt)))
	case len(left.sites) > 0:
		add(incident.EventLeft, left.at, w.happened(p.ended, left))
	}
	if n.Firing && !reminded.IsZero() {
		add(incident.EventReminder, reminded, fmt.Sprintf(p.stillOpen, w.lasted(n.Since, reminded), len(members)-n.Digest.Over, len(members)))
	}
	return events
}

// happened is the sites to which the same has happened, and when it last did.
type happened struct {
	sites []string
	at    time.Time
}

func (h *happened) note(site string, at time.Time) {
	if !slices.Contains(h.sites[max(0, len(h.sites)-1):], site) { // a site's come one after another
		h.sites = append(h.sites, site)
	}
	h.at = latest(h.at, at)
}

// happened words how many incidents that were, and names some of them.
func (w writer) happened(format string, h happened) string {
	const maxSites = 5
	names := slices.Clone(h.sites[:min(maxSites, len(h.sites))])
	if more := len(h.sites) - maxSites; more > 0 {
		names = append(names, w.words.More(more))
	}
	return fmt.Sprintf(format, len(h.sites), strings.Join(names, w.phrases.comma))
}
