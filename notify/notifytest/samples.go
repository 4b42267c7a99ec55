package notifytest

import (
	"fmt"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Start is the moment at which the samples' incident began.
var start = time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)

// Sample is a named notification.
type Sample struct {
	Name         string // fit for a file name
	Notification notify.Notification
}

// Samples are the notifications that a receiver has to be able to show. Each is
// complete in itself; Story has those of one incident in their order.
func Samples() []Sample {
	story := Story()
	return []Sample{
		{"one-check", story[0]},
		{"joined", story[1]},
		{"changed", story[2]},
		{"severity", story[3]},
		{"reminder", story[4]},
		{"left", story[5]},
		{"resolved", story[6]},
		{"removed", Removed()},
		{"twelve-checks", TwelveChecks()},
		{"twelve-conditions", TwelveConditions()},
		{"two-conditions", TwoConditions()},
		{"summary-only", SummaryOnly()},
		{"chinese", Chinese()},
		{"hostile", Hostile()},
		{"hostile-resolved", HostileResolved()},
		{"flapping", Flapping()},
		{"agent-offline", AgentOffline()[0]},
		{"agent-online", AgentOffline()[1]},
		{"storm", Storm()[0]},
		{"storm-half", Storm()[1]},
		{"storm-over", Storm()[2]},
		{"storm-chinese", StormChinese()},
	}
}

// Story is one incident from its opening to its end, as a receiver is told it
// when every notification gets through. It opens as a warning and rises.
func Story() []notify.Notification {
	one := incident(1, 15*time.Second, slowAlert("login"))
	one.Severity = "warning"
	one.Events = []notify.Event{event(1, 15*time.Second, "opened", "login: Slow answer")}

	joined := incident(2, time.Minute, slowAlert("login"), slowAlert("home"))
	joined.Severity = "warning"
	joined.Events = []notify.Event{event(2, time.Minute, "joined", "home: Slow answer")}

	changed := incident(3, 2*time.Minute, linkAlert("login"), slowAlert("home"))
	changed.Severity = "warning"
	changed.Alerts[0].Conditions = []string{"slow", "522"}
	changed.Alerts[0].Severity = "warning"
	changed.Events = []notify.Event{event(3, 2*time.Minute, "changed", "login: Slow answer is now 522 Connection timed out")}

	severity := incident(4, 3*time.Minute, linkAlert("login"), linkAlert("home"))
	severity.Alerts[0].Conditions = []string{"slow", "522"}
	severity.Alerts[1].Conditions = []string{"slow", "522"}
	severity.Events = []notify.Event{event(4, 3*time.Minute, "severity", "severity is now critical")}

	reminder := incident(5, 4*time.Hour, severity.Alerts...)
	reminder.Events = []notify.Event{event(5, 4*time.Hour, "reminder", "still failing after 4 h")}

	left := incident(6, 4*time.Hour+10*time.Minute, severity.Alerts[0], recovered(severity.Alerts[1], 4*time.Hour+9*time.Minute))
	left.Events = []notify.Event{event(6, 4*time.Hour+9*time.Minute, "left", "home recovered")}

	resolved := incident(7, 4*time.Hour+20*time.Minute,
		recovered(severity.Alerts[0], 4*time.Hour+19*time.Minute), recovered(severity.Alerts[1], 4*time.Hour+9*time.Minute))
	resolved.Firing, resolved.Reason = false, "recovered"
	resolved.ResolvedAt = start.Add(4*time.Hour + 19*time.Minute)
	resolved.Events = []notify.Event{event(7, 4*time.Hour+19*time.Minute, "resolved", "every check passes again")}

	return []notify.Notification{one, joined, changed, severity, reminder, left, resolved}
}

// Removed is an incident that ended because its site left the configuration.
func Removed() notify.Notification {
	n := incident(2, time.Hour, recovered(linkAlert("login"), time.Hour))
	n.Firing, n.Reason, n.ResolvedAt = false, "removed", start.Add(time.Hour)
	n.Events = []notify.Event{event(2, time.Hour, "removed", "login left the configuration")}
	return n
}

// TwelveChecks is an incident in which twelve checks fail in the same way.
func TwelveChecks() notify.Notification {
	var alerts []notify.Alert
	for i := range 12 {
		alerts = append(alerts, linkAlert(fmt.Sprintf("page-%02d", i+1)))
	}
	n := incident(12, 40*time.Second, alerts...)
	n.Events = []notify.Event{event(1, 15*time.Second, "opened", "page-01: 522 Connection timed out")}
	for i := range 11 {
		n.Events = append(n.Events, event(i+2, 20*time.Second, "joined", fmt.Sprintf("page-%02d: 522 Connection timed out", i+2)))
	}
	return n
}

// TwelveConditions is an incident in which twelve checks fail in twelve ways,
// each explained at length.
func TwelveConditions() notify.Notification {
	n := TwelveChecks()
	for i := range n.Alerts {
		a := &n.Alerts[i]
		a.Condition = fmt.Sprint(520 + i)
		a.Conditions = []string{a.Condition}
		a.Title = fmt.Sprintf("Condition number %d", i+1)
		a.Summary = strings.Repeat("A summary that goes on for a while. ", 12)
		for j := range 5 {
			a.Steps[j%len(a.Steps)] = fmt.Sprintf("Step for %s: ", a.Condition) + strings.Repeat("look closely at this; ", 15)
		}
	}
	return n
}

