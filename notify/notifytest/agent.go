package notifytest

import (
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Flapping is an incident one of whose checks changes too often to be told each
// time.
func Flapping() notify.Notification {
	n := incident(8, 14*time.Minute, linkAlert("login"))
	n.Alerts[0].Conditions, n.Alerts[0].Flapping = []string{"522", "524"}, true
	n.Events = []notify.Event{
		event(7, 13*time.Minute, "changed", "login: 524 → 522 Connection timed out (origin link)"),
		event(8, 14*time.Minute, "flapping", "login fails and recovers again and again: no more is told of it until it is steady"),
	}
	return n
}

// AgentOffline is an incident of the agent's own network as a receiver is told
// it: its beginning, late as a rule, and its end.
func AgentOffline() []notify.Notification {
	alert := notify.Alert{
		Check: "network", Location: "fra-1", Firing: true, Since: start,
		Condition: "agent_offline", Conditions: []string{"agent_offline"}, Title: "This agent has no network",
		Fault: "network", Owner: "probe", Severity: "critical",
		Summary: "Every canary address fails, so this machine's own network is down. Nothing is known about the sites; their alerts from here are held back until it is up again.",
		Evidence: []string{"https://www.example.com/: connect_timeout, no answer from 192.0.2.10:443",
			"https://www.example.net/: dns_failure, no server answers for www.example.net"},
		Steps: []string{
			"On the agent's machine: `ip route get 8.8.8.8`, `ping -c 3 8.8.8.8`. No route or no answer: the uplink or the provider.",
			"Addresses answer but names do not: the resolver, `resolvectl status` or `/etc/resolv.conf`.",
			"Until then watch the sites from another place.",
		},
		CatalogURL: "http://127.0.0.1:9522/catalog/agent_offline",
	}
	offline := incident(1, 20*time.Second, alert)
	offline.ID, offline.Site, offline.SiteURL = "agent@fra-1-20261123T150405Z-ab12cd", "agent@fra-1", ""
	offline.IncidentURL = "http://127.0.0.1:9522/incidents/" + offline.ID
	offline.Summary = "agent@fra-1: This agent has no network on network"
	offline.Events = []notify.Event{event(1, 20*time.Second, "opened", "network: This agent has no network (network)")}

	online := offline
	online.Alerts = []notify.Alert{recovered(alert, 12*time.Minute)}
	online.Seq, online.At = 2, start.Add(12*time.Minute)
	online.Firing, online.Reason, online.ResolvedAt = false, "recovered", online.At
	online.Summary = "agent@fra-1 recovered after 12 min: This agent has no network on network"
	online.Events = []notify.Event{event(2, 12*time.Minute, "resolved", "network recovered: agent@fra-1 is well again after 12 min")}
	return []notify.Notification{offline, online}
}
