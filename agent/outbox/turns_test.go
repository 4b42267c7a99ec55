package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/notify"
)

// commons is a store that several agents share: each hears of what the others
// write.
type commons struct {
	*disk
	mu        sync.Mutex
	followers []chan store.Entry
}

func newCommons() *commons { return &commons{disk: &disk{KV: memstore.New()}} }

func (c *commons) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	rev, err := c.disk.Put(ctx, e)
	if err == nil {
		e.Revision = rev
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, f := range c.followers {
			f <- e
		}
	}
	return rev, err
}

// roster is who is there, in the order of their turns.
type roster struct {
	mu    sync.Mutex
	order []string
	cut   map[string]bool // cannot make claims
}

// of is the roster as one of them sees it.
func (r *roster) of(self string) *turn { return &turn{r, self} }

func (r *roster) gone(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = slices.DeleteFunc(slices.Clone(r.order), func(n string) bool { return n == name })
}

func (r *roster) cutOff(name string, is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[name] = is
}

type turn struct {
	*roster
	self string
}

func (t *turn) Self() string { return t.self }

func (t *turn) Wait(string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Duration(max(slices.Index(t.order, t.self), 0)) * 3 * time.Second
}

func (t *turn) Alive(agent string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.order, agent)
}

func (t *turn) Able() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.cut[t.self]
}

// alone is a panel of the one location that agents here probe from.
type alone struct{}

func (alone) Voters(string, string, time.Duration) ([]string, map[string]string) {
	return []string{"fra-1"}, nil
}
func (alone) Behind(string) time.Duration { return 0 }
func (alone) Watched(string, string) bool { return false }

// join runs an outbox on records that others tell from too.
func join(t *testing.T, c *commons, name string, r *roster, receivers ...outbox.Receiver) *agent {
	t.Helper()
	a := &agent{reg: prometheus.NewPedanticRegistry(), log: &logBuffer{}}
	a.keeper = incident.NewKeeper(c, incident.Options{Shared: true, Panel: alone{}})
	if err := a.keeper.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	news := make(chan store.Entry, 1000)
	c.mu.Lock()
	c.followers = append(c.followers, news)
	c.mu.Unlock()
	a.Outbox = outbox.New(outbox.Options{
		Records: a.keeper, Registerer: a.reg, Grace: 3 * time.Second, Turns: r.of(name),
		Log: slog.New(slog.NewTextHandler(a.log, nil)),
	})
	a.SetReceivers(receivers, settings)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = a.Run(ctx) }) // it always returns nil
	running.Go(func() {
		f := a.keeper.Follower()
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-news:
				f.Put(e)
			}
		}
	})
	a.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(a.stop)
	return a
}

// crew is three agents that tell one receiver.
func crew(t *testing.T) (c *commons, r *roster, in *inbox, agents map[string]*agent) {
	t.Helper()
	c, in = newCommons(), &inbox{}
	r = &roster{order: []string{"a", "b", "c"}, cut: map[string]bool{}}
	agents = make(map[string]*agent)
	for _, name := range r.order {
		agents[name] = join(t, c, name, r, receiver("oncall", in))
	}
	return c, r, in, agents
}

func resultOf(what func(site, check string) checks.Result) checks.Result { return what("shop", "home") }

func fails(site, check string) checks.Result { return failing(site, check, "522") }

// Of three agents that all see what is owed one tells it, and one its end.
func TestOneOfThreeTells(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, in, agents := crew(t)
		since := time.Now()
		agents["b"].result(t, resultOf(fails))
		time.Sleep(time.Minute)
		agents["c"].result(t, resultOf(passing))
		time.Sleep(time.Minute)
		synctest.Wait()
		equal(t, "told", in.told(since), []string{"+5s opened", "+1m0s resolved"})
		if sent := agents["a"].log.String(); strings.Count(sent, "notification sent") != 2 {
			t.Errorf("the one whose turn it is told:\n%s", sent)
		}
	})
}

// Whoever is alive stands in for the one whose turn it would be.
func TestNextInTurnStandsIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, r, in, agents := crew(t)
		since := time.Now()
		agents["a"].stop()
		agents["b"].result(t, resultOf(fails))
		time.Sleep(20 * time.Second)
		equal(t, "told while nobody knows that a is gone", in.told(since), []string{"+8s opened"})
		r.gone("a")
		agents["c"].result(t, resultOf(passing))
		time.Sleep(20 * time.Second)
		equal(t, "told once they know", in.told(since), []string{"+8s opened", "+20s resolved"})
	})
}

