package notifytest

import (
	"fmt"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Storm is a digest of many incidents as a receiver is told it: 23 sites fail at
// once, of which 20 recover while another one joins, and then all are over.
func Storm() []notify.Notification {
	const sites = 23
	var alerts []notify.Alert
	for i := range sites {
		a := linkAlert("home")
		if i == 5 {
			a = certificateAlert("login")
		}
		a.Site = fmt.Sprintf("shop-%02d", i+1)
		a.URL = "https://" + a.Site + ".example.com/"
		alerts = append(alerts, a)
	}
	opened := digest("en", sites, 20*time.Second, alerts...)
	opened.Digest.Shared = "seen from fra-1"
	opened.Events = []notify.Event{event(sites, 20*time.Second, "opened", "23 incidents: shop-01, shop-02, shop-03, shop-04, shop-05, 18 more")}

	joined := linkAlert("home")
	joined.Site = "blog"
	after := []notify.Alert{joined, alerts[0], alerts[1], alerts[2]}
	for _, a := range alerts[3:] {
		after = append(after, recovered(a, 5*time.Minute))
	}
	half := digest("en", 2*sites, 6*time.Minute, after...)
	half.Digest.Shared = "522 Connection timed out; origin link; origin team; seen from fra-1"
	half.Events = []notify.Event{
		event(2*sites, 90*time.Second, "joined", "1 more incident: blog"),
		event(2*sites, 5*time.Minute, "left", "20 incidents over: shop-04, shop-05, shop-06, shop-07, shop-08, 15 more"),
	}

	for i := range after {
		if after[i].Firing {
			after[i] = recovered(after[i], 23*time.Minute)
		}
	}
	over := digest("en", 3*sites, 23*time.Minute, after...)
	over.Firing, over.Reason, over.ResolvedAt = false, "recovered", start.Add(23*time.Minute)
	over.Events = []notify.Event{event(3*sites, 23*time.Minute, "resolved", "all 24 incidents are over after 23 min")}
	return []notify.Notification{opened, half, over}
}

// StormChinese is a digest in the other language, whose sites fail in the same way.
func StormChinese() notify.Notification {
	chinese := Chinese()
	var alerts []notify.Alert
	for i := range 12 {
		a := chinese.Alerts[0]
		a.Site = fmt.Sprintf("shop-%02d", i+1)
		alerts = append(alerts, a)
	}
	n := digest("zh", 12, 20*time.Second, alerts...)
	n.Digest.Shared = "522 连接超时；回源链路；源站团队；探测点 fra-1"
	n.Events = []notify.Event{event(12, 20*time.Second, "opened", "12 起事件：shop-01、shop-02、shop-03、shop-04、shop-05、另有 7 项")}
	return n
}

// digest is a notification of incidents with one alert each, as they are after d.
func digest(lang string, seq int, d time.Duration, alerts ...notify.Alert) notify.Notification {
	n := incident(seq, d, alerts...)
	n.Lang = lang
	n.ID, n.Site, n.SiteURL = "storm-shop-01-20261123T150405Z-ab12cd", "", ""
	n.IncidentURL = "http://127.0.0.1:9522/"
	n.Digest = &notify.Digest{Incidents: len(alerts)}
	for _, a := range alerts {
		if !a.Firing {
			n.Digest.Over++
		}
		summary := notify.Group{Condition: a.Condition, Title: a.Title, Alerts: []notify.Alert{a}}.Label()
		n.Digest.Lines = append(n.Digest.Lines, notify.DigestLine{
			Site: a.Site, Firing: a.Firing, Severity: a.Severity, Summary: summary + notify.WordsFor(n.Lang).On + a.Check,
			Since: a.Since, ResolvedAt: a.ResolvedAt,
			URL: "http://127.0.0.1:9522/incidents/" + a.Site + "-20261123T150405Z-ab12cd",
		})
	}
	n.Summary = fmt.Sprintf("%d incidents at once", len(alerts))
	return n
}
