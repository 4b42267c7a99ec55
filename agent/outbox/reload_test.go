package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/notify"
)

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
		a.SetReceivers([]outbox.Receiver{receiver("oncall", mended), receiver("other", other)}, settings)
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
		a.SetReceivers([]outbox.Receiver{receiver("stays", stays), receiver("late", late)}, settings)
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
		a.SetReceivers([]outbox.Receiver{receiver("stays", stays), receiver("gone", back)}, settings)
		settle()
		if m := back.messages(); len(m) != 1 || m[0].n.Site != "shop" {
			t.Errorf("told %v, want the incident of shop", back.told(begin))
		}
		if h := a.Health(); len(h) != 2 || h[0].Receiver != "stays" || h[1].Receiver != "gone" {
			t.Errorf("health %+v", h)
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
		a.SetReceivers([]outbox.Receiver{receiver("oncall", in)}, settings)
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
		a.SetReceivers(nil, settings)
		settle()
		a.SetReceivers([]outbox.Receiver{receiver("oncall", next)}, settings)
		time.Sleep(5 * time.Second)
		a.result(t, passing("shop", "home"))
		time.Sleep(time.Minute)
		equal(t, "told", next.told(begin), []string{"+25s resolved"})
		if m := next.messages(); len(m) > 0 && (m[0].n.Receipt["ts"] != "1" || m[0].n.Doubtful) {
			t.Errorf("the successor does not know what its predecessor did: %+v", m[0].n)
		}
	})
}
