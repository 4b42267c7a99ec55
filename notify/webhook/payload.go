package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/alertmanager"
)

// maxAlerts is how many alerts a payload holds; it counts those left out.
const maxAlerts = 1000

// message is Alertmanager's webhook payload, version 4.
type message struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"` // the same in all payloads of an incident
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	RouteLabels       map[string]string `json:"routeLabels"` // none: we have no routes
	ExternalURL       string            `json:"externalURL"`
	Reason            string            `json:"notification_reason"`
	Alerts            []alert           `json:"alerts"`
}

type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // the year 1 while it fires
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// payload is the body that tells n, and the receipt for when it was told.
func payload(n notify.Notification) ([]byte, notify.Receipt, error) {
	alerts, told := alertmanager.Next(n)
	m := message{
		Version:     "4",
		GroupKey:    groupKey(n),
		Status:      status(n.Firing),
		Receiver:    notify.Line(n.Receiver, 200),
		GroupLabels: groupLabels(n),
		RouteLabels: map[string]string{},
		ExternalURL: externalURL(n.IncidentURL),
		Reason:      why(n, alerts),
		Alerts:      []alert{},
	}
	if more := len(alerts) - maxAlerts; more > 0 {
		m.TruncatedAlerts, alerts = more, alerts[:maxAlerts]
	}
	for _, a := range alerts {
		m.Alerts = append(m.Alerts, alert{
			Status: status(a.Firing()), Labels: a.Labels, Annotations: a.Annotations,
			StartsAt: a.StartsAt.UTC(), EndsAt: a.EndsAt.UTC(), GeneratorURL: a.GeneratorURL, Fingerprint: a.Fingerprint(),
		})
	}
	m.CommonLabels = common(alerts, func(a alertmanager.Alert) map[string]string { return a.Labels })
	m.CommonAnnotations = common(alerts, func(a alertmanager.Alert) map[string]string { return a.Annotations })

	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // as Alertmanager's is read: < is <
	if err := e.Encode(m); err != nil {
		return nil, nil, fmt.Errorf("encode the payload: %w", err)
	}
	told.Ended = nil
	return body.Bytes(), told.Receipt(), nil
}

// status is the word for whether something fires.
func status(firing bool) string {
	if firing {
		return "firing"
	}
	return "resolved"
}

// groupLabels are what an incident is about; a digest is about no site.
func groupLabels(n notify.Notification) map[string]string {
	if site := notify.Line(n.Site, 200); site != "" {
		return map[string]string{"site": site}
	}
	return map[string]string{}
}

// groupKey names the incident in the form of Alertmanager's keys: a route, and
// the labels by which it groups.
func groupKey(n notify.Notification) string {
	labels := ""
	if site := groupLabels(n)["site"]; site != "" {
		labels = fmt.Sprintf("site=%q", site)
	}
	return fmt.Sprintf("{}/{incident=%q}:{%s}", notify.Line(n.ID, 200), labels)
}

// externalURL is the root of the status page that an incident's page is on; a
// digest's page is the root.
func externalURL(page string) string {
	root, _, _ := strings.Cut(notify.WebURL(page), "/incidents/")
	return strings.TrimSuffix(root, "/")
}

// why says what is new, in Alertmanager's words.
func why(n notify.Notification, alerts []alertmanager.Alert) string {
	told := alertmanager.Read(n.Receipt)
	known := map[string]bool{}
	for _, k := range told.Firing {
		known[(alertmanager.Alert{Labels: k.Labels}).Fingerprint()] = true
	}
	fresh, ended := false, false
	for _, a := range alerts {
		fresh = fresh || a.Firing() && !known[a.Fingerprint()]
		ended = ended || !a.Firing()
	}
	switch {
	case !n.Firing:
		return "all alerts resolved"
	case told.At.IsZero():
		return "first notification"
	case fresh:
		return "new alerts added"
	case ended:
		return "some alerts resolved"
	}
	return "repeat interval elapsed"
}

// common is what all alerts have in common.
func common(alerts []alertmanager.Alert, of func(alertmanager.Alert) map[string]string) map[string]string {
	shared := map[string]string{}
	for i, a := range alerts {
		if i == 0 {
			shared = maps.Clone(of(a))
			continue
		}
		maps.DeleteFunc(shared, func(name, value string) bool {
			other, ok := of(a)[name]
			return !ok || other != value
		})
	}
	return shared
}
