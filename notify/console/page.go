package console

import (
	"strings"

	"github.com/esawatch/esawatch/notify"
)

// The colours, as parameters of ANSI's SGR.
const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	green  = "1;32"
	yellow = "1;33"
	blue   = "1;34"
)

// tone is the colour of a notification.
func tone(m notify.Notification) string {
	switch {
	case !m.Firing:
		return green
	case m.Severity == "critical":
		return red
	case m.Severity == "warning":
		return yellow
	}
	return blue
}

// paint colours s when colours are on.
func (n *Notifier) paint(color, s string) string {
	if !n.color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// page is a text that is being written.
type page struct {
	*Notifier
	strings.Builder
}

func (p *page) line(s string) {
	p.WriteString(strings.TrimRight(s, " "))
	p.WriteByte('\n')
}

// blank is an empty line, unless there is one already.
func (p *page) blank() {
	if !strings.HasSuffix(p.String(), "\n\n") {
		p.line("")
	}
}

// labels is the width of the column of labels.
func (p *page) labels(w notify.Words) int {
	width := 0
	for _, label := range []string{w.Where, w.Owner, w.Since, w.Location, w.Verdict, w.Runbook, w.Catalog, w.Docs, w.StatusPage} {
		width = max(width, notify.Width(label))
	}
	return width
}

// fact is a label and its value; nothing when there is no value.
func (p *page) fact(label, value string, width int) {
	if value == "" {
		return
	}
	p.wrap("  "+p.paint(dim, notify.Pad(label, width))+"  ", strings.Repeat(" ", width+4), value)
}

// wrap writes text in lines that fit the page: lead before the first, indent
// before the others, which both take the same number of columns.
func (p *page) wrap(lead, indent, text string) { p.wrapPainted(lead, indent, text, 0, "") }

// wrapPainted is wrap with the first painted bytes of text in a colour.
func (p *page) wrapPainted(lead, indent, text string, painted int, color string) {
	room := max(20, p.width-notify.Width(indent))
	for {
		head, rest := notify.Split(text, room)
		n := min(max(0, painted), len(head))
		p.line(lead + p.paint(color, head[:n]) + head[n:])
		if rest == "" {
			return
		}
		painted -= len(text) - len(rest)
		lead, text = indent, rest
	}
}
