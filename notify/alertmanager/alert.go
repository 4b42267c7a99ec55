package alertmanager

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// The names of our alerts: of a check, and of an incident that is about no check
// in particular, such as a digest.
const (
	CheckAlert    = "EsawatchCheckFailed"
	IncidentAlert = "EsawatchIncident"
)

// Bounds of texts in runes and of lists.
const (
	maxLabel    = 200
	maxText     = 1000
	maxLine     = 500
	maxEvidence = 20
	maxSteps    = 20
	maxOwn      = 50 // labels of the check's own
)

// Alert is an alert as Alertmanager knows it. It is the same one for as long as
// it has the same labels.
type Alert struct {
	Labels       map[string]string
	Annotations  map[string]string
	StartsAt     time.Time
	EndsAt       time.Time // zero while it fires
	GeneratorURL string    // the incident's page; "" when there is none
}

// Firing tells whether the alert has not ended.
func (a Alert) Firing() bool { return a.EndsAt.IsZero() }

// Fingerprint names the alert by its labels, as Alertmanager does: 16 hex digits.
func (a Alert) Fingerprint() string { return fingerprint(a.Labels) }

func fingerprint(labels map[string]string) string {
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		_, _ = h.Write([]byte(name + "\xff" + labels[name] + "\xff"))
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// alertsOf is what n is about, each alert once: a check's every alert, or one
// for the incident if there is none.
func alertsOf(n notify.Notification) []Alert {
	if len(n.Alerts) == 0 {
		return []Alert{incidentAlert(n)}
	}
	var alerts []Alert
	seen := map[string]bool{}
	for _, a := range n.Alerts {
		alert := checkAlert(n, a)
		if id := alert.Fingerprint(); !seen[id] {
			seen[id] = true
			alerts = append(alerts, alert)
		}
	}
	return alerts
}

func incidentAlert(n notify.Notification) Alert {
	alert := Alert{
		Labels: labels(nil, map[string]string{
			"alertname": IncidentAlert, "incident": n.ID, "site": n.Site, "severity": n.Severity,
		}),
		Annotations: texts(map[string]string{"summary": notify.Line(n.Summary, maxText)}),
		StartsAt:    n.Since, GeneratorURL: webURL(n.IncidentURL),
	}
	if !n.Firing {
		alert.EndsAt = end(n.Since, cmp.Or(n.ResolvedAt, n.At))
	}
	return alert
}

func checkAlert(n notify.Notification, a notify.Alert) Alert {
	alert := Alert{
		Labels: labels(a.Labels, map[string]string{
			"alertname": CheckAlert, "site": cmp.Or(a.Site, n.Site), "check": a.Check, "condition": a.Condition,
			"fault": a.Fault, "severity": a.Severity, "location": a.Location,
		}),
		Annotations: annotations(n, a),
		StartsAt:    a.Since, GeneratorURL: webURL(n.IncidentURL),
	}
	if !a.Firing {
		alert.EndsAt = end(a.Since, cmp.Or(a.ResolvedAt, n.At))
	}
	return alert
}

// end is when an alert that started at start ended. Alertmanager refuses one
// that ended before it started, which a clock that was set back can bring about.
func end(start, end time.Time) time.Time {
	if end.Before(start) {
		return start
	}
	return end
}

// labelName is what Alertmanager takes as the name of a label.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,62}$`)

// labels joins the check's own labels with ours, which win. Those that
// Alertmanager would refuse, and empty ones, are left out.
func labels(own, ours map[string]string) map[string]string {
	joined := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if len(joined) < maxOwn && labelName.MatchString(name) {
			joined[name] = notify.Line(own[name], maxLabel)
		}
	}
	for name, value := range ours {
		joined[name] = notify.Line(value, maxLabel)
	}
	maps.DeleteFunc(joined, func(_, value string) bool { return value == "" })
	return joined
}

// annotations explain an alert in the notification's language.
func annotations(n notify.Notification, a notify.Alert) map[string]string {
	w := notify.WordsFor(n.Lang)
	description := []string{notify.Line(a.Summary, maxText)}
	if verdict := notify.Line(a.Verdict, maxLine); verdict != "" {
		description = append(description, w.Verdict+w.Colon+verdict)
	}
	group := notify.Group{Condition: a.Condition, Alerts: []notify.Alert{a}}
	if also := group.Also(); len(also) > 0 {
		description = append(description, w.Seen+w.Colon+notify.Line(strings.Join(also, w.Comma), maxLine))
	}
	var steps []string
	for i, s := range a.Steps[:min(maxSteps, len(a.Steps))] {
		steps = append(steps, fmt.Sprintf("%d. %s", i+1, notify.Line(s, maxLine)))
	}
	var evidence []string
	for _, e := range a.Evidence[:min(maxEvidence, len(a.Evidence))] {
		evidence = append(evidence, notify.Line(e, maxLine))
	}
	return texts(map[string]string{
		"summary":     headline(n, a),
		"description": strings.TrimSpace(strings.Join(description, "\n")),
		"remediation": strings.Join(steps, "\n"),
		"verdict":     notify.Line(a.Verdict, maxLine),
		"evidence":    strings.Join(evidence, "\n"),
		"owner":       notify.Line(a.Owner, maxLabel),
		"url":         notify.WebURL(a.URL),
		"runbook_url": notify.WebURL(a.RunbookURL),
		"catalog_url": notify.WebURL(a.CatalogURL),
		"doc_url":     notify.WebURL(a.DocURL),
	})
}

// headline is one alert in one line.
func headline(n notify.Notification, a notify.Alert) string {
	n.Site, n.Digest, n.Alerts = cmp.Or(a.Site, n.Site), nil, []notify.Alert{a}
	n.Alerts[0].Site = ""
	n.Firing, n.Severity, n.Since, n.ResolvedAt = a.Firing, a.Severity, a.Since, a.ResolvedAt
	return n.Headline()
}

// texts leaves out what is empty.
func texts(m map[string]string) map[string]string {
	maps.DeleteFunc(m, func(_, text string) bool { return text == "" })
	return m
}

// webURL is s if Alertmanager takes it as a URL, else "".
func webURL(s string) string {
	if _, err := url.ParseRequestURI(s); err != nil {
		return ""
	}
	return notify.WebURL(s)
}
