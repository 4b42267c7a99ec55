package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
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

func TestReceiverDownThenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(errServer)
		a := start(t, newDisk(), receiver("oncall", in))
		for i := range 50 {
			a.result(t, failing(fmt.Sprintf("site%02d", i), "home", "522"))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		attempts := len(in.messages())
		tried := map[string]bool{}
		for _, m := range in.messages() {
			tried[m.n.Site] = true
		}
		// At first each pause is short, then one attempt a pause of up to 5 minutes.
		if attempts < 15 || attempts > 100 {
			t.Errorf("%d attempts in an hour, want a few dozen", attempts)
		}
		health := a.Health()[0]
		if health.Owed != 50 || health.Failures != attempts || health.LastError != errServer.Error() || time.Since(health.Oldest) < time.Hour {
			t.Errorf("health %+v", health)
		}
		a.result(t, passing("site07", "home")) // is owed as its present state
		in.fail(nil)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		told := map[string]int{}
		for _, m := range in.messages()[attempts:] {
			told[m.n.Site]++
			if firing := m.n.Site != "site07"; m.n.Firing != firing {
				t.Errorf("%s firing %v, want %v", m.n.Site, m.n.Firing, firing)
			}
			if m.n.Doubtful != tried[m.n.Site] || m.n.Doubtful == m.n.DoubtfulSince.IsZero() {
				t.Errorf("%s: doubtful %v since %v, tried before %v", m.n.Site, m.n.Doubtful, m.n.DoubtfulSince, tried[m.n.Site])
			}
		}
		if len(told) != 50 || len(in.messages()) != attempts+50 {
			t.Errorf("told of %d incidents in %d messages, want 50 in 50", len(told), len(in.messages())-attempts)
		}
		if h := a.Health()[0]; h.Owed != 0 || h.Failures != 0 || h.LastError != "" || !h.Oldest.IsZero() {
			t.Errorf("health afterwards %+v", h)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.RetryAfter(errors.New("rate limited"), 30*time.Second))
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		a.result(t, failing("blog", "home", "522"))
		time.Sleep(10 * time.Second)
		in.fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		equal(t, "told", in.told(begin), []string{"+5s opened !", "+35s opened", "+35s opened"})
		for _, m := range in.messages() {
			if m.n.Doubtful {
				t.Errorf("%s is doubtful, but the receiver said no", m.n.Site)
			}
		}
	})
}

func TestHostileRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.RetryAfter(errors.New("rate limited"), 10*365*24*time.Hour))
		a := start(t, newDisk(), receiver("oncall", in))
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if got := len(in.messages()); got != 2 {
			t.Errorf("%d attempts, want another after an hour", got)
		}
	})
}

func TestOneBadIncidentHoldsUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.set(func(_ context.Context, n notify.Notification) (notify.Receipt, error) {
			if n.Site == "bad" {
				return nil, errServer
			}
			return nil, nil
		})
		a := start(t, newDisk(), receiver("oncall", in))
		a.result(t, failing("bad", "home", "522"))
		time.Sleep(time.Hour) // its own pause is 5 minutes by now
		for i := range 20 {
			begin := time.Now()
			site := fmt.Sprintf("good%d", i)
			a.result(t, failing(site, "home", "522"))
			time.Sleep(8 * time.Second)
			synctest.Wait()
			at := slices.IndexFunc(in.messages(), func(m message) bool { return m.n.Site == site })
			if at < 0 {
				t.Fatalf("%s was not told within 8 s", site)
			}
			if late := in.messages()[at].at.Sub(begin) - timings.GroupWait; late > time.Second {
				t.Errorf("%s was told %v late", site, late)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestBadReceiverDelaysNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hanging, refused, panics, good := &inbox{}, &inbox{}, &inbox{}, &inbox{}
		hanging.set(func(ctx context.Context, _ notify.Notification) (notify.Receipt, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		refused.fail(&net.OpError{Op: "dial", Err: errors.New("connection refused")})
		panics.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			panic("https://hooks.example.com/s3cret")
		})
		a := start(t, newDisk(), receiver("hanging", hanging), receiver("refused", refused), receiver("panics", panics), receiver("good", good))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Minute)
		a.result(t, passing("shop", "home"))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		equal(t, "told", good.told(begin), []string{"+5s opened", "+1m0s resolved"})
		if n := len(hanging.messages()); n < 2 || n > 3 {
			t.Errorf("%d attempts ended at the hanging receiver, want one in 30 s", n)
		}
		if len(refused.messages()) < 3 || len(panics.messages()) < 3 {
			t.Error("the failing receivers are not tried again")
		}
		last := func(in *inbox) notify.Notification { m := in.messages(); return m[len(m)-1].n }
		if !last(hanging).Doubtful {
			t.Error("a timeout leaves no doubt")
		}
		if last(refused).Doubtful {
			t.Error("a refused connection leaves doubt")
		}
		if log := a.log.String(); strings.Contains(log, "s3cret") || !strings.Contains(log, "panicked with a string") {
			t.Errorf("log of the panic:\n%s", log)
		}
	})
}

