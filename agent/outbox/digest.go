package outbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
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
		alerts = append(alerts, w.alert(inc, &a))
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
