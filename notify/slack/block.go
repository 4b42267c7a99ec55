package slack

import (
	"strings"

	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// Text gets into a message in three ways. Rich text takes it literally: Slack
// parses nothing in it. A header is plain text. The fallback text and the facts
// are mrkdwn, and what goes there is made inert first.

// inert makes s harmless in mrkdwn: it can neither mention, link nor format.
// The zero-width spaces break up what Slack would link without any brackets.
func inert(s string, limit int) string {
	s = notify.Line(s, limit)
	// An underscore formats only at the edge of a word; inside one it is part of
	// a name, such as connect_timeout, and stays.
	runes := []rune(s)
	for i, r := range runes {
		if r == '_' && (i == 0 || i == len(runes)-1 || !wordy(runes[i-1]) || !wordy(runes[i+1])) {
			runes[i] = 'ˍ'
		}
	}
	return inertReplacer.Replace(string(runes))
}

var inertReplacer = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
	"*", "∗", "~", "∼", "`", "'",
	"@", "@\u200b", "://", ":\u200b//", "#", "#\u200b",
)

func wordy(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// mrkdwn is a text object whose markup is ours: Slack finds nothing else in it.
func mrkdwn(s string) *slackapi.TextBlockObject {
	return &slackapi.TextBlockObject{Type: slackapi.MarkdownType, Text: s, Verbatim: true}
}

func header(s string) slackapi.Block {
	emoji := false
	return slackapi.NewHeaderBlock(&slackapi.TextBlockObject{Type: slackapi.PlainTextType, Text: notify.Line(s, 150), Emoji: &emoji})
}

// fact is a field of a section; value is mrkdwn already.
func fact(label, value string) *slackapi.TextBlockObject {
	return mrkdwn("*" + label + "*\n" + value)
}

func section(elements ...slackapi.RichTextSectionElement) *slackapi.RichTextSection {
	return slackapi.NewRichTextSection(elements...)
}

func text(s string) slackapi.RichTextSectionElement {
	return slackapi.NewRichTextSectionTextElement(s, nil)
}

func bold(s string) slackapi.RichTextSectionElement {
	return slackapi.NewRichTextSectionTextElement(s, &slackapi.RichTextSectionTextStyle{Bold: true})
}

func code(s string) slackapi.RichTextSectionElement {
	return slackapi.NewRichTextSectionTextElement(s, &slackapi.RichTextSectionTextStyle{Code: true})
}

func quote(elements ...slackapi.RichTextSectionElement) slackapi.RichTextElement {
	return &slackapi.RichTextQuote{Type: slackapi.RTEQuote, Elements: elements}
}

func preformatted(s string) slackapi.RichTextElement {
	return &slackapi.RichTextPreformatted{Type: slackapi.RTEPreformatted, Elements: []slackapi.RichTextSectionElement{text(s)}}
}

func list(style slackapi.RichTextListElementType, items ...slackapi.RichTextElement) slackapi.RichTextElement {
	return slackapi.NewRichTextList(style, 0, items...)
}
