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
	maxEvent    = 150
	maxBrief    = 2 // lines of a section that say nothing yet: a blank one and its title
)

// page is a part of a message that is being written.
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

// section explains one condition.
type section struct {
	key   string // of the condition, as the receipt has it
	lines []string
}

// render words m in at most limit bytes: the first time all of it, later what
// changed and the conditions that are new. The receipt has those that were
// explained to the end, so that what was cut off is told with the next change.
func (n *Notifier) render(m notify.Notification, limit int) (msg message, explained []string) {
	p := &page{words: notify.WordsFor(m.Lang), location: n.location}
	explained = strings.Fields(m.Receipt["explained"])
	title := p.title(m)
	sections, proof := n.sections(m, explained)
	p.head(m, len(sections), limit)

	d := draft{room: limit - len(title) - 1}
	if link := notify.WebURL(m.IncidentURL); link != "" {
		d.keep("", p.words.StatusPage+p.words.Colon+link)
	}
	d.keepIfCut(p.words.Shortened)
	d.add(p.lines)
	for i, s := range sections {
		before := len(d.lines)
		all := d.add(append([]string{""}, s.lines...))
		if all || i == 0 && len(d.lines)-before > maxBrief { // the first has all the room there can be
			explained = append(explained, s.key)
		}
	}
	d.addKept()
	for _, lines := range proof {
		d.add(append([]string{""}, lines...))
	}
	return message{title: title, lines: d.done(), chinese: strings.HasPrefix(m.Lang, "zh")}, explained
}

// head is what has happened and, a line each, what it is about. The events take a
// third of the message at most.
func (p *page) head(m notify.Notification, sections, limit int) {
	if m.Receipt != nil || !m.Firing {
		p.events(m, limit/3)
	}
	if m.Digest != nil {
		p.digest(m)
	}
	if len(m.Alerts) == 0 && m.Receipt == nil {
		p.line(tame(m.Summary))
	}
	groups := notify.Groups(m.Explained())
	if len(groups) == 1 && sections == 1 {
		return // its section says it
	}
	for i, g := range groups {
		if i == maxGroups {
			p.line(p.words.More(len(groups) - i))
			break
		}
		p.brief(g)
	}
}

// sections are the conditions to be explained, and the evidence of each.
func (n *Notifier) sections(m notify.Notification, explained []string) (sections []section, proof [][]string) {
	for i, g := range notify.Groups(m.Explained()) {
		key := notify.Line(strings.ReplaceAll(g.Condition, " ", "_"), 60)
		if i >= maxGroups || slices.Contains(explained, key) || !g.Firing && m.Receipt != nil {
			continue
		}
		p := &page{words: notify.WordsFor(m.Lang), location: n.location}
		p.group(m, g)
		sections = append(sections, section{key, p.lines})
		p.lines = nil
		p.evidence(g)
		if p.lines != nil {
			proof = append(proof, p.lines)
		}
	}
	return sections, proof
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
		title += w.Clause + w.After(m.Lasted())
	}
	return uncalled(title)
}

// events are what happened since the last time, newest last: of many, or of long
// ones, the newest.
func (p *page) events(m notify.Notification, room int) {
	var lines []string
	for _, e := range slices.Backward(m.Events) {
		line := "· " + p.clock(e.At) + " " + tame(notify.Line(e.Text, maxEvent))
		if room -= len(line) + 1; room < 0 && len(lines) > 0 || len(lines) == maxEvents {
			lines = append(lines, p.words.More(len(m.Events)-len(lines)))
			break
		}
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	p.lines = append(p.lines, lines...)
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
		p.line(fmt.Sprintf("%d. %s", i+1, uncalled(notify.Line(step, maxText))))
	}
}

// evidence is what was seen of one check of the group.
func (p *page) evidence(g notify.Group) {
	a, first := g.First(func(a notify.Alert) string { return strings.Join(a.Evidence[:min(1, len(a.Evidence))], "") })
	if first == "" {
		return
	}
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
	return uncalled(strings.ReplaceAll(notify.Line(s, maxText), "://", "[:]//"))
}

// uncalled calls nobody: WeCom takes <@id> in a text for a mention.
func uncalled(s string) string { return strings.ReplaceAll(s, "<@", "＜@") }
