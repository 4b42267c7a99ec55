package outbox_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

func TestGroupWaitJoinsAndInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		disk := newDisk()
		a := start(t, disk, receiver("oncall", in))
		begin := time.Now()
		a.result(t, failing("shop", "login", "522"))
		time.Sleep(2 * time.Second)
		a.result(t, failing("shop", "home", "522")) // joins the first message
		time.Sleep(8 * time.Second)
		a.result(t, failing("shop", "cart", "522")) // waits for the interval
		time.Sleep(10 * time.Second)
		a.result(t, passing("shop", "home"))
		time.Sleep(60 * time.Second)
		a.result(t, passing("shop", "login"))
		a.result(t, passing("shop", "cart")) // the end goes at once
		settle()
		equal(t, "told", in.told(begin), []string{
			"+5s opened joined",
			"+1m5s joined left",
			"+1m20s left resolved",
		})
		if records := a.keeper.Records(); len(records) != 0 {
			t.Errorf("the settled incident is still in the record: %+v", records)
		}
		// Two writes a message; the last takes the incident out as well.
		if results := 6; disk.writes != results+2*3 {
			t.Errorf("%d writes, want %d", disk.writes, results+2*3)
		}
	})
}

func TestChangesWhileSending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			time.Sleep(4 * time.Second)
			return notify.Receipt{"ts": "1"}, nil
		})
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.result(t, warning(failing("shop", "home", "522")))
		time.Sleep(6 * time.Second)
		a.result(t, failing("shop", "home", "525"))
		settle()
		time.Sleep(time.Minute)
		// The rise in severity goes as soon as the first is through.
		equal(t, "told", in.told(begin), []string{"+9s opened", "+13s changed severity"})
		if m := in.messages(); m[0].n.Receipt != nil || m[1].n.Receipt["ts"] != "1" {
			t.Errorf("receipts handed back: %v, %v", m[0].n.Receipt, m[1].n.Receipt)
		}
	})
}

func TestSendResolvedFalse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		r := receiver("oncall", in)
		r.SendResolved = false
		a := start(t, newDisk(), r)
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Minute)
		a.result(t, passing("shop", "home"))
		settle()
		equal(t, "told", in.told(begin), []string{"+5s opened"})
		if _, ok := a.keeper.Record("shop"); ok {
			t.Error("the incident is not settled")
		}
	})
}

func TestSeverityBringsAReceiverIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		pager, all := &inbox{}, &inbox{}
		r := receiver("pager", pager)
		r.Match.Severity = []string{"critical"}
		a := start(t, newDisk(), r, receiver("all", all))
		begin := time.Now()
		a.result(t, warning(failing("shop", "home", "522")))
		time.Sleep(10 * time.Minute)
		a.result(t, failing("shop", "home", "525"))
		settle()
		equal(t, "told", pager.told(begin), []string{"+10m0s opened changed severity"})
		time.Sleep(time.Minute)
		a.result(t, passing("shop", "home"))
		settle()
		equal(t, "told the end", pager.told(begin)[1:], []string{"+11m0.1s resolved"})
	})
}

func TestNamedReceivers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		team, all := &inbox{}, &inbox{}
		r := receiver("team", team)
		r.Match.Site = []string{"elsewhere"}
		a := start(t, newDisk(), r, receiver("all", all))
		a.resultFor(t, failing("shop", "home", "522"), incident.Policy{Receivers: []string{"team"}})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(team.messages()) != 1 || len(all.messages()) != 0 {
			t.Errorf("team %d, all %d messages, want 1 and 0", len(team.messages()), len(all.messages()))
		}
	})
}

