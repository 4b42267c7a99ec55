package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Bounds of lists and texts.
const (
	maxGroups   = 6
	maxChecks   = 8
	maxEvidence = 12
	maxSteps    = 10
	maxEvents   = 12
	maxText     = 500
)

// Render is the text of m, and the conditions explained in it or before.
func (n *Notifier) Render(m notify.Notification) (text string, explained []string) {
	w := notify.WordsFor(m.Lang)
	explained = strings.Fields(m.Receipt["explained"])
	p := &page{Notifier: n}
	p.header(m, w)
	if m.Receipt != nil || !m.Firing {
		p.events(m, w)
	}
	if m.Digest != nil {
		p.digest(m, w)
	}
	if len(m.Alerts) == 0 && m.Receipt == nil {
		p.wrap("  ", "  ", notify.Line(m.Summary, maxText))
	}
	groups := notify.Groups(m.Explained())
	wasFull := false
	for i, g := range groups {
		if i == maxGroups {
			p.line("  " + w.More(len(groups)-i))
			break
		}
		// The first notification explains everything; a later one what is new.
		key := notify.Line(strings.ReplaceAll(g.Condition, " ", "_"), 60)
		isNew := !slices.Contains(explained, key)
		full := isNew && (g.Firing || m.Receipt == nil)
		if full || wasFull {
			p.blank()
		}
		if wasFull = full; full {
			p.group(m, g, w)
			explained = append(explained, key)
		} else {
			p.brief(m, g, w)
		}
	}
	// Whoever has seen the first notification knows where the incident's page is.
	if link := notify.WebURL(m.IncidentURL); link != "" && m.Receipt == nil && m.Firing {
		p.blank()
		p.fact(w.StatusPage, link, p.labels(w))
	}
	p.line("")
	return p.String(), explained
}

// header is a rule across the page: severity or end, site, time.
func (p *page) header(m notify.Notification, w notify.Words) {
	state := strings.ToUpper(w.State(m))
	if m.Test {
		state = w.Test + " " + state
	}
	site := m.About(w)
	switch {
	case site == "":
	case m.Firing && m.Digest != nil:
	case m.Firing && m.Receipt == nil:
		site += " " + w.Failing
	case m.Firing:
		site += " " + w.StillFailing
	}
	if m.Firing && m.Receipt != nil || !m.Firing {
		site = strings.TrimPrefix(site+w.Clause+w.After(m.Lasted()), w.Clause)
	}
	at := p.clock(m.At)
	rule := p.width - notify.Width(state+at) - 9
	if site != "" {
		site = "  " + site
		rule -= notify.Width(site)
	}
	p.line(p.paint(tone(m), "━━━ "+state) + p.paint(bold, site) + " " +
		p.paint(tone(m), strings.Repeat("━", max(3, rule))) + " " + at + " " + p.paint(tone(m), "━━"))
}

// events are what happened since the last time, newest last.
func (p *page) events(m notify.Notification, w notify.Words) {
	events := m.Events
	if more := len(events) - maxEvents; more > 0 {
		p.line("  " + w.More(more))
		events = events[more:]
	}
	for _, e := range events {
		lead := "  " + p.clock(e.At) + "  " + mark(e.Kind) + " "
		p.wrap(lead, strings.Repeat(" ", notify.Width(lead)), notify.Line(e.Text, maxText))
	}
}

// mark says at a glance what kind of event it was.
func mark(kind string) string {
	switch kind {
	case "opened", "joined":
		return "+"
	case "left", "resolved":
		return "✓"
	case "removed":
		return "-"
	case "severity":
		return "▲"
	}
	return "·"
}

// group is all there is to say about one condition.
func (p *page) group(m notify.Notification, g notify.Group, w notify.Words) {
	labels := p.labels(w)
	p.title(m, g, w)
	if _, summary := g.First(func(a notify.Alert) string { return notify.Line(a.Summary, maxText) }); summary != "" {
		p.wrap("  ", "  ", summary)
	}
	p.blank()
	faults := notify.Distinct(g.Alerts, func(a notify.Alert) string { return w.Fault(a.Fault) })
	p.fact(w.Where, strings.Join(faults, w.Comma), labels)
	p.fact(w.Owner, strings.Join(notify.Distinct(g.Alerts, func(a notify.Alert) string { return a.Owner }), w.Comma), labels)
	p.fact(w.Since, p.since(m, g, w), labels)
	p.fact(w.Location, strings.Join(notify.Distinct(g.Alerts, func(a notify.Alert) string { return a.Location }), w.Comma), labels)
	_, verdict := g.First(func(a notify.Alert) string { return notify.Line(a.Verdict, maxText) })
	p.fact(w.Verdict, verdict, labels)
	p.evidence(g, w, labels)
	if m.Firing {
		p.steps(g, w)
	}
	p.links(g, w, labels)
}

