package slack

import (
	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// digest is what a message about many incidents has above the explanations:
// what they have in common, and which they are.
func digest(m notify.Notification, d detail, w notify.Words) []slackapi.Block {
	var elements []slackapi.RichTextElement
	if shared := notify.Line(m.Digest.Shared, d.line); shared != "" {
		elements = append(elements, quote(bold(w.InCommon+w.Colon), text(shared)))
	}
	var items []slackapi.RichTextElement
	for _, l := range m.Digest.Lines[:min(d.lines, len(m.Digest.Lines))] {
		items = append(items, section(digestLine(l, d, w)...))
	}
	if more := len(m.Digest.Lines) - d.lines; more > 0 {
		items = append(items, section(text(w.More(more))))
	}
	if len(items) > 0 {
		elements = append(elements, list(slackapi.RTEListBullet, items...))
	}
	if len(elements) == 0 {
		return nil
	}
	return []slackapi.Block{slackapi.NewRichTextBlock("", elements...)}
}

// digestLine is one incident: its state, its site, what fails there.
func digestLine(l notify.DigestLine, d detail, w notify.Words) []slackapi.RichTextSectionElement {
	site := slackapi.RichTextSectionElement(bold(notify.Line(l.Site, 63)))
	if link := notify.WebURL(l.URL); link != "" && d.links {
		site = slackapi.NewRichTextSectionLinkElement(link, notify.Line(l.Site, 63), &slackapi.RichTextSectionTextStyle{Bold: true})
	}
	what := text(w.Colon + notify.Line(l.Summary, min(d.line, 150)))
	if !l.Firing {
		return []slackapi.RichTextSectionElement{text("✅ "), site, what, text(w.Clause + w.After(l.ResolvedAt.Sub(l.Since)))}
	}
	return []slackapi.RichTextSectionElement{text(icon(notify.Notification{Firing: true, Severity: l.Severity}) + " "), site, what}
}
