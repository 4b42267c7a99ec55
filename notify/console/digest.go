package console

import (
	"github.com/esawatch/esawatch/notify"
)

// maxLines bounds the incidents that a digest lists.
const maxLines = 20

// digest is what the incidents of a digest have in common and, the first time,
// which they are. Later the events say what became of them.
func (p *page) digest(m notify.Notification, w notify.Words) {
	if m.Firing {
		p.fact(w.InCommon, notify.Line(m.Digest.Shared, maxText), notify.Width(w.InCommon))
	}
	if m.Receipt != nil {
		return
	}
	p.blank()
	width := 0
	lines := m.Digest.Lines[:min(maxLines, len(m.Digest.Lines))]
	for _, l := range lines {
		width = max(width, notify.Width(notify.Line(l.Site, 63)))
	}
	for _, l := range lines {
		text := notify.Pad(notify.Line(l.Site, 63), width) + "  " + notify.Line(l.Summary, 150)
		mark := p.paint(tone(notify.Notification{Firing: l.Firing, Severity: l.Severity}), "✗")
		if !l.Firing {
			mark = p.paint(green, "✓")
			text += w.Clause + w.After(l.ResolvedAt.Sub(l.Since))
		}
		p.wrap("  "+mark+" ", "    ", text)
	}
	if more := len(m.Digest.Lines) - len(lines); more > 0 {
		p.line("    " + w.More(more))
	}
}
