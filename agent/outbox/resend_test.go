package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/notify"
)

// forgetful is a receiver that forgets what it was told after a while.
type forgetful struct {
	inbox
	every time.Duration
}

func (f *forgetful) Resend(r notify.Receipt) time.Duration {
	if r == nil {
		return 0
	}
	return f.every
}

func newForgetful(every time.Duration) *forgetful {
	f := &forgetful{every: every}
	f.set(yesAgain)
	return f
}

func yesAgain(_ context.Context, n notify.Notification) (notify.Receipt, error) {
	return notify.Receipt{"told": strconv.Itoa(n.Seq)}, nil
}

func TestResend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, disk := newForgetful(time.Minute), newDisk()
		a := start(t, disk, receiver("am", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(10 * time.Second)
		writes := disk.written()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		equal(t, "told", in.told(begin), []string{"+5s opened", "+1m5s ", "+2m5s "})
		if disk.written() != writes {
			t.Errorf("%d writes for the same told again", disk.written()-writes)
		}
		got := in.messages()
		if got[1].n.Seq != 1 || !got[1].n.Firing || got[1].n.Receipt["told"] != "1" || got[1].n.Doubtful {
			t.Errorf("told again: %+v", got[1].n)
		}
		counts(t, a, `esawatch_notifications_total{outcome="sent",receiver="am"} 3
			esawatch_notification_latency_seconds_count 1
			esawatch_notification_queue_length{receiver="am"} 0`)
		if h := a.Health(); h[0].Owed != 0 || !h[0].Oldest.IsZero() {
			t.Errorf("health %+v", h[0])
		}
		// A change goes as it would have gone, and counts as a telling.
		a.result(t, failing("shop", "login", "522"))
		time.Sleep(90 * time.Second)
		equal(t, "told of a change", in.told(begin)[3:], []string{"+2m10s joined", "+3m10s "})
		// The end is told once.
		a.result(t, passing("shop", "home"))
		a.result(t, passing("shop", "login"))
		time.Sleep(time.Hour)
		over := slices.DeleteFunc(in.messages(), func(m message) bool { return m.n.Firing })
		if got := in.told(begin); len(over) != 1 || !strings.HasSuffix(got[len(got)-1], "resolved") {
			t.Errorf("told at the end and after: %v", got)
		}
		if _, ok := a.keeper.Record("shop"); ok {
			t.Error("the incident is not settled")
		}
	})
}

func TestResendDoesNotWaitForGroupInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := newForgetful(20 * time.Second) // less than the interval
		a := start(t, newDisk(), receiver("am", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(10 * time.Second)
		a.result(t, failing("shop", "login", "522"))
		time.Sleep(40 * time.Second)
		equal(t, "told", in.told(begin), []string{"+5s opened", "+25s joined", "+45s "})
	})
}

func TestResendSpreadAfterRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const sites = 40
		in, disk := newForgetful(time.Minute), newDisk()
		a := start(t, disk, receiver("am", in))
		for i := range sites {
			a.result(t, failing(fmt.Sprintf("site%02d", i), "home", "522"))
		}
		time.Sleep(20 * time.Second)
		disk = a.die(disk)
		again := newForgetful(time.Minute)
		begin := time.Now()
		b := start(t, disk, receiver("am", again))
		time.Sleep(30*time.Second + 100*time.Millisecond)
		synctest.Wait()
		got := again.messages()
		if len(got) != sites {
			t.Fatalf("%d told within half a minute, want each of %d once", len(got), sites)
		}
		early := slices.IndexFunc(got, func(m message) bool { return m.at.Sub(begin) > 15*time.Second })
		if early < sites/8 || early > sites*7/8 {
			t.Errorf("%d of %d told in the first quarter of a minute", early, sites)
		}
		// New settings may be a new server that knows nothing.
		b.SetReceivers([]outbox.Receiver{receiver("am", again)}, settings)
		time.Sleep(30*time.Second + 100*time.Millisecond)
		synctest.Wait()
		if n := len(again.messages()) - sites; n < sites {
			t.Errorf("%d told within half a minute after a reload, want all", n)
		}
		// A receiver that is gone is told nothing.
		b.SetReceivers(nil, settings)
		settle()
		n := len(again.messages())
		time.Sleep(time.Hour)
		if len(again.messages()) != n {
			t.Error("a removed receiver is told again")
		}
	})
}

func TestResendFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, disk := newForgetful(time.Minute), newDisk()
		a := start(t, disk, receiver("am", in))
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(10 * time.Second)
		in.fail(notify.Permanent(errServer)) // it took the very same before
		writes := disk.written()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		n := len(in.messages())
		if n < 8 || n > 40 {
			t.Errorf("%d attempts in half an hour, want them with growing pauses", n)
		}
		if disk.written() != writes {
			t.Errorf("%d writes", disk.written()-writes)
		}
		if h := a.Health(); h[0].Failures != n-1 || h[0].LastError == "" {
			t.Errorf("health %+v", h[0])
		}
		counts(t, a, `esawatch_notifications_total{outcome="dropped",receiver="am"} 0
			esawatch_notifications_total{outcome="sent",receiver="am"} 1
			esawatch_notification_queue_length{receiver="am"} 0`)
		in.set(yesAgain)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if m := in.messages(); !m[len(m)-1].ok {
			t.Error("not told again once it works")
		}
	})
}

func TestResendWithAnotherReceipt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, disk := newForgetful(time.Minute), newDisk()
		n := 0
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			n++
			return notify.Receipt{"told": strconv.Itoa(min(n, 2))}, nil
		})
		a := start(t, disk, receiver("am", in))
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(10 * time.Second)
		writes := disk.written()
		time.Sleep(5 * time.Minute)
		if disk.written() != writes+1 {
			t.Errorf("%d writes, want one for the receipt that changed", disk.written()-writes)
		}
		rec, _ := a.keeper.Record("shop")
		if d := rec.Incidents[0].Deliveries["am"]; d.Receipt["told"] != "2" || d.Sending != 0 || time.Since(d.ToldAt) < 5*time.Minute {
			t.Errorf("delivery %+v", d)
		}
	})
}
