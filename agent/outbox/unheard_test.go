package outbox_test

import (
	"strings"
	"testing"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
)

// TestIncidentThatGoesToNobody: it is said once an incident, and of no incident
// that somebody is told of.
func TestIncidentThatGoesToNobody(t *testing.T) {
	said := func(a *agent) int { return strings.Count(a.log.String(), "level=WARN msg=\"incident goes to nobody") }
	bubble(t, func(t *testing.T) {
		r := receiver("pager", &inbox{})
		r.Match = outbox.Match{Severity: []string{"critical"}, Site: []string{"blog", "shop"}}
		a := start(t, newDisk(), r)
		a.result(t, failing("blog", "home", "522"))
		settle()
		if said(a) != 0 {
			t.Errorf("said of what the pager takes: %s", a.log.String())
		}
		a.result(t, warning(failing("shop", "home", "404")))
		settle()
		rec, _ := a.keeper.Record("shop")
		if id := rec.Incidents[0].ID; said(a) != 1 || !strings.Contains(a.log.String(), "site=shop incident="+id+" severity=warning") {
			t.Errorf("said %d times, want once, of %s: %s", said(a), id, a.log.String())
		}

		// Another look at the same incident is no reason to say it again.
		a.result(t, warning(failing("shop", "login", "404")))
		settle()
		a.SetReceivers([]outbox.Receiver{r}, settings)
		settle()
		if said(a) != 1 {
			t.Errorf("said %d times of one incident", said(a))
		}
		for _, check := range []string{"home", "login"} {
			a.result(t, passing("shop", check))
		}
		settle()
		a.result(t, warning(failing("shop", "home", "404")))
		settle()
		if said(a) != 2 {
			t.Errorf("said %d times of two incidents", said(a))
		}

		// Who is named is told, whatever the match.
		a.resultFor(t, failing("wiki", "home", "522"), incident.Policy{Receivers: []string{"pager"}})
		settle()
		if said(a) != 2 {
			t.Errorf("said of an incident that names its receiver: %s", a.log.String())
		}
	})
	bubble(t, func(t *testing.T) {
		a := start(t, newDisk())
		a.result(t, failing("shop", "home", "522"))
		settle()
		if said(a) != 0 {
			t.Error("said again where there are no receivers")
		}
	})
}
