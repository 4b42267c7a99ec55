package pagerduty

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// PagerDuty's limits in characters, and ours of lists, with which an event stays
// well below its 512 KB.
const (
	maxSummary  = 1024
	maxDedupKey = 255
	maxField    = 200
	maxText     = 1000
	maxLine     = 500
	maxGroups   = 10
	maxChecks   = 20
	maxEvidence = 20
	maxSteps    = 15
	maxEvents   = 20
	maxLinks    = 20
)

// event is what PagerDuty takes.
type event struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"` // trigger or resolve
	DedupKey   string `json:"dedup_key"`

	Payload   *details `json:"payload,omitempty"`
	Links     []link   `json:"links,omitempty"`
	Client    string   `json:"client,omitempty"`
	ClientURL string   `json:"client_url,omitempty"`
}

type details struct {
	Summary   string    `json:"summary"`
	Source    string    `json:"source"`
	Severity  string    `json:"severity"`
	Timestamp time.Time `json:"timestamp,omitzero"`
	Component string    `json:"component,omitempty"`
	Group     string    `json:"group,omitempty"`
	Class     string    `json:"class,omitempty"`
	Custom    custom    `json:"custom_details"`
}

// custom is what PagerDuty shows beside the summary.
type custom struct {
	Conditions []condition `json:"conditions,omitempty"`
	Happened   []string    `json:"what_happened,omitempty"`
	Incident   string      `json:"incident"`
}

// condition is what fails in one way, and what to do about it.
type condition struct {
	Condition string   `json:"condition"`
	State     string   `json:"state"`
	Checks    []string `json:"checks"`
	Summary   string   `json:"summary,omitempty"`
	Fault     string   `json:"fault,omitempty"`
	Owner     string   `json:"owner,omitempty"`
	Location  string   `json:"location,omitempty"`
	AlsoSeen  string   `json:"also_seen,omitempty"`
	Verdict   string   `json:"verdict,omitempty"`
	Evidence  []string `json:"evidence,omitempty"`
	Steps     []string `json:"steps,omitempty"` // numbered; none once it is over
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// dedupKey is the incident's ID; a longer one than PagerDuty takes is hashed.
func dedupKey(m notify.Notification) string {
	if key := notify.Line(m.ID, maxDedupKey+1); len(key) <= maxDedupKey && key != "" {
		return key
	}
	sum := sha256.Sum256([]byte(m.ID))
	return hex.EncodeToString(sum[:])
}

// eventOf is what PagerDuty is told of m.
func eventOf(m notify.Notification) event {
	if m.Firing {
		return trigger(m)
	}
	return event{Action: "resolve", DedupKey: dedupKey(m)}
}

// trigger is the event that opens an alert, or adds to the one that is open.
func trigger(m notify.Notification) event {
	w := notify.WordsFor(m.Lang)
	return event{
		Action: "trigger", DedupKey: dedupKey(m), Client: "esawatch", ClientURL: notify.WebURL(m.IncidentURL),
		Payload: &details{
			Summary:   notify.Line(m.Headline(), maxSummary),
			Source:    source(m),
			Severity:  severity(m.Severity),
			Timestamp: m.Since.UTC(),
			Component: names(m, func(a notify.Alert) string { return a.Check }),
			Group:     notify.Line(m.Site, maxField),
			Class:     names(m, func(a notify.Alert) string { return a.Condition }),
			Custom:    custom{Conditions: conditions(m, w), Happened: happened(m), Incident: notify.Line(m.ID, maxField)},
		},
		Links: links(m, w),
	}
}

// severity is ours in PagerDuty's words; one that is unknown is an error.
func severity(s string) string {
	switch s {
	case "critical", "warning", "info":
		return s
	}
	return "error"
}

// source is where it happened, which PagerDuty wants to know by all means.
func source(m notify.Notification) string {
	for _, s := range []string{m.SiteURL, m.Site, m.ID} {
		if s = notify.Line(s, maxField); s != "" {
			return s
		}
	}
	return "esawatch"
}

func names(m notify.Notification, of func(notify.Alert) string) string {
	return notify.Line(strings.Join(notify.Distinct(m.Telling(), of), ", "), maxField)
}

func conditions(m notify.Notification, w notify.Words) []condition {
	var all []condition
	groups := notify.Groups(m.Alerts)
	for _, g := range groups[:min(maxGroups, len(groups))] {
		a, _ := g.First(func(a notify.Alert) string { return strings.Join(a.Steps[:min(1, len(a.Steps))], "") })
		checks, more := g.Checks(maxChecks)
		if more > 0 {
			checks = append(checks, w.More(more))
		}
		c := condition{
			Condition: g.Label(), State: w.Resolved, Checks: checks,
			Summary: notify.Line(a.Summary, maxText),
			Fault:   w.Fault(a.Fault), Owner: notify.Line(a.Owner, maxField), Location: notify.Line(a.Location, maxField),
			AlsoSeen: notify.Line(strings.Join(g.Also(), w.Comma), maxField),
			Verdict:  notify.Line(a.Verdict, maxLine),
		}
		if g.Firing {
			c.State = w.Failing
		}
		for _, e := range a.Evidence[:min(maxEvidence, len(a.Evidence))] {
			c.Evidence = append(c.Evidence, notify.Line(e, maxLine))
		}
		if g.Firing { // what is over needs nothing done
			for i, s := range a.Steps[:min(maxSteps, len(a.Steps))] {
				c.Steps = append(c.Steps, fmt.Sprintf("%d. %s", i+1, notify.Line(s, maxLine)))
			}
		}
		all = append(all, c)
	}
	return all
}

// happened is the newest of the events, oldest first.
func happened(m notify.Notification) []string {
	var all []string
	for _, e := range m.Events[max(0, len(m.Events)-maxEvents):] {
		all = append(all, e.At.UTC().Format("15:04:05 UTC ")+notify.Line(e.Text, maxLine))
	}
	return all
}

// links lead to the runbooks first, then to the documentation and the status
// page; each address once.
func links(m notify.Notification, w notify.Words) []link {
	var all []link
	seen := map[string]bool{}
	add := func(text, href string) {
		if href = notify.WebURL(href); href != "" && !seen[href] && len(all) < maxLinks {
			seen[href] = true
			all = append(all, link{href, notify.Line(text, maxField)})
		}
	}
	groups := notify.Groups(m.Telling())
	for _, g := range groups {
		for _, a := range g.Alerts {
			add(w.Runbook+w.Colon+g.Label(), a.RunbookURL)
		}
	}
	for _, g := range groups {
		add(w.Catalog+w.Colon+g.Label(), g.Alerts[0].CatalogURL)
		add(w.Docs+w.Colon+g.Label(), g.Alerts[0].DocURL)
	}
	add(w.StatusPage, m.IncidentURL)
	return all
}