func TestRefusedForGood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.Permanent(errors.New("msg_too_long from https://hooks.example.com/services/s3cret")))
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Hour)
		equal(t, "tried", in.told(begin), []string{"+5s opened !"})
		in.fail(nil)
		a.result(t, passing("shop", "home")) // newer, so it is tried
		settle()
		equal(t, "tried", in.told(begin), []string{"+5s opened !", "+1h0m0s resolved"})
		if log := a.log.String(); !strings.Contains(log, "level=ERROR") || strings.Contains(log, "s3cret") {
			t.Errorf("log:\n%s", log)
		}
		counts(t, a, `esawatch_notifications_total{outcome="dropped",receiver="oncall"} 1
			esawatch_notifications_total{outcome="failed",receiver="oncall"} 0
			esawatch_notifications_total{outcome="sent",receiver="oncall"} 1`)
	})
}

func TestMisconfiguredUntilReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, mended, other := &inbox{}, &inbox{}, &inbox{}
		in.fail(notify.Misconfigured(errors.New("invalid_auth: give the receiver a valid token")))
		a := start(t, newDisk(), receiver("oncall", in), receiver("other", other))
		begin := time.Now()
		for i := range 10 {
			a.result(t, failing(fmt.Sprintf("site%d", i), "home", "522"))
		}
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		if n := len(in.messages()); n != 3 {
			t.Errorf("%d attempts in 12 minutes, want one in 5 minutes for all incidents", n)
		}
		a.SetReceivers([]outbox.Receiver{receiver("oncall", mended), receiver("other", other)}, timings, "")
		settle()
		if n := len(mended.messages()); n != 10 {
			t.Errorf("%d told right after the reload, want 10 (%v)", n, mended.told(begin))
		}
		if n := len(other.messages()); n != 10 {
			t.Errorf("the other receiver was told %d times, want 10", n)
		}
	})
}

func TestReceiverRemovedByReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gone, stays, late := &inbox{}, &inbox{}, &inbox{}
		gone.set(func(ctx context.Context, _ notify.Notification) (notify.Receipt, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		a := start(t, newDisk(), receiver("gone", gone), receiver("stays", stays))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		a.result(t, failing("blog", "home", "522"))
		time.Sleep(10 * time.Second) // one is being sent
		a.result(t, passing("blog", "home"))
		settle()
		if _, ok := a.keeper.Record("blog"); !ok {
			t.Error("the ended incident has left the record, but is owed to one")
		}
		a.SetReceivers([]outbox.Receiver{receiver("stays", stays), receiver("late", late)}, timings, "")
		settle()
		if _, ok := a.keeper.Record("blog"); ok {
			t.Error("the ended incident is kept for a receiver that is gone")
		}
		if n := len(gone.messages()); n != 1 {
			t.Errorf("the removed receiver had %d attempts, want the one that was broken off", n)
		}
		equal(t, "a new receiver learns of what is open", late.told(begin), []string{"+10.1s opened"})
		if log := a.log.String(); !strings.Contains(log, "dropped") || !strings.Contains(log, "incidents=2") {
			t.Errorf("log:\n%s", log)
		}
		counts(t, a, `esawatch_notifications_total{outcome="dropped",receiver="gone"} 2`)

		// Back under its old name it is told of what still goes on.
		back := &inbox{}
		a.SetReceivers([]outbox.Receiver{receiver("stays", stays), receiver("gone", back)}, timings, "")
		settle()
		if m := back.messages(); len(m) != 1 || m[0].n.Site != "shop" {
			t.Errorf("told %v, want the incident of shop", back.told(begin))
		}
		if h := a.Health(); len(h) != 2 || h[0].Receiver != "stays" || h[1].Receiver != "gone" {
			t.Errorf("health %+v", h)
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

func TestStillBrokenAfterReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(errServer)
		a := start(t, newDisk(), receiver("oncall", in))
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Hour)
		synctest.Wait()
		before := len(in.messages())
		a.SetReceivers([]outbox.Receiver{receiver("oncall", in)}, timings, "")
		settle()
		if n := len(in.messages()) - before; n != 1 {
			t.Errorf("%d attempts right after the reload, want 1", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(in.messages()) - before; n > 120 {
			t.Errorf("%d attempts in the hour after the reload: its pauses are gone", n)
		}
	})
}

func TestSuccessShortensThePause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(errServer)
		a := start(t, newDisk(), receiver("oncall", in))
		for i := range 30 {
			a.result(t, failing(fmt.Sprintf("site%02d", i), "home", "522"))
		}
		time.Sleep(time.Hour)
		in.fail(nil)
		time.Sleep(10 * time.Minute)
		failures := 1
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			if failures--; failures == 0 {
				return nil, errServer
			}
			return nil, nil
		})
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(timings.GroupWait + time.Second) // the pause after one failure
		synctest.Wait()
		if m := in.messages(); m[len(m)-1].n.Site != "shop" || !m[len(m)-1].ok {
			t.Error("the failures before the last success still count")
		}
	})
}

func TestSuccessorWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stubborn, next := &inbox{}, &inbox{}
		stubborn.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			time.Sleep(20 * time.Second) // whatever its context says
			return notify.Receipt{"ts": "1"}, nil
		})
		a := start(t, newDisk(), receiver("oncall", stubborn))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(10 * time.Second)
		a.SetReceivers(nil, timings, "")
		settle()
		a.SetReceivers([]outbox.Receiver{receiver("oncall", next)}, timings, "")
		time.Sleep(5 * time.Second)
		a.result(t, passing("shop", "home"))
		time.Sleep(time.Minute)
		equal(t, "told", next.told(begin), []string{"+25s resolved"})
		if m := next.messages(); len(m) > 0 && (m[0].n.Receipt["ts"] != "1" || m[0].n.Doubtful) {
			t.Errorf("the successor does not know what its predecessor did: %+v", m[0].n)
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