// TwoConditions is an incident with a second condition beside the first.
func TwoConditions() notify.Notification {
	n := incident(3, 50*time.Second, linkAlert("login"), linkAlert("home"), certificateAlert("assets"))
	n.Events = []notify.Event{
		event(1, 15*time.Second, "opened", "login: 522 Connection timed out"),
		event(2, 18*time.Second, "joined", "home: 522 Connection timed out"),
		event(3, 40*time.Second, "joined", "assets: Certificate expired"),
	}
	return n
}

// SummaryOnly is a notification about no check in particular, such as a digest
// of many incidents or an agent that is offline.
func SummaryOnly() notify.Notification {
	n := incident(1, 20*time.Second)
	n.Site, n.SiteURL = "", ""
	n.Summary = "23 incidents opened within a minute; 21 of them are 522 Connection timed out, seen from fra-1"
	n.Events = []notify.Event{event(1, 20*time.Second, "opened", n.Summary)}
	return n
}

// Chinese is the first notification in the other language.
func Chinese() notify.Notification {
	n := incident(1, 15*time.Second, linkAlert("login"))
	n.Lang = "zh"
	a := &n.Alerts[0]
	a.Title, a.Owner = "连接超时", "源站团队"
	a.Summary = "ESA 节点无法与源站建立 TCP 连接。"
	a.Verdict = "直接访问源站正常（200，34 毫秒）：ESA 到不了源站"
	a.Evidence = []string{"状态码: 522", "请求 ID: a3b54e9817588532784852695e", "节点: de7", "缓存: MISS"}
	a.Steps = []string{"确认源站防火墙放行 ESA 回源 IP 列表。", "在源站机器上检查 443 端口是否监听、连接队列是否已满。"}
	n.Events = []notify.Event{event(1, 15*time.Second, "opened", "login：522 连接超时")}
	return n
}

// incident is a firing incident of the site "shop" as it is after d.
func incident(seq int, d time.Duration, alerts ...notify.Alert) notify.Notification {
	return notify.Notification{
		ID: "shop-20261123T150405-1", Seq: seq, Receiver: "oncall",
		Site: "shop", SiteURL: "https://shop.example.com", Firing: true, Severity: "critical",
		Summary: "shop is failing", Since: start, OpenedAt: start.Add(15 * time.Second), At: start.Add(d),
		Alerts: append([]notify.Alert(nil), alerts...), Lang: "en",
		IncidentURL: "http://127.0.0.1:9522/incidents/shop-20261123T150405-1",
	}
}

func event(seq int, d time.Duration, kind, text string) notify.Event {
	return notify.Event{Seq: seq, At: start.Add(d), Kind: kind, Text: text}
}

func recovered(a notify.Alert, d time.Duration) notify.Alert {
	a.Firing, a.ResolvedAt = false, start.Add(d)
	return a
}

func linkAlert(check string) notify.Alert {
	return notify.Alert{
		Check: check, URL: "https://shop.example.com/" + check, Location: "fra-1", Firing: true, Since: start,
		Condition: "522", Conditions: []string{"522"}, Title: "Connection timed out",
		Fault: "origin_link", Owner: "origin team", Severity: "critical",
		Summary: "An ESA node tried to open a TCP connection to the origin and got no answer.",
		Verdict: "origin answers directly (200 in 34 ms): ESA cannot reach it",
		Evidence: []string{"status: 522", "request id: a3b54e9817588532784852695e", "edge node: 163.181.78.152",
			"POP: de7", "cache status: MISS"},
		Steps: []string{
			"Compare the origin's firewall and security groups with the current ESA back-to-origin address list.",
			"On the origin, check that port 443 listens and that its accept queue is not full: ss -ltn.",
			"If one POP only is affected, open a ticket with the request id above.",
		},
		DocURL:     "https://www.alibabacloud.com/help/en/edge-security-acceleration/esa/support/http-status-code-description",
		RunbookURL: "https://runbooks.example.com/shop/522",
		CatalogURL: "http://127.0.0.1:9522/catalog/522",
		StatusCode: 522, RequestID: "a3b54e9817588532784852695e",
		Labels: map[string]string{"team": "storefront"},
	}
}

func slowAlert(check string) notify.Alert {
	a := linkAlert(check)
	a.Condition, a.Conditions, a.Title = "slow", []string{"slow"}, "Slow answer"
	a.Fault, a.Owner, a.Severity = "origin", "origin team", "warning"
	a.Summary = "The answer is right, but it took longer than max_duration allows."
	a.Verdict = "origin is slow as well (2.9 s): not the edge"
	a.Evidence = []string{"took: 3.2 s, want at most 1 s", "longest phase: waiting for the first byte, 3.1 s", "POP: de7", "cache status: MISS"}
	a.Steps = []string{"Look at the origin's load and its slowest queries.", "Check whether the page should have come from the cache."}
	a.StatusCode, a.RunbookURL, a.CatalogURL = 200, "", "http://127.0.0.1:9522/catalog/slow"
	return a
}

func certificateAlert(check string) notify.Alert {
	a := linkAlert(check)
	a.Condition, a.Conditions, a.Title = "tls_expired", []string{"tls_expired"}, "Certificate expired"
	a.Fault, a.Owner = "tls", "platform team"
	a.Summary = "The edge presents a certificate whose time is over; browsers refuse the site."
	a.Verdict = ""
	a.Evidence = []string{"expired: 2026-11-23T00:00:00Z (15 h ago)", "subject: CN=assets.example.com", "issuer: R11"}
	a.Steps = []string{"Look at the certificate's state in the ESA console.", "For a free one, check that the _acme-challenge record still exists.", "Upload a new one if issuing is stuck."}
	a.StatusCode, a.RequestID, a.RunbookURL, a.CatalogURL = 0, "", "", "http://127.0.0.1:9522/catalog/tls_expired"
	return a
}