// A receiver that comes to match an incident without an event learns of it at the
// next look at all records, not with the next event.
func TestReceiverComesToMatch(t *testing.T) {
	origin := func(r checks.Result) checks.Result {
		d := *r.Diagnosis
		d.Fault = catalog.FaultOrigin
		r.Diagnosis = &d
		return r
	}
	same := func(r checks.Result) checks.Result { return r }
	for _, test := range []struct {
		name  string
		match outbox.Match
		then  func(checks.Result) checks.Result
		p     incident.Policy // from then on
	}{
		{name: "the fault changes under one condition", match: outbox.Match{Fault: []string{"origin"}}, then: origin},
		{name: "a reload names the receiver", match: outbox.Match{Site: []string{"blog"}}, then: same,
			p: incident.Policy{Receivers: []string{"first", "late"}}},
		{name: "a reload gives the check a label", match: outbox.Match{Labels: map[string]string{"team": "web"}}, then: same,
			p: incident.Policy{Labels: map[string]string{"team": "web"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				first, late := &inbox{}, &inbox{}
				r := receiver("late", late)
				r.Match = test.match
				a := start(t, newDisk(), receiver("first", first), r)
				begin := time.Now()
				a.result(t, failing("shop", "home", "504"))
				time.Sleep(10 * time.Second)
				a.resultFor(t, test.then(failing("shop", "home", "504")), test.p)
				time.Sleep(50 * time.Second)
				a.resultFor(t, test.then(failing("shop", "home", "504")), test.p)
				time.Sleep(10 * time.Second)
				equal(t, "who came late", late.told(begin), []string{"+1m5s opened"})
				equal(t, "who knew already", first.told(begin), []string{"+5s opened"})
				a.resultFor(t, passing("shop", "home"), test.p)
				settle()
				if n := len(late.messages()); n != 2 {
					t.Errorf("told %v, want the end too", late.told(begin))
				}
			})
		})
	}
}

func TestBurstToASlowReceiver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const sites = 500
		slow, quick := &inbox{}, &inbox{}
		slow.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			time.Sleep(time.Second)
			return nil, nil
		})
		a := start(t, newDisk(), receiver("slow", slow), receiver("quick", quick))
		begin := time.Now()
		for i := range sites {
			a.result(t, failing(fmt.Sprintf("site%03d", i), "home", "522"))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		for i := range sites / 2 { // half are over before the slow one was told
			a.result(t, passing(fmt.Sprintf("site%03d", sites-1-i), "home"))
		}
		settle()
		if n := len(quick.messages()); n != sites+sites/2 {
			t.Errorf("the quick receiver got %d messages, want %d", n, sites+sites/2)
		}
		counts(t, a, `esawatch_notification_queue_length{receiver="quick"} 0`)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		got := slow.messages()
		if len(got) != sites {
			t.Errorf("the slow receiver got %d messages, want one for each of %d", len(got), sites)
		}
		for i, m := range got {
			if want := fmt.Sprintf("site%03d", i); i < sites/2 && m.n.Site != want {
				t.Fatalf("message %d is of %s, want %s", i, m.n.Site, want)
			}
		}
		if last := got[len(got)-1].at.Sub(begin); last > (sites+20)*time.Second {
			t.Errorf("the last was told after %v, want no pause between them", last)
		}
	})
}

func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		takes := 2 * time.Second
		in := &inbox{}
		in.set(func(ctx context.Context, _ notify.Notification) (notify.Receipt, error) {
			select {
			case <-time.After(takes):
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		kv := newDisk()
		a := start(t, kv, receiver("oncall", in))
		a.result(t, failing("shop", "home", "522"))
		a.result(t, failing("wiki", "home", "522"))
		time.Sleep(6 * time.Second)
		begin := time.Now()
		a.stop() // within the grace: the first is finished, the second not begun
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("stopping took %v", took)
		}
		takes = time.Hour
		b := start(t, kv, receiver("oncall", in))
		time.Sleep(time.Second)
		begin = time.Now()
		b.stop()
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("stopping took %v, want the grace", took)
		}
		rec, _ := b.keeper.Record(in.messages()[1].n.Site)
		if d := rec.Incidents[0].Deliveries["oncall"]; d.Attempts != 0 || !d.NextTry.IsZero() || d.Sending != 1 {
			t.Errorf("what we broke off ourselves counts as a failure: %+v", d)
		}
		takes = 0
		c := start(t, kv, receiver("oncall", in))
		time.Sleep(time.Second)
		c.stop()
		got := in.messages()
		if len(got) != 3 || got[0].n.Site == got[1].n.Site || got[1].n.Site != got[2].n.Site {
			t.Fatalf("told %v", in.told(begin))
		}
		if got[0].n.Doubtful || got[1].n.Doubtful || !got[2].n.Doubtful {
			t.Error("only the one that was broken off is doubtful")
		}
	})
}

func TestIncidentsThatNobodyWantsGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := receiver("oncall", &inbox{})
		r.Match.Site = []string{"elsewhere"}
		a := start(t, newDisk(), r)
		for i := range 100 {
			a.result(t, failing(fmt.Sprintf("site%02d", i), "home", "522"))
		}
		time.Sleep(time.Second)
		if n := len(a.keeper.Records()); n != 100 {
			t.Fatalf("%d records, want 100", n)
		}
		for i := range 100 {
			a.result(t, passing(fmt.Sprintf("site%02d", i), "home"))
		}
		time.Sleep(time.Second)
		if n := len(a.keeper.Records()); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}