// An agent that dies in the middle of telling leaves a claim. It lapses, and the
// next one tells, in doubt, so that the receiver can find what was there already.
func TestClaimOfTheDeadLapses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, r, in, agents := crew(t)
		in.set(func(ctx context.Context, n notify.Notification) (notify.Receipt, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		since := time.Now()
		agents["b"].result(t, resultOf(fails))
		time.Sleep(6 * time.Second) // a is at it
		r.cutOff("a", true)
		agents["a"].stop()
		r.gone("a")
		agents["b"].Reconsider() // as an agent does when another one is gone
		in.set(nil)
		time.Sleep(30 * time.Second)
		got := in.messages()
		last := got[len(got)-1]
		if len(got) != 2 || !last.ok || !last.n.Doubtful {
			t.Fatalf("told %v, doubtful %t: want it once more, in doubt", in.told(since), last.n.Doubtful)
		}
		if took := last.at.Sub(since); took < 15*time.Second || took > 25*time.Second {
			t.Errorf("told after %v, want it some ten seconds after the claim was made", took)
		}
	})
}

// A claim of one that is there stands for as long as an attempt can take.
func TestClaimOfTheLivingStands(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, in, agents := crew(t)
		slow := make(chan struct{})
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) { <-slow; return nil, nil })
		since := time.Now()
		agents["b"].result(t, resultOf(fails))
		time.Sleep(25 * time.Second)
		close(slow)
		time.Sleep(time.Minute)
		equal(t, "told", in.told(since), []string{"+25s opened"})
	})
}

// How an attempt went is written down though the store is away for a while:
// else another agent would tell the same again.
func TestSettledWhenTheStoreIsBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, _, in, agents := crew(t)
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			c.fail(errors.New("away"))
			return notify.Receipt{"ts": "1"}, nil
		})
		since := time.Now()
		agents["b"].result(t, resultOf(fails))
		time.Sleep(20 * time.Second)
		in.set(nil)
		c.fail(nil)
		time.Sleep(2 * time.Minute)
		equal(t, "told", in.told(since), []string{"+5s opened"})
		rec, _ := agents["c"].keeper.Record("shop")
		if d := rec.Incidents[0].Deliveries["oncall"]; d.Receipt["ts"] != "1" || d.Claim != "" || d.Sending != 0 {
			t.Errorf("delivery %+v, want it settled", d)
		}
	})
}

// What cannot be claimed is not told: somebody else may be telling it.
func TestUnableToClaim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, r, in, agents := crew(t)
		for _, name := range []string{"a", "b", "c"} {
			r.cutOff(name, true)
		}
		since := time.Now()
		agents["a"].result(t, resultOf(fails))
		time.Sleep(time.Minute)
		equal(t, "told while nobody can claim", in.told(since), nil)
		c.fail(errors.New("away")) // able, as they think, and yet they are not
		for _, name := range []string{"a", "b", "c"} {
			r.cutOff(name, false)
		}
		time.Sleep(time.Minute)
		equal(t, "told while nothing can be written", in.told(since), nil)
		c.fail(nil)
		time.Sleep(30 * time.Second)
		if got := in.messages(); len(got) != 1 || !got[0].ok {
			t.Errorf("told %v, want it once", in.told(since))
		}
	})
}

// A receiver that forgets is told again by the one whose turn it is, and by the
// next one when that is gone.
func TestOneResends(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, r := newCommons(), &roster{order: []string{"a", "b"}, cut: map[string]bool{}}
		f := newForgetful(time.Minute)
		agents := map[string]*agent{}
		for _, name := range r.order {
			agents[name] = join(t, c, name, r, receiver("oncall", f))
		}
		agents["b"].result(t, resultOf(fails))
		time.Sleep(10*time.Minute + 30*time.Second)
		if n := len(f.messages()); n < 10 || n > 12 {
			t.Errorf("told %d times in ten minutes, want it each minute", n)
		}
		agents["a"].stop()
		r.gone("a")
		agents["b"].Reconsider()
		before := len(f.messages())
		time.Sleep(10 * time.Minute)
		if n := len(f.messages()) - before; n < 9 || n > 12 {
			t.Errorf("after a death told %d times in ten minutes, want it each minute", n)
		}
	})
}

