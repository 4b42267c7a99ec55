package slack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// message is one message to be sent.
type message struct {
	text   string // mrkdwn, for a locked phone and where blocks are not shown
	plain  string // mrkdwn, all there is when Slack does not take the blocks
	blocks []slackapi.Block
	color  string           // of the bar beside the footer
	footer []slackapi.Block // links; few, so that Slack does not fold them away
}

// attachments is never nil: an update without any would keep the old ones.
func (m message) attachments() []slackapi.Attachment {
	if len(m.footer) == 0 {
		return []slackapi.Attachment{}
	}
	return []slackapi.Attachment{{Color: m.color, Fallback: m.text, Blocks: slackapi.Blocks{BlockSet: m.footer}}}
}

// maxMessage bounds the JSON of a message's blocks, in characters. Slack refuses
// somewhere above 11,000 characters of text and does not say how it counts.
const maxMessage = 11000

// size is what maxMessage bounds.
func (m message) size() int {
	blocks, err := json.Marshal(slackapi.Blocks{BlockSet: m.blocks})
	footer, err2 := json.Marshal(m.attachments())
	if err != nil || err2 != nil {
		return maxMessage + 1
	}
	return utf8.RuneCount(blocks) + utf8.RuneCount(footer)
}

// detail says how much of an incident a message shows.
type detail struct {
	groups   int  // conditions that are explained; the others are only named
	evidence int  // lines of each
	steps    int  // of each
	line     int  // longest text, in runes
	lines    int  // of a digest
	links    bool // in them
}

// details are tried in turn until the message fits. The last one always does.
func details() []detail {
	return []detail{
		{4, 10, 8, 500, 20, true}, {3, 8, 6, 300, 20, true}, {2, 8, 6, 240, 15, true},
		{1, 6, 5, 200, 15, false}, {1, 4, 4, 120, 10, false}, {1, 2, 2, 80, 5, false},
	}
}

// incident is the message of an incident: all that somebody woken at night
// needs, without a click.
func (n *Notifier) incident(m notify.Notification) message {
	return n.fit(m, nil, true)
}

// change is a later message of an incident where the first one cannot be
// updated: what happened, and the explanations again only when something new
// broke.
func (n *Notifier) change(m notify.Notification) message {
	news := slices.ContainsFunc(m.Events, func(e notify.Event) bool {
		return e.Kind == "opened" || e.Kind == "joined" || e.Kind == "changed" || e.Kind == "severity"
	})
	return n.fit(m, m.Events, news && m.Firing)
}

// fit lays m out as fully as fits.
func (n *Notifier) fit(m notify.Notification, events []notify.Event, explained bool) message {
	var msg message
	for i, d := range details() {
		if !explained {
			d.groups = 0
		}
		msg = n.layout(m, events, d, i > 0)
		if msg.size() <= maxMessage {
			break
		}
	}
	return msg
}

func (n *Notifier) layout(m notify.Notification, events []notify.Event, d detail, short bool) message {
	w := notify.WordsFor(m.Lang)
	headline := inert(m.Headline(), 600)
	msg := message{text: headline, plain: plainText(m, w), color: color(m), blocks: []slackapi.Block{header(title(m, w))}}
	if call := n.call(m, events); call != "" {
		msg.blocks = append(msg.blocks, slackapi.NewSectionBlock(mrkdwn(call), nil, nil))
		msg.plain = call + " " + msg.plain
	}
	msg.blocks = append(msg.blocks, slackapi.NewSectionBlock(nil, facts(m, w), nil))
	if len(events) > 0 {
		msg.blocks = append(msg.blocks, slackapi.NewRichTextBlock("", section(bold(w.Happened)), list(slackapi.RTEListBullet, eventItems(events, w)...)))
	}
	if m.Digest != nil {
		msg.blocks = append(msg.blocks, digest(m, d, w)...)
	}
	msg.blocks = append(msg.blocks, body(m, d, w)...)
	msg.footer = footer(m, w, short)
	return msg
}

// call is the mention that belongs into a message: in the first one, and in a
// later one when the incident became critical.
func (n *Notifier) call(m notify.Notification, events []notify.Event) string {
	rose := loud(m, slices.DeleteFunc(slices.Clone(events), func(e notify.Event) bool { return e.Kind != "severity" }))
	if m.Firing && (len(events) == 0 || rose) {
		return n.mention
	}
	return ""
}

// title is the header: state, site, and how long it was when it is over.
func title(m notify.Notification, w notify.Words) string {
	about := m.About(w)
	if m.Firing && m.Digest == nil && about != "" {
		about += " " + w.Failing
	}
	if about == "" {
		about = notify.Line(m.Summary, 100)
	}
	t := icon(m) + " " + strings.ToUpper(w.State(m)) + w.Colon + about
	if !m.Firing {
		t += w.Clause + w.After(m.Lasted())
	}
	if m.Test {
		t = w.Test + w.Colon + t
	}
	return t
}

// icon is the state at a glance.
func icon(m notify.Notification) string {
	switch {
	case m.Withdrawn():
		return "⚪"
	case !m.Firing:
		return "🟢"
	case m.Severity == "critical":
		return "🔴"
	case m.Severity == "warning":
		return "🟠"
	}
	return "🔵"
}

func color(m notify.Notification) string {
	switch icon(m) {
	case "⚪":
		return "#9e9e9e"
	case "🟢":
		return "#2eb67d"
	case "🔴":
		return "#e01e5a"
	case "🟠":
		return "#ecb22e"
	}
	return "#36c5f0"
}

// facts are the fields below the header: where the fault lies, whose it is,
// since when, seen from where.
func facts(m notify.Notification, w notify.Words) []*slackapi.TextBlockObject {
	const maxNames = 4
	names := func(value func(notify.Alert) string) string {
		all := notify.Distinct(m.Telling(), value)
		text := strings.Join(all[:min(len(all), maxNames)], w.Comma)
		if len(all) > maxNames {
			text += w.Comma + w.More(len(all)-maxNames)
		}
		return inert(text, 300)
	}
	var fields []*slackapi.TextBlockObject
	add := func(label, value string) {
		if value != "" {
			fields = append(fields, fact(label, value))
		}
	}
	add(w.Where, names(func(a notify.Alert) string { return w.Fault(a.Fault) }))
	add(w.Owner, names(func(a notify.Alert) string { return a.Owner }))
	since := date(m.Since)
	if m.Firing {
		add(w.Since, since+w.Open+w.AtUpdate(m.Lasted())+w.Close)
	} else {
		add(w.Since, since)
		add(w.Lasted, w.Duration(m.Lasted()))
	}
	add(w.Location, names(func(a notify.Alert) string { return a.Location }))
	return fields
}

// date shows t in each reader's own time zone.
func date(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time_secs}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// plainText is the whole message where no layout is possible.
func plainText(m notify.Notification, w notify.Words) string {
	lines := []string{icon(m) + " " + inert(m.Headline(), 600), w.PlainOnly}
	if groups := notify.Groups(m.Telling()); m.Firing && len(groups) > 0 {
		_, steps := steps(groups[0], 3, 300)
		for i, s := range steps {
			lines = append(lines, fmt.Sprintf("%d. %s", i+1, inert(s, 300)))
		}
	}
	if link := notify.WebURL(m.IncidentURL); link != "" {
		lines = append(lines, link)
	}
	return strings.Join(lines, "\n")
}
