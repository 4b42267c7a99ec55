package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// mute is a silence or a maintenance as the pages show it.
type mute struct {
	Maintenance bool
	ID          string // of a silence
	Name        string // of a maintenance
	Matchers    []string
	Author      string
	Comment     string
	From, Until moment
	In, Left    string // until it begins, or ends
	Active      bool
	Expire      string // link that ends it, "" when it cannot be ended here

	matchers []incident.Matcher
	until    time.Time
}

// Everything tells whether no alert is left out.
func (m *mute) Everything() bool { return len(m.Matchers) == 0 }

// Short says in a line who mutes until when: "silenced by ana until 14:00 UTC: new origin".
func (m *mute) Short() string {
	text := "silenced by " + m.Author
	if m.Maintenance {
		text = "maintenance " + m.Name
	}
	text += " until " + m.Until.Text + ", " + m.Left + " more"
	if m.Comment != "" {
		text += ": " + m.Comment
	}
	return text
}

// mutes are the silences and maintenances: those in force, the one that ends
// first before the others, then those to come, then the silences that are over.
func (s *Server) mutes(p *page) []mute {
	var all []mute
	for _, one := range s.opts.Incidents.Silences().List() {
		m := mute{
			ID: one.ID, Author: clean(one.Author), Comment: clean(one.Comment),
			Expire: p.Root.to("silences", one.ID, "expire"),
		}
		m.set(p.now, one.Matchers, one.CreatedAt, one.Until)
		all = append(all, m)
	}
	for _, w := range s.opts.Incidents.Windows() {
		start, end, ok := w.Span(p.now)
		if !ok {
			continue
		}
		m := mute{Maintenance: true, Name: strings.TrimPrefix(w.Mute.Name, "maintenance ")}
		m.set(p.now, w.Mute.Matchers, start, end)
		all = append(all, m)
	}
	slices.SortStableFunc(all, func(a, b mute) int {
		switch {
		case a.Active != b.Active:
			return bit(b.Active) - bit(a.Active)
		case a.Active:
			return a.until.Compare(b.until)
		case a.Maintenance != b.Maintenance:
			return bit(b.Maintenance) - bit(a.Maintenance)
		}
		return cmp.Or(b.until.Compare(a.until), strings.Compare(a.Name, b.Name))
	})
	return all
}

// set fills in what silences and maintenances have in common.
func (m *mute) set(now time.Time, matchers []incident.Matcher, from, until time.Time) {
	m.matchers, m.until = matchers, until
	for _, one := range matchers {
		m.Matchers = append(m.Matchers, clean(one.String()))
	}
	m.From, m.Until = momentOf(from, now), momentOf(until, now)
	m.In, m.Left = span(from.Sub(now)), span(until.Sub(now))
	m.Active = !from.After(now) && now.Before(until)
}

// inForce are the mutes that are in force now.
func inForce(all []mute) []mute {
	n := slices.IndexFunc(all, func(m mute) bool { return !m.Active })
	if n < 0 {
		return all
	}
	return all[:n]
}

// toldFrom is the location of the alerts that are told here; "" when that depends
// on which of several agents sees a failure.
func (s *Server) toldFrom() string {
	if s.opts.Cluster != nil {
		return ""
	}
	return s.opts.Location
}

// covers tells whether the mute covers whatever the check may come to alert of,
// from a location, "" if that is not known. sure is false when it depends on what
// the alert will be: its condition, say.
func (m *mute) covers(site, location string, c *Check) (may, sure bool) {
	sure = true
	for i := range m.matchers {
		value := ""
		switch name := m.matchers[i].Name; name {
		case "alertname":
			value = incident.AlertName
		case "site":
			value = site
		case "check":
			value = c.Name
		case "location":
			if value = location; value == "" {
				sure = false
				continue
			}
		case "condition", "severity", "fault":
			sure = false
			continue
		default:
			value = c.Labels[name]
		}
		if !m.matchers[i].Fits(value) {
			return false, false
		}
	}
	return true, sure
}

// mutedBy is the mute in force that covers the check for the longest, nil when
// none surely does.
func mutedBy(inForce []mute, site, location string, c *Check) *mute {
	for i := range slices.Backward(inForce) {
		if _, sure := inForce[i].covers(site, location, c); sure {
			return &inForce[i]
		}
	}
	return nil
}

// touches tells whether the mute may cover a check that fires in the incident.
func (m *mute) touches(inc *incident.Incident) bool {
	for _, a := range inc.Alerts {
		if may, _ := m.covers(inc.Site, a.ToldFrom(), &Check{Name: a.Check, Labels: a.Labels}); may && a.Firing {
			return true
		}
	}
	return false
}