// An agent learns what the others have told though it told nothing itself.
func TestQueueOfTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, in, agents := crew(t)
		slow := make(chan struct{})
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) { <-slow; return nil, nil })
		agents["b"].result(t, resultOf(fails))
		time.Sleep(6 * time.Second)
		counts(t, agents["c"], `
			# HELP esawatch_notification_queue_length Incidents whose present state a receiver has not been told yet.
			# TYPE esawatch_notification_queue_length gauge
			esawatch_notification_queue_length{receiver="oncall"} 1
		`)
		close(slow)
		time.Sleep(time.Second)
		for _, name := range []string{"a", "b", "c"} {
			if h := agents[name].Health(); h[0].Owed != 0 {
				t.Errorf("%s still owes %d a second after it was told", name, h[0].Owed)
			}
		}
	})
}

// The pause that a receiver asks for is one for all agents, whoever was asked and
// also after a reload.
func TestPauseForAll(t *testing.T) {
	for _, reload := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			_, _, in, agents := crew(t)
			if reload {
				for _, a := range agents {
					a.SetReceivers([]outbox.Receiver{receiver("oncall", in)}, settings)
				}
				time.Sleep(time.Second)
			}
			in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
				return nil, notify.RetryAfter(errors.New("throttled"), 5*time.Minute)
			})
			agents["b"].result(t, resultOf(fails))
			time.Sleep(4 * time.Minute)
			if n := len(in.messages()); n != 1 {
				t.Errorf("reloaded %t: asked %d times within the pause that it wants, want once", reload, n)
			}
			in.set(nil)
			time.Sleep(3 * time.Minute)
			if got := in.messages(); len(got) != 2 || !got[1].ok {
				t.Errorf("reloaded %t: asked %d times, want it told after the pause", reload, len(got))
			}
		})
	}
}

// A second attempt has a claim of its own, which stands as long as the first.
func TestClaimOfASecondAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, in, agents := crew(t)
		in.set(func(ctx context.Context, _ notify.Notification) (notify.Receipt, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		agents["b"].result(t, resultOf(fails))
		time.Sleep(34 * time.Second) // the first attempt runs
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			time.Sleep(20 * time.Second) // and the second
			return nil, nil
		})
		time.Sleep(2 * time.Minute)
		told := 0
		for _, m := range in.messages() {
			if m.ok {
				told++
			}
		}
		if told != 1 || len(in.messages()) != 2 {
			t.Errorf("%d attempts, of which %d worked: want 2 and 1", len(in.messages()), told)
		}
	})
}

// What a receiver is owed that only one agent has is left to that one, though it
// takes longer than the others know of.
func TestReceiverOfOneAgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, r := newCommons(), &roster{order: []string{"a", "b"}, cut: map[string]bool{}}
		in, own := &inbox{}, &inbox{}
		a := join(t, c, "a", r, receiver("oncall", in))
		join(t, c, "b", r, receiver("oncall", in), receiver("own", own))
		a.result(t, resultOf(fails))
		time.Sleep(time.Minute)
		own.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			return nil, errors.New("away")
		})
		a.result(t, resultOf(passing))
		time.Sleep(5 * time.Minute)
		own.set(nil)
		time.Sleep(10 * time.Minute)
		if got := own.messages(); len(got) == 0 || !got[len(got)-1].ok || got[len(got)-1].n.Firing {
			t.Errorf("told %d times, want the end in the last one", len(got))
		}
		time.Sleep(10 * time.Minute)
		if left, err := c.Keys(t.Context(), "site/"); err != nil || len(left) != 0 {
			t.Errorf("%d records are left (%v), want none", len(left), err)
		}
	})
}

// Who saw another agent's claim knows at once when that has told, and counts no
// debt that is paid.
func TestPaidByAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, in, agents := crew(t)
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			time.Sleep(20 * time.Second)
			return nil, nil
		})
		agents["b"].result(t, resultOf(fails))
		time.Sleep(26 * time.Second)
		for name, a := range agents {
			if owed := a.Health()[0].Owed; owed != 0 {
				t.Errorf("%s: %d owed, want none", name, owed)
			}
		}
	})
}
