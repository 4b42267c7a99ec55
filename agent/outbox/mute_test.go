package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
)

// under judges results while a mute of some checks is in force.
func under(t *testing.T, matchers ...string) incident.Policy {
	t.Helper()
	m := incident.Mute{}
	for _, s := range matchers {
		matcher, err := incident.ParseMatcher(s)
		if err != nil {
			t.Fatal(err)
		}
		m.Matchers = append(m.Matchers, matcher)
	}
	return incident.Policy{Mutes: incident.Mutes{m}}
}

func (a *agent) quieten(t *testing.T, p incident.Policy) {
	t.Helper()
	_, err := a.keeper.Update(context.Background(), "shop", func(rec incident.Record) (incident.Record, bool) {
		return incident.Quieten(rec, time.Now(), p.Mutes, timings)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMutedIsToldWhenTheMuteEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, disk := &inbox{}, newDisk()
		a := start(t, disk, receiver("oncall", in))
		begin := time.Now()
		a.resultFor(t, failing("shop", "home", "522"), under(t, "site=shop"))
		time.Sleep(time.Hour)
		a.stop() // a restart in the middle changes nothing
		a = start(t, disk, receiver("oncall", in))
		time.Sleep(time.Hour)
		equal(t, "told inside", in.told(begin), nil)
		a.quieten(t, incident.Policy{})
		settle()
		equal(t, "told", in.told(begin), []string{"+2h0m0s opened unmuted"})
		time.Sleep(time.Hour)
		a.quieten(t, under(t, "site=shop"))
		time.Sleep(time.Hour)
		a.result(t, passing("shop", "home"))
		settle()
		equal(t, "told", in.told(begin)[1:], []string{"+4h0m0.1s muted resolved"})
		if recs := a.keeper.Records(); len(recs) != 0 {
			t.Errorf("left in the records: %+v", recs)
		}
	})
}

func TestWhatEndsInsideAMuteIsNeverTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.resultFor(t, failing("shop", "home", "522"), under(t, "site=shop"))
		time.Sleep(time.Hour)
		a.resultFor(t, passing("shop", "home"), under(t, "site=shop"))
		settle()
		equal(t, "told", in.told(begin), nil)
		if recs := a.keeper.Records(); len(recs) != 0 {
			t.Errorf("an incident that nobody is owed stays: %+v", recs)
		}
	})
}

// down before and after a window must not re-alert (K#7148).
func TestDownBeforeAndAfterAMute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Hour)
		a.quieten(t, under(t, "site=shop"))
		time.Sleep(time.Hour)
		a.resultFor(t, failing("shop", "home", "522"), under(t, "site=shop"))
		a.quieten(t, incident.Policy{})
		time.Sleep(time.Hour)
		equal(t, "told", in.told(begin), []string{"+5s opened"})
	})
}

// A receiver of critical alerts is not woken by one that is silenced, because a
// warning of the same site is not; and the others do not read of it.
func TestOneSilencedOfTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		all, critical := &inbox{}, &inbox{}
		pager := receiver("pager", critical)
		pager.Match = outbox.Match{Severity: []string{"critical"}}
		a := start(t, newDisk(), receiver("oncall", all), pager)
		begin := time.Now()
		p := under(t, "check=cart")
		a.resultFor(t, warning(failing("shop", "home", "522")), p)
		a.resultFor(t, failing("shop", "cart", "525"), p)
		time.Sleep(time.Minute)
		equal(t, "told", all.told(begin), []string{"+5s opened"})
		if n := all.messages()[0].n; n.Severity != "warning" || len(n.Alerts) != 1 || n.Alerts[0].Check != "home" {
			t.Errorf("told of a %s with %+v", n.Severity, n.Alerts)
		}
		// For the receiver it is over when what it knows of is.
		a.resultFor(t, passing("shop", "home"), p)
		time.Sleep(2 * time.Minute)
		if got := all.messages(); len(got) != 2 || got[1].n.Firing || got[1].n.Reason != incident.ReasonRecovered || got[1].n.ResolvedAt.IsZero() {
			t.Fatalf("the end as told: %+v", got)
		}
		equal(t, "told to the pager", critical.told(begin), nil)
		a.quieten(t, incident.Policy{})
		settle()
		if got := all.messages(); len(got) != 3 || !got[2].n.Firing || got[2].n.Severity != "critical" {
			t.Errorf("once unmuted: %+v", got)
		}
		equal(t, "told to the pager", critical.told(begin), []string{"+3m0s opened joined left unmuted"})
	})
}
