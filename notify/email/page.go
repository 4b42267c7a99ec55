package email

import (
	_ "embed"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Bounds of lists, and of texts in runes.
const (
	maxGroups   = 8
	maxChecks   = 20
	maxEvidence = 20
	maxSteps    = 15
	maxEvents   = 20
	maxText     = 1000
	maxLine     = 500
)

//go:embed page.txt
var textSource string

//go:embed page.html
var htmlSource string

// The two forms of a mail. Both show the same page; html/template escapes it.
var (
	textPage = texttemplate.Must(texttemplate.New("page.txt").Parse(textSource))
	htmlPage = htmltemplate.Must(htmltemplate.New("page.html").Parse(htmlSource))
)

// page is a mail's content, each text a harmless line.
type page struct {
	Words  notify.Words
	Lang   string
	Title  string // "CRITICAL: shop is failing"
	Color  string // of the state, for HTML
	Intro  string // the summary, when there are no conditions to show
	Facts  []fact
	Events []eventLine
	Groups []group
	More   string // that conditions were left out, ""
	Link   string // the incident's page
}

type fact struct{ Label, Value string }

type step struct {
	Number int
	Text   string
}

type eventLine struct{ At, Text string }

// group is one condition and the checks that show it.
type group struct {
	Label, Checks, Also string
	Firing              bool
	Summary, Verdict    string
	Evidence            []fact
	Steps               []step
	Links               []fact // the value is a URL
}

// quote is a line that may quote a server, as almost all do. Mail programs make
// links of addresses by themselves; a zero-width space keeps them from it.
func quote(s string, limit int) string {
	return strings.ReplaceAll(notify.Line(s, limit), "://", ":\u200b//")
}

func newPage(m notify.Notification) page {
	w := notify.WordsFor(m.Lang)
	p := page{
		Words: w, Lang: "en", Title: title(m, w), Color: color(m), Facts: facts(m, w), Link: notify.WebURL(m.IncidentURL),
	}
	if strings.HasPrefix(m.Lang, "zh") {
		p.Lang = "zh-Hans"
	}
	if len(m.Alerts) == 0 {
		p.Intro = quote(m.Summary, maxText)
	}
	if more := len(m.Events) - maxEvents; more > 0 {
		p.Events = append(p.Events, eventLine{"", w.More(more)})
	}
	for _, e := range m.Events[max(0, len(m.Events)-maxEvents):] {
		p.Events = append(p.Events, eventLine{clock(e.At), quote(e.Text, maxLine)})
	}
	groups := notify.Groups(m.Alerts)
	for _, g := range groups[:min(maxGroups, len(groups))] {
		p.Groups = append(p.Groups, newGroup(g, w))
	}
	if more := len(groups) - maxGroups; more > 0 {
		p.More = w.More(more)
	}
	return p
}

func newGroup(g notify.Group, w notify.Words) group {
	names, more := g.Checks(maxChecks)
	if more > 0 {
		names = append(names, w.More(more))
	}
	first := func(of func(notify.Alert) string) string {
		_, text := g.First(of)
		return text
	}
	shown := group{
		Label: quote(g.Label(), maxLine), Firing: g.Firing, Checks: quote(strings.Join(names, w.Comma), maxText),
		Also:    quote(strings.Join(g.Also(), w.Comma), maxLine),
		Summary: first(func(a notify.Alert) string { return quote(a.Summary, maxText) }),
		Verdict: first(func(a notify.Alert) string { return quote(a.Verdict, maxLine) }),
	}
	a, _ := g.First(func(a notify.Alert) string { return strings.Join(a.Evidence[:min(1, len(a.Evidence))], "") })
	for _, e := range a.Evidence[:min(maxEvidence, len(a.Evidence))] {
		label, value := notify.Pair(e, maxLine)
		shown.Evidence = append(shown.Evidence, fact{quote(label, maxLine), quote(value, maxLine)})
	}
	if g.Firing { // what is over needs nothing done
		a, _ = g.First(func(a notify.Alert) string { return strings.Join(a.Steps[:min(1, len(a.Steps))], "") })
		for i, s := range a.Steps[:min(maxSteps, len(a.Steps))] {
			shown.Steps = append(shown.Steps, step{i + 1, quote(s, maxLine)})
		}
	}
	for _, l := range []fact{
		{w.Runbook, first(func(a notify.Alert) string { return notify.WebURL(a.RunbookURL) })},
		{w.Catalog, first(func(a notify.Alert) string { return notify.WebURL(a.CatalogURL) })},
		{w.Docs, first(func(a notify.Alert) string { return notify.WebURL(a.DocURL) })},
	} {
		if l.Value != "" {
			shown.Links = append(shown.Links, l)
		}
	}
	return shown
}

// title is the state and the site, or how many incidents it is about.
func title(m notify.Notification, w notify.Words) string {
	t := strings.ToUpper(w.State(m))
	if about := quote(m.About(w), 100); about != "" {
		t += w.Colon + about
		if m.Firing && m.Digest == nil {
			t += " " + w.Failing
		}
	}
	if !m.Firing {
		t += w.Clause + w.After(m.Lasted())
	}
	if m.Test {
		t = w.Test + w.Colon + t
	}
	return t
}

func color(m notify.Notification) string {
	switch {
	case m.Withdrawn():
		return "#757575"
	case !m.Firing:
		return "#1b7f4b"
	case m.Severity == "critical":
		return "#c62828"
	case m.Severity == "warning":
		return "#b26a00"
	}
	return "#1565c0"
}

// facts are what somebody asks first: where, whose, since when, seen from where.
func facts(m notify.Notification, w notify.Words) []fact {
	const maxNames = 6
	var all []fact
	add := func(label, value string) {
		if value != "" {
			all = append(all, fact{label, value})
		}
	}
	names := func(of func(notify.Alert) string) string {
		values := notify.Distinct(m.Telling(), of)
		if more := len(values) - maxNames; more > 0 {
			values = append(values[:maxNames], w.More(more))
		}
		return quote(strings.Join(values, w.Comma), maxText)
	}
	if m.Digest != nil {
		add(w.InCommon, quote(m.Digest.Shared, maxText))
	}
	add(w.Site, notify.WebURL(m.SiteURL))
	add(w.Where, names(func(a notify.Alert) string { return w.Fault(a.Fault) }))
	add(w.Owner, names(func(a notify.Alert) string { return a.Owner }))
	since := clock(m.Since)
	if m.Firing {
		since += w.Open + w.AtUpdate(m.Lasted()) + w.Close
	}
	add(w.Since, since)
	if !m.Firing {
		add(w.Lasted, w.Duration(m.Lasted()))
	}
	add(w.Location, names(func(a notify.Alert) string { return a.Location }))
	return all
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
