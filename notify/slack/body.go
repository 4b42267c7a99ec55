package slack

import (
	"slices"
	"strings"

	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// Bounds of lists within a message.
const (
	maxChecks = 5  // named in a group
	maxNamed  = 6  // groups that are only named
	maxEvents = 10 // told in one message
)

// body explains the conditions that fire, each once with the names of its
// checks, and names the rest.
func body(m notify.Notification, d detail, w notify.Words) []slackapi.Block {
	if len(m.Alerts) == 0 && m.Digest == nil {
		if summary := notify.Line(m.Summary, 2*d.line); summary != "" {
			return []slackapi.Block{slackapi.NewRichTextBlock("", section(text(summary)))}
		}
		return nil
	}
	var blocks []slackapi.Block
	var named []slackapi.RichTextElement
	explained, more := 0, 0
	for _, g := range notify.Groups(m.Explained()) {
		switch {
		case (g.Firing || !m.Firing) && explained < d.groups:
			explained++
			blocks = append(blocks, slackapi.NewDividerBlock(), slackapi.NewRichTextBlock("", explainGroup(m, g, d, w)...))
		case len(named) < maxNamed:
			named = append(named, section(nameGroup(m, g, w)...))
		default:
			more++
		}
	}
	if more > 0 {
		named = append(named, section(text(w.More(more))))
	}
	if len(named) > 0 {
		blocks = append(blocks, slackapi.NewRichTextBlock("", list(slackapi.RTEListBullet, named...)))
	}
	return blocks
}

// nameGroup is one line: the condition and the checks that show it.
func nameGroup(m notify.Notification, g notify.Group, w notify.Words) []slackapi.RichTextSectionElement {
	line := []slackapi.RichTextSectionElement{bold(g.Label()), text(w.On)}
	if !g.Firing && m.Firing {
		line = append([]slackapi.RichTextSectionElement{text("✅ ")}, line...)
	}
	names, more := g.Checks(maxChecks)
	for i, name := range names {
		if i > 0 {
			line = append(line, text(w.Comma))
		}
		line = append(line, code(name))
	}
	if more > 0 {
		line = append(line, text(w.Comma+w.More(more)))
	}
	if !g.Firing && m.Firing && len(g.Alerts) == 1 {
		a := g.Alerts[0]
		line = append(line, text(w.Comma+w.Resolved+" "+w.After(a.ResolvedAt.Sub(a.Since))))
	}
	if slices.ContainsFunc(g.Alerts, func(a notify.Alert) bool { return a.Flapping }) {
		line = append(line, text(w.Comma+eventIcon("flapping")+" "+w.Flapping))
	}
	if also := g.Also(); len(also) > 0 {
		line = append(line, text(w.Open+w.Seen+w.Colon+notify.Line(strings.Join(also, w.Comma), 80)+w.Close))
	}
	return line
}

// explainGroup is all there is to say about one condition.
func explainGroup(m notify.Notification, g notify.Group, d detail, w notify.Words) []slackapi.RichTextElement {
	line := nameGroup(m, g, w)
	if _, summary := g.First(func(a notify.Alert) string { return notify.Line(a.Summary, d.line) }); summary != "" {
		line = append(line, text("\n"+summary))
	}
	elements := []slackapi.RichTextElement{section(line...)}
	of := func(a notify.Alert) string {
		if len(g.Alerts) == 1 {
			return ""
		}
		return w.Open + a.Name() + w.Close
	}
	if a, verdict := g.First(func(a notify.Alert) string { return notify.Line(a.Verdict, d.line) }); verdict != "" {
		elements = append(elements, quote(bold(w.Verdict+of(a)+w.Colon), text(verdict)))
	}
	if a, evidence := evidence(g, d); evidence != "" {
		elements = append(elements, section(bold(w.Evidence+of(a))), preformatted(evidence))
	}
	// What is over needs nothing done.
	if _, steps := steps(g, d.steps, d.line); m.Firing && len(steps) > 0 {
		var items []slackapi.RichTextElement
		for _, s := range steps {
			items = append(items, section(text(s)))
		}
		elements = append(elements, section(bold(w.Steps)), list(slackapi.RTEListOrdered, items...))
	}
	return elements
}

// evidence is what was seen of one check of the group, its labels aligned.
func evidence(g notify.Group, d detail) (notify.Alert, string) {
	a, _ := g.First(func(a notify.Alert) string { return strings.Join(a.Evidence[:min(1, len(a.Evidence))], "") })
	width := 0
	var pairs [][2]string
	for _, line := range a.Evidence[:min(d.evidence, len(a.Evidence))] {
		label, value := notify.Pair(line, d.line)
		width = max(width, notify.Width(label))
		pairs = append(pairs, [2]string{label, value})
	}
	var lines []string
	for _, p := range pairs {
		if width > 0 {
			p[1] = notify.Pad(p[0], width) + "  " + p[1]
		}
		lines = append(lines, p[1])
	}
	return a, strings.Join(lines, "\n")
}

// steps is what to do, at most limit steps of at most line runes.
func steps(g notify.Group, limit, line int) (notify.Alert, []string) {
	a, _ := g.First(func(a notify.Alert) string { return strings.Join(a.Steps[:min(1, len(a.Steps))], "") })
	var all []string
	for _, s := range a.Steps[:min(limit, len(a.Steps))] {
		if s = notify.Line(s, line); s != "" {
			all = append(all, s)
		}
	}
	return a, all
}

// history is a reply in the thread: what happened since the last one.
func (n *Notifier) history(m notify.Notification, events []notify.Event) message {
	w := notify.WordsFor(m.Lang)
	var lines []slackapi.RichTextElement
	var words []string
	if !m.Firing {
		end := icon(m) + " " + strings.ToUpper(w.State(m)) + w.Clause + w.After(m.Lasted())
		lines = append(lines, section(bold(end)))
		words = append(words, end)
	}
	lines = append(lines, eventItems(events, w)...)
	for _, e := range events[:min(maxEvents, len(events))] {
		words = append(words, notify.Line(e.Text, 120))
	}
	msg := message{text: inert(m.About(w)+w.Colon+strings.Join(words, w.Semicolon), 1000)}
	if call := n.call(m, events); call != "" {
		msg.blocks = append(msg.blocks, slackapi.NewSectionBlock(mrkdwn(call), nil, nil))
		msg.plain = call + " "
	}
	msg.plain += msg.text
	msg.blocks = append(msg.blocks, slackapi.NewRichTextBlock("", lines...))
	return msg
}

// eventItems are the newest events, a line each.
func eventItems(events []notify.Event, w notify.Words) []slackapi.RichTextElement {
	var items []slackapi.RichTextElement
	if more := len(events) - maxEvents; more > 0 {
		items = append(items, section(text(w.More(more))))
		events = events[more:]
	}
	for _, e := range events {
		items = append(items, section(text(eventIcon(e.Kind)+" "+notify.Line(e.Text, 300)), text(e.At.UTC().Format(" (15:04:05 UTC)"))))
	}
	return items
}

func eventIcon(kind string) string {
	switch kind {
	case "opened", "joined":
		return "➕"
	case "changed":
		return "🔀"
	case "severity":
		return "🔺"
	case "left", "resolved":
		return "✅"
	case "reminder":
		return "⏰"
	case "removed":
		return "➖"
	case "flapping":
		return "〰️"
	case "muted":
		return "🔕"
	case "unmuted":
		return "🔔"
	case "spread":
		return "🌐"
	}
	return "•"
}
