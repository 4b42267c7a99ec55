package slack

import (
	"slices"
	"strings"

	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// Bounds of the links: Slack's on one text, and what a reader bears.
const (
	maxLinks     = 8
	maxLinksText = 2500
)

// footer is the links, beside a bar in the colour of the state, and the
// incident's name.
func footer(m notify.Notification, w notify.Words, short bool) []slackapi.Block {
	var blocks []slackapi.Block
	if links := links(m, w); links != "" {
		blocks = append(blocks, slackapi.NewSectionBlock(mrkdwn(links), nil, nil))
	}
	notes := []slackapi.MixedElement{mrkdwn(w.Incident + " " + inert(m.ID, 100))}
	if short {
		notes = append(notes, mrkdwn(w.Shortened))
	}
	return append(blocks, slackapi.NewContextBlock("", notes...))
}

// links are the links of an incident: to the incident itself, then those of its
// conditions. A kind of link that several conditions have says for which one it is.
func links(m notify.Notification, w notify.Words) string {
	var all []string
	size := 0
	add := func(label, link string) {
		link = notify.WebURL(link)
		if link == "" || len(all) == maxLinks {
			return
		}
		l := "<" + strings.ReplaceAll(link, "&", "&amp;") + "|" + inert(label, 80) + ">"
		if size += len(l) + 3; size <= maxLinksText && !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	add(w.StatusPage, m.IncidentURL)
	groups := notify.Groups(m.Telling())
	for _, kind := range []struct {
		label string
		link  func(notify.Alert) string
	}{
		{w.Runbook, func(a notify.Alert) string { return a.RunbookURL }},
		{w.Catalog, func(a notify.Alert) string { return a.CatalogURL }},
		{w.Docs, func(a notify.Alert) string { return a.DocURL }},
	} {
		several := len(notify.Distinct(m.Telling(), kind.link)) > 1
		for _, g := range groups {
			label := kind.label
			if several {
				label += w.Open + notify.Line(g.Condition, 30) + w.Close
			}
			_, link := g.First(kind.link)
			add(label, link)
		}
	}
	add(notify.Line(m.Site, 63), m.SiteURL)
	return strings.Join(all, " · ")
}