// title is the condition and the checks that show it.
func (p *page) title(m notify.Notification, g notify.Group, w notify.Words) {
	names, more := g.Checks(maxChecks)
	text := strings.Join(names, w.Comma)
	if more > 0 {
		text += w.Comma + w.More(more)
	}
	if also := g.Also(); len(also) > 0 {
		text += w.Open + w.Seen + w.Colon + notify.Line(strings.Join(also, w.Comma), 100) + w.Close
	}
	color := tone(m)
	if !g.Firing {
		color = green
	}
	label := g.Label()
	p.wrapPainted("  ", "  ", label+w.On+text, len(label), color)
}

// brief is one line about a condition that was explained before, or is over.
func (p *page) brief(m notify.Notification, g notify.Group, w notify.Words) {
	names, more := g.Checks(maxChecks)
	text := g.Label() + w.On + strings.Join(names, w.Comma)
	if more > 0 {
		text += w.Comma + w.More(more)
	}
	mark := p.paint(tone(m), "✗")
	if !g.Firing {
		mark = p.paint(green, "✓")
		if a := g.Alerts[0]; len(g.Alerts) == 1 && !a.ResolvedAt.IsZero() {
			text += w.Clause + w.After(a.ResolvedAt.Sub(a.Since))
		}
	}
	p.wrap("  "+mark+" ", "    ", text)
}

func (p *page) since(m notify.Notification, g notify.Group, w notify.Words) string {
	since := g.Alerts[0].Since
	for _, a := range g.Alerts {
		if a.Since.Before(since) {
			since = a.Since
		}
	}
	if since.IsZero() {
		return ""
	}
	end := m.At
	if !m.ResolvedAt.IsZero() {
		end = m.ResolvedAt
	}
	return p.clock(since) + w.Open + w.Duration(end.Sub(since)) + w.Close
}

// evidence is what was seen of one check of the group, its labels aligned with
// the facts where they fit.
func (p *page) evidence(g notify.Group, w notify.Words, labels int) {
	a, first := g.First(func(a notify.Alert) string { return strings.Join(a.Evidence[:min(1, len(a.Evidence))], "") })
	if first == "" {
		return
	}
	p.blank()
	head := w.Evidence
	if len(g.Alerts) > 1 {
		head += w.Open + a.Name() + w.Close
	}
	p.line("  " + p.paint(bold, head))
	width := 0
	var pairs [][2]string
	for _, line := range a.Evidence[:min(maxEvidence, len(a.Evidence))] {
		label, value := notify.Pair(line, maxText)
		width = max(width, notify.Width(label))
		pairs = append(pairs, [2]string{label, value})
	}
	width = max(width, labels-2)
	for _, pair := range pairs {
		lead := "    " + p.paint(dim, notify.Pad(pair[0], width)) + "  "
		p.wrap(lead, strings.Repeat(" ", width+6), pair[1])
	}
}

func (p *page) steps(g notify.Group, w notify.Words) {
	a, first := g.First(func(a notify.Alert) string { return strings.Join(a.Steps[:min(1, len(a.Steps))], "") })
	if first == "" {
		return
	}
	p.blank()
	p.line("  " + p.paint(bold, w.Steps))
	for i, step := range a.Steps[:min(maxSteps, len(a.Steps))] {
		number := fmt.Sprintf("%5d. ", i+1)
		p.wrap(p.paint(bold, number), strings.Repeat(" ", len(number)), notify.Line(step, maxText))
	}
}

func (p *page) links(g notify.Group, w notify.Words, labels int) {
	_, runbook := g.First(func(a notify.Alert) string { return notify.WebURL(a.RunbookURL) })
	_, catalog := g.First(func(a notify.Alert) string { return notify.WebURL(a.CatalogURL) })
	_, docs := g.First(func(a notify.Alert) string { return notify.WebURL(a.DocURL) })
	if runbook+catalog+docs == "" {
		return
	}
	p.blank()
	p.fact(w.Runbook, runbook, labels)
	p.fact(w.Catalog, catalog, labels)
	p.fact(w.Docs, docs, labels)
}

// clock is the time of day: whoever reads the screen knows the day.
func (n *Notifier) clock(t time.Time) string { return t.In(n.location).Format("15:04:05") }
