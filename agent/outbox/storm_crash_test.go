package outbox_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/notify"
)

// TestStormKilledAtEveryWrite ends the process at each write to the store, and
// goes on with what is in it: no incident is lost, none is told by itself.
func TestStormKilledAtEveryWrite(t *testing.T) {
	const sites = 12
	for at, done := 1, false; !done; at++ {
		bubble(t, func(t *testing.T) {
			disk := newDisk()
			disk.dieAt = at
			in := &inbox{}
			in.set(func(ctx context.Context, n notify.Notification) (notify.Receipt, error) {
				if disk.dead() {
					<-ctx.Done() // nothing gets out of a dead process
					return nil, ctx.Err()
				}
				return yesAgain(ctx, n)
			})
			oncall := receiver("oncall", in)
			a := startWith(t, disk, stormy(), oncall)
			done = true // unless it dies
			play := []struct {
				do   func()
				wait time.Duration
			}{
				{func() { a.fails(t, 0, sites) }, 10 * time.Second},
				{func() { a.recovers(t, 0, 4) }, 2 * time.Minute},
				{func() { a.recovers(t, 4, sites) }, 2 * time.Minute},
			}
			for _, step := range play {
				step.do()
				for waited := time.Duration(0); waited < step.wait && !disk.dead(); waited += 100 * time.Millisecond {
					time.Sleep(100 * time.Millisecond)
				}
				if done = done && !disk.dead(); disk.dead() {
					disk = a.die(disk)
					a = startWith(t, disk, stormy(), oncall)
					step.do() // what was not saved is seen once more
					time.Sleep(step.wait)
				}
			}
			var sent []message
			for _, m := range in.messages() {
				if m.ok {
					sent = append(sent, m)
				}
			}
			as := toldAs(t, sent)
			for id, how := range as {
				if how == "by itself" {
					t.Errorf("killed at write %d: %s was told by itself", at, id)
				}
			}
			if last := sent[len(sent)-1].n; last.Firing || last.Digest.Over != last.Digest.Incidents {
				t.Errorf("killed at write %d: the last that was told is %s", at, last.Summary)
			}
			// An end told before the death may begin a storm anew, and an attempt cut
			// off in the middle of settling it is made once more.
			if len(sent) > 8 {
				t.Errorf("killed at write %d: %d messages:\n%s", at, len(sent), strings.Join(in.digests(time.Now()), "\n"))
			}
		})
	}
}

// TestStormsAtRandom holds that no incident is ever told both ways, and that all
// that is told is told to its end, whatever comes in whatever order.
func TestStormsAtRandom(t *testing.T) {
	for seed := range uint64(40) {
		bubble(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			const sites = 40
			disk, in := newDisk(), &inbox{}
			receivers := []outbox.Receiver{receiver("oncall", in)}
			a := startWith(t, disk, stormy(), receivers...)
			for range 60 {
				switch k := r.IntN(12); {
				case k < 5:
					i := r.IntN(sites)
					a.fails(t, i, min(sites, i+1+r.IntN(15)))
				case k < 8:
					i := r.IntN(sites)
					a.recovers(t, i, min(sites, i+1+r.IntN(15)))
				case k == 8:
					in.fail(errServer)
				case k == 9:
					in.set(yesAgain)
				case k == 10:
					a.SetReceivers(receivers, stormy())
				case k == 11:
					disk = a.die(disk)
					a = startWith(t, disk, stormy(), receivers...)
				}
				time.Sleep(time.Duration(r.Int64N(int64(30 * time.Second))))
			}
			in.set(yesAgain)
			a.recovers(t, 0, sites)
			time.Sleep(time.Hour)
			synctest.Wait()
			toldAs(t, in.messages())
			ended := make(map[string]bool) // by the ID of what was told
			for _, m := range in.messages() {
				if m.ok {
					ended[m.n.ID] = !m.n.Firing
				}
			}
			for id, over := range ended {
				if !over {
					t.Errorf("seed %d: the end of %s was not told", seed, id)
				}
			}
			if records := a.keeper.Records(); len(records) != 0 {
				t.Errorf("seed %d: %d settled records are left", seed, len(records))
			}
			if t.Failed() {
				t.FailNow()
			}
		})
	}
}
