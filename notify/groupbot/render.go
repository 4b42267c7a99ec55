package groupbot

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

// page is a message that is being written.
type page struct {
	words    notify.Words
	location *time.Location
	lines    []string
}

func (p *page) line(s string) { p.lines = append(p.lines, s) }

// blank is an empty line, unless there is one already.
func (p *page) blank() {
	if n := len(p.lines); n > 0 && p.lines[n-1] != "" {
		p.line("")
	}
}

// fact is a label and its value; nothing when there is no value.
func (p *page) fact(label, value string) {
	if value != "" {
		p.line(label + p.words.Colon + value)
	}
}

func (p *page) clock(t time.Time) string { return t.In(p.location).Format("01-02 15:04:05 MST") }

// render words m: the first time all of it, later what changed and the conditions
// that are new. What matters least comes last, as a long message is cut.
func (n *Notifier) render(m notify.Notification) (msg message, explained []string) {
	p := &page{words: notify.WordsFor(m.Lang), location: n.location}
	explained = strings.Fields(m.Receipt["explained"])
	if m.Receipt != nil || !m.Firing {
		p.events(m)
	}
	if m.Digest != nil {
		p.digest(m)
	}
	if len(m.Alerts) == 0 && m.Receipt == nil {
		p.line(tame(m.Summary))
	}
	var proof []notify.Group
	groups := notify.Groups(m.Explained())
	for i, g := range groups {
		if i == maxGroups {
			p.line(p.words.More(len(groups) - i))
			break
		}
		key := notify.Line(strings.ReplaceAll(g.Condition, " ", "_"), 60)
		if slices.Contains(explained, key) || !g.Firing && m.Receipt != nil {
			if len(proof) > 0 {
				p.blank()
			}
			p.brief(g)
			continue
		}
		p.group(m, g)
		proof, explained = append(proof, g), append(explained, key)
	}
	link := notify.WebURL(m.IncidentURL)
	if link != "" {
		p.blank()
		p.fact(p.words.StatusPage, link)
	}
	for _, g := range proof {
		p.evidence(g)
	}
	msg = message{title: p.title(m), chinese: strings.HasPrefix(m.Lang, "zh")}
	msg.lines = fit(p.lines, n.dialect.limit-len(msg.title)-1, p.words.Shortened)
	return msg, explained
}

// title is severity or end, site, and how long.
func (p *page) title(m notify.Notification) string {
	w := p.words
	state := strings.ToUpper(w.State(m))
	if m.Test {
		state = w.Test + " " + state
	}
	title := "[" + state + "]"
	if strings.HasPrefix(m.Lang, "zh") {
		title = "【" + state + "】"
	}
	if about := m.About(w); about != "" {
		title += " " + about
		switch {
		case !m.Firing || m.Digest != nil:
		case m.Receipt == nil:
			title += " " + w.Failing
		default:
			title += " " + w.StillFailing
		}
	}
	if !m.Firing || m.Receipt != nil {
		title += w.Comma + w.After(m.Lasted())
	}
	return title
}

// events are what happened since the last time, newest last.
func (p *page) events(m notify.Notification) {
	events := m.Events
	if more := len(events) - maxEvents; more > 0 {
		p.line(p.words.More(more))
		events = events[more:]
	}
	for _, e := range events {
		p.line("· " + p.clock(e.At) + " " + tame(e.Text))
	}
}

// digest is what the incidents have in common and, the first time, which they are.
func (p *page) digest(m notify.Notification) {
	if m.Firing {
		p.fact(p.words.InCommon, tame(m.Digest.Shared))
	}
	if m.Receipt != nil {
		return
	}
	for i, l := range m.Digest.Lines {
		if i == 20 {
			p.line(p.words.More(len(m.Digest.Lines) - i))
			break
		}
		mark := "✗ "
		if !l.Firing {
			mark = "✓ "
		}
		p.line(mark + notify.Line(l.Site, 63) + p.words.Colon + tame(notify.Line(l.Summary, 150)))
	}
}

// group is what to do about one condition, and why.
func (p *page) group(m notify.Notification, g notify.Group) {
	w := p.words
	p.blank()
	p.line(tame(g.Label()) + w.On + p.checks(g))
	if _, summary := g.First(func(a notify.Alert) string { return tame(a.Summary) }); summary != "" {
		p.line(summary)
	}
	_, verdict := g.First(func(a notify.Alert) string { return tame(a.Verdict) })
	p.fact(w.Verdict, verdict)
	p.fact(w.Where, strings.Join(notify.Distinct(g.Alerts, func(a notify.Alert) string { return tame(w.Fault(a.Fault)) }), w.Comma))
	p.fact(w.Owner, strings.Join(notify.Distinct(g.Alerts, func(a notify.Alert) string { return tame(notify.Line(a.Owner, 100)) }), w.Comma))
	if since := g.Alerts[0].Since; !since.IsZero() {
		p.fact(w.Since, p.clock(since))
	}
	if m.Firing {
		p.steps(g)
	}
	for _, link := range []struct {
		label string
		of    func(notify.Alert) string
	}{
		{w.Runbook, func(a notify.Alert) string { return a.RunbookURL }},
		{w.Docs, func(a notify.Alert) string { return a.DocURL }},
	} {
		_, target := g.First(func(a notify.Alert) string { return notify.WebURL(link.of(a)) })
		p.fact(link.label, target)
	}
}

func (p *page) steps(g notify.Group) {
	a, first := g.First(func(a notify.Alert) string { return strings.Join(a.Steps[:min(1, len(a.Steps))], "") })
	if first == "" {
		return
	}
	p.blank()
	p.line(p.words.Steps)
	for i, step := range a.Steps[:min(maxSteps, len(a.Steps))] {
		p.line(fmt.Sprintf("%d. %s", i+1, notify.Line(step, maxText)))
	}
}

// evidence is what was seen of one check of the group.
func (p *page) evidence(g notify.Group) {
	a, first := g.First(func(a notify.Alert) string { return strings.Join(a.Evidence[:min(1, len(a.Evidence))], "") })
	if first == "" {
		return
	}
	p.blank()
	p.line(p.words.Evidence + p.words.Open + tame(a.Name()) + p.words.Close)
	for _, line := range a.Evidence[:min(maxEvidence, len(a.Evidence))] {
		p.line(tame(line))
	}
}

// brief is one line about a condition that was explained before, or is over.
func (p *page) brief(g notify.Group) {
	mark := "✗ "
	if !g.Firing {
		mark = "✓ "
	}
	p.line(mark + tame(g.Label()) + p.words.On + p.checks(g))
}

func (p *page) checks(g notify.Group) string {
	names, more := g.Checks(maxChecks)
	text := tame(strings.Join(names, p.words.Comma))
	if more > 0 {
		text += p.words.Comma + p.words.More(more)
	}
	return text
}

// tame makes one harmless line of what a server may have had a word in: chat
// clients make links of addresses. Steps are ours, and their addresses are meant.
func tame(s string) string {
	return strings.ReplaceAll(notify.Line(s, maxText), "://", "[:]//")
}

// fit is the lines that fit into so many bytes, and, if they are not all of them,
// that something is missing.
func fit(lines []string, limit int, shortened string) []string {
	size := 0
	for _, line := range lines {
		size += len(line) + 1
	}
	if size <= limit {
		return lines
	}
	left := limit - len(shortened) - 1
	for i, line := range lines {
		if left -= len(line) + 1; left < 0 {
			return append(slices.Clone(lines[:i]), shortened)
		}
	}
	return lines
}
