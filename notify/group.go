package notify

import (
	"slices"
	"strings"
	"time"
)

// Group is the alerts of a notification that say the same: they are told once,
// with the names of their checks.
type Group struct {
	Condition string
	Title     string
	Firing    bool
	Alerts    []Alert // at least one
}

// Groups puts alerts with the same condition, title and state together, in the
// order in which they appear.
func Groups(alerts []Alert) []Group {
	var groups []Group
	for _, a := range alerts {
		i := slices.IndexFunc(groups, func(g Group) bool {
			return g.Condition == a.Condition && g.Title == a.Title && g.Firing == a.Firing
		})
		if i < 0 {
			groups = append(groups, Group{Condition: a.Condition, Title: a.Title, Firing: a.Firing})
			i = len(groups) - 1
		}
		groups[i].Alerts = append(groups[i].Alerts, a)
	}
	return groups
}

// Label is what to call the group's condition: "522 Connection timed out",
// "Certificate expired".
func (g Group) Label() string {
	code := len(g.Condition) == 3 && strings.Trim(g.Condition, "0123456789") == ""
	switch title := Line(g.Title, 100); {
	case title == "":
		return Line(g.Condition, 60)
	case code && !strings.HasPrefix(title, g.Condition):
		return g.Condition + " " + title
	default:
		return title
	}
}

// Also lists the other conditions that the group's checks went through, in the
// order of their appearance.
func (g Group) Also() []string {
	var also []string
	for _, a := range g.Alerts {
		for _, c := range a.Conditions {
			if c != g.Condition && !slices.Contains(also, c) {
				also = append(also, c)
			}
		}
	}
	return also
}

// Checks names the group's checks, at most limit of them; more is how many are
// left out.
func (g Group) Checks(limit int) (names []string, more int) {
	for _, a := range g.Alerts[:min(limit, len(g.Alerts))] {
		names = append(names, a.Name())
	}
	return names, len(g.Alerts) - len(names)
}

// Name is what to call the alert's check: its full name in a digest, which is
// about many sites, else its own.
func (a Alert) Name() string {
	name := Line(a.Check, 63)
	if a.Site == "" {
		return name
	}
	return Line(a.Site, 63) + "/" + name
}

// First returns the first alert in the group for which value gives a text, and
// that text: the one to quote for all of them.
func (g Group) First(value func(Alert) string) (Alert, string) {
	for _, a := range g.Alerts {
		if v := value(a); v != "" {
			return a, v
		}
	}
	return g.Alerts[0], ""
}

// Distinct is the different texts that value gives for alerts, in order.
func Distinct(alerts []Alert, value func(Alert) string) []string {
	var all []string
	for _, a := range alerts {
		if v := Line(value(a), 100); v != "" && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// Telling is the alerts that n is about: those that still fire, or all of them
// once nothing does.
func (n Notification) Telling() []Alert {
	firing := slices.DeleteFunc(slices.Clone(n.Alerts), func(a Alert) bool { return !a.Firing })
	if n.Firing && len(firing) > 0 {
		return firing
	}
	return n.Alerts
}

// Explained is the alerts whose conditions a message explains: all, but of a
// digest only those that fire, since its lines and events name the others.
func (n Notification) Explained() []Alert {
	if n.Digest == nil {
		return n.Alerts
	}
	return slices.DeleteFunc(slices.Clone(n.Alerts), func(a Alert) bool { return !a.Firing })
}

// Lasted is how long the incident has gone on, or went on.
func (n Notification) Lasted() time.Duration {
	end := n.At
	if !n.ResolvedAt.IsZero() {
		end = n.ResolvedAt
	}
	if n.Since.IsZero() || end.Before(n.Since) {
		return 0
	}
	return end.Sub(n.Since)
}

// About is what n is about: its site, or how many incidents; "" when it is about
// neither.
func (n Notification) About(w Words) string {
	if n.Digest != nil {
		return w.Incidents(n.Digest.Incidents, n.Digest.Over)
	}
	return Line(n.Site, 63)
}

// Withdrawn tells whether the incident is over though nobody saw it recover: it
// is no longer watched, or goes on as part of another.
func (n Notification) Withdrawn() bool {
	return !n.Firing && (n.Reason == "removed" || n.Reason == "merged")
}

// flaps tells whether all that fires in the incident flaps, so that nothing more is
// told of it until it is steady.
func (n Notification) flaps() bool {
	firing := slices.DeleteFunc(slices.Clone(n.Alerts), func(a Alert) bool { return !a.Firing })
	return len(firing) > 0 && !slices.ContainsFunc(firing, func(a Alert) bool { return !a.Flapping })
}

// Headline is n in one line of plain text, as a locked phone shows it:
// "critical: shop: 522 Connection timed out on login, home (origin link, origin team)".
func (n Notification) Headline() string {
	const maxChecks, maxGroups = 3, 2
	w := WordsFor(n.Lang)
	state := w.State(n)
	var parts []string
	groups := Groups(n.Telling())
	for _, g := range groups[:min(maxGroups, len(groups))] {
		names, more := g.Checks(maxChecks)
		part := g.Label() + w.On + strings.Join(names, w.Comma)
		if more > 0 {
			part += w.Comma + w.More(more)
		}
		parts = append(parts, part)
	}
	if len(groups) > maxGroups {
		parts = append(parts, w.More(len(groups)-maxGroups))
	}
	what := strings.Join(parts, w.Semicolon)
	if what == "" {
		what = Line(n.Summary, 300)
	}
	line := state + w.Colon + what
	if about := n.About(w); about != "" {
		line = state + w.Colon + about + w.Colon + what
	}
	if n.Test {
		line = w.Test + w.Colon + line
	}
	if !n.Firing {
		return Line(line+w.Clause+w.After(n.Lasted()), 500)
	}
	var where []string
	for _, f := range Distinct(n.Telling(), func(a Alert) string { return a.Fault }) {
		where = append(where, w.Fault(f))
	}
	where = append(where, Distinct(n.Telling(), func(a Alert) string { return a.Owner })...)
	if len(where) > 0 {
		line += w.Open + strings.Join(where[:min(4, len(where))], w.Comma) + w.Close
	}
	return Line(line, 500)
}
