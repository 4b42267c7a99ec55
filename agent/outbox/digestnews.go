package outbox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

// news is what happened in the members of a digest since the receiver was told.
type news struct {
	came, left, altered happened
	heard, severity     catalog.Severity // the highest told, and the highest new one
	rose, reminded      time.Time
}

// happened is the sites to which the same has happened, and when it last did.
type happened struct {
	sites []string
	at    time.Time
}

func (h *happened) note(site string, at time.Time) {
	if n := len(h.sites); n == 0 || h.sites[n-1] != site { // a site's come one after another
		h.sites = append(h.sites, site)
	}
	h.at = latest(h.at, at)
}

// digestEvents are what happened in a digest since the receiver was told, a line
// for each kind of thing, not for each incident.
func (w writer) digestEvents(members []member, n *notify.Notification, told incident.Delivery) []notify.Event {
	var c news
	for i := range members {
		c.note(&members[i])
	}
	p := &w.phrases
	var events []notify.Event
	add := func(kind incident.EventKind, at time.Time, text string) {
		events = append(events, notify.Event{Seq: n.Seq, At: at, Kind: string(kind), Text: text})
	}
	first := told.ToldAt.IsZero()
	switch {
	case len(c.came.sites) > 0 && first:
		add(incident.EventOpened, c.came.at, w.named(p.came, c.came))
	case len(c.came.sites) > 0:
		add(incident.EventJoined, c.came.at, w.named(p.joined, c.came))
	}
	if !first && c.severity.Rank() > c.heard.Rank() {
		add(incident.EventSeverity, c.rose, fmt.Sprintf(p.severity, w.words.Severity(string(c.severity))))
	}
	if len(c.altered.sites) > 0 {
		add(incident.EventChanged, c.altered.at, w.named(p.altered, c.altered))
	}
	switch {
	case !n.Firing:
		add(incident.EventResolved, n.ResolvedAt, fmt.Sprintf(p.allEnded, len(members), w.lasted(n.Since, n.ResolvedAt)))
	case len(c.left.sites) > 0:
		add(incident.EventLeft, c.left.at, w.named(p.ended, c.left))
	}
	if n.Firing && !c.reminded.IsZero() {
		add(incident.EventReminder, c.reminded, fmt.Sprintf(p.stillOpen, w.lasted(n.Since, c.reminded), len(members)-n.Digest.Over, len(members)))
	}
	return events
}

// note adds what is new in a member.
func (c *news) note(m *member) {
	was := m.told()
	c.heard = louder(c.heard, was.Severity)
	if was.Seq == 0 {
		c.came.note(m.site, m.inc.OpenedAt)
	}
	if !m.inc.Open() {
		if was.Seq < m.inc.Seq {
			c.left.note(m.site, m.inc.ResolvedAt)
		}
		return
	}
	for _, e := range m.inc.Events {
		if e.Seq <= was.Seq || e.Quiet {
			continue
		}
		switch {
		case e.Kind == incident.EventReminder:
			c.reminded = latest(c.reminded, e.At)
		case was.Seq > 0 && e.Kind != incident.EventSeverity:
			c.altered.note(m.site, e.At)
		}
		if m.inc.Severity.Rank() > c.severity.Rank() {
			c.severity, c.rose = m.inc.Severity, e.At
		}
	}
}

// named says of how many incidents something is true, and of which sites.
func (w writer) named(format string, h happened) string {
	const maxSites = 5
	names := slices.Clone(h.sites[:min(maxSites, len(h.sites))])
	if more := len(h.sites) - maxSites; more > 0 {
		names = append(names, w.words.More(more))
	}
	return fmt.Sprintf(format, len(h.sites), strings.Join(names, w.phrases.comma))
}
