package natsstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
)

// An operation that is under way when the connection is lost ends at once, and so
// do those that come after it.
func TestFailFast(t *testing.T) {
	const atOnce = 2500 * time.Millisecond // of milliseconds, on a busy machine; a timeout takes 5 s
	servers := natstest.Start(t, 1)
	w := newWire(t, servers.URL(0))
	s := open(t, connect(t, w.url), Options{Bucket: "fast"})
	rev := put(t, s, "key", "one", 0)

	w.silence()
	type end struct {
		err error
		at  time.Time
	}
	ends := make(chan end, 3)
	for _, f := range []func() error{
		func() error {
			_, err := s.Put(t.Context(), store.Entry{Key: "key", Value: []byte("two"), Revision: rev})
			return err
		},
		func() error { _, err := s.Get(t.Context(), "key"); return err },
		func() error { _, err := s.List(t.Context(), ""); return err },
	} {
		go func() { err := f(); ends <- end{err, time.Now()} }()
	}
	until(t, "all are under way", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.ops) >= 3
	})
	cut := time.Now()
	w.cut()
	for range 3 {
		if e := <-ends; !errors.Is(e.err, ErrUnavailable) || e.at.Sub(cut) > atOnce {
			t.Errorf("under way: %v after %v, want %v at once", e.err, e.at.Sub(cut), ErrUnavailable)
		}
	}
	start := time.Now()
	_, err := s.Get(t.Context(), "key")
	if took := time.Since(start); !errors.Is(err, ErrUnavailable) || took > atOnce {
		t.Errorf("Get after the loss: %v after %v, want %v at once", err, took, ErrUnavailable)
	}
	w.mend()
	until(t, "it is over", func() bool { return s.Available() == nil })
	if _, err := s.Get(t.Context(), "key"); err != nil {
		t.Error(err)
	}
}

// A caller who does not wait for the answer to a write is told that it may have
// happened; one who does not wait for a value only that.
func TestImpatient(t *testing.T) {
	servers := natstest.Start(t, 1)
	w := newWire(t, servers.URL(0))
	s := open(t, connect(t, w.url), Options{Bucket: "impatient", Check: patience})
	rev := put(t, s, "key", "one", 0)
	w.silence()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Put(ctx, store.Entry{Key: "key", Value: []byte("two"), Revision: rev})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put: %v, want %v and %v", err, ErrUnavailable, context.DeadlineExceeded)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Get(ctx, "key")
	if errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get: %v, want %v", err, context.DeadlineExceeded)
	}
	if err := s.Available(); err != nil {
		t.Errorf("a caller's impatience makes the store unavailable: %v", err)
	}
	w.mend()
	until(t, "the write that nobody waited for is there", func() bool {
		e, err := s.Get(t.Context(), "key")
		return err == nil && string(e.Value) == "two"
	})
}

// Nodes go and come back while many count: nothing is lost or counted twice.
func TestIncrementsThroughFaults(t *testing.T) {
	t.Parallel()
	servers := natstest.Start(t, 3)
	const writers = 4
	var wires []*wire
	for node := range 3 {
		wires = append(wires, newWire(t, servers.URL(node)))
	}
	urls := []string{wires[0].url + "," + wires[1].url + "," + wires[2].url, servers.URLs(), servers.URLs(), servers.URLs()}
	var stores []*Store
	for i := range writers {
		stores = append(stores, open(t, connect(t, urls[i]), Options{Bucket: "count", Replicas: 3, Timeout: 2 * time.Second, Check: 500 * time.Millisecond}))
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	counts := make([]*count, writers)
	for i, s := range stores {
		counts[i] = &count{s: s, mark: fmt.Sprintf("<%d>", i)}
		wg.Go(func() { counts[i].run(ctx, t) })
	}
	for _, leader := range []bool{true, false} {
		progress(t, counts)
		node := servers.Leader("KV_count")
		if !leader {
			node = (node + 1) % 3
		}
		if node < 0 {
			t.Fatal("the bucket has no leader")
		}
		servers.Kill(node)
		progress(t, counts)
		servers.Restart(node)
		servers.UntilReady()
	}
	progress(t, counts)
	until(t, "the first one is in doubt", func() bool {
		loseAnswers(t, stores[0], wires)
		_, doubts := counts[0].result()
		return doubts > 0
	})
	progress(t, counts)
	stop()
	wg.Wait()
	until(t, "the store can be used", func() bool { return stores[0].Available() == nil })
	e, err := stores[0].Get(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	total, unsure := 0, 0
	for _, c := range counts {
		made, doubt := c.result()
		total, unsure = total+made, unsure+doubt
		if got := strings.Count(string(e.Value), c.mark); got != made {
			t.Errorf("%s is there %d times, %d increments were made", c.mark, got, made)
		}
	}
	t.Logf("%d increments, %d of them in doubt until read again", total, unsure)
}

// loseAnswers has the store's connection end after the server was asked something,
// and before it is heard to answer.
func loseAnswers(t *testing.T, s *Store, wires []*wire) {
	t.Helper()
	seen := s.seen()
	for _, w := range wires {
		w.silence()
	}
	until(t, "something is under way", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.ops) > 0
	})
	for _, w := range wires {
		w.cut()
	}
	for _, w := range wires {
		w.mend()
	}
	until(t, "the loss is over", func() bool { return s.seen() > seen && s.Available() == nil })
}

// count appends its mark to a value again and again. Each time the value grows, so
// that it tells by itself whether a write happened of which that is not known.
type count struct {
	s    *Store
	mark string

	mu     sync.Mutex
	made   int
	unsure int
}

func (c *count) result() (made, unsure int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made, c.unsure
}

func (c *count) run(ctx context.Context, t *testing.T) {
	t.Helper()
	whole := t.Context() // what is in doubt when ctx ends is read again after that
	doubt := false
	for (doubt || ctx.Err() == nil) && whole.Err() == nil {
		e, err := c.s.Get(whole, "n")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("Get: %v, want %v", err, ErrUnavailable)
				return
			}
			time.Sleep(5 * time.Millisecond)
			continue
		}
		there := strings.Count(string(e.Value), c.mark)
		c.mu.Lock()
		if doubt && there == c.made+1 {
			c.made++
		}
		made := c.made
		c.mu.Unlock()
		if there != made {
			t.Errorf("%s is there %d times, want %d", c.mark, there, made)
			return
		}
		if doubt = false; ctx.Err() != nil {
			return
		}
		_, err = c.s.Put(whole, store.Entry{Key: "n", Value: append(e.Value, c.mark...), Revision: e.Revision})
		c.mu.Lock()
		switch {
		case err == nil:
			c.made++
		case errors.Is(err, ErrUnavailable):
			doubt = true
			c.unsure++
		case !errors.Is(err, store.ErrConflict):
			t.Errorf("Put: %v, want %v or %v", err, ErrUnavailable, store.ErrConflict)
		}
		c.mu.Unlock()
		time.Sleep(rand.N(20 * time.Millisecond)) // or the slowest would always come too late
	}
}

// progress waits until every one has counted further.
func progress(t *testing.T, counts []*count) {
	t.Helper()
	for _, c := range counts {
		was, _ := c.result()
		until(t, "all count on", func() bool { made, _ := c.result(); return made > was+3 })
	}
}

// One node of three cannot decide, though the connection to it is fine.
func TestQuorumLost(t *testing.T) {
	t.Parallel()
	servers := natstest.Start(t, 3)
	nc := connect(t, servers.URL(0)) // and to no other
	s := open(t, nc, Options{Bucket: "quorum", Replicas: 3})
	rev := put(t, s, "key", "one", 0)
	n := watching(t, s, "")
	servers.Kill(1)
	servers.Kill(2)
	lost := time.Now()
	until(t, "the loss is noticed", func() bool { return s.Available() != nil })
	took := time.Since(lost)
	t.Logf("noticed after %v: %v", took.Round(time.Millisecond), s.Available())
	if took > lookTimeout+2*s.opts.Check+10*time.Second {
		t.Errorf("noticed after %v", took)
	}
	if !nc.IsConnected() {
		t.Fatal("the connection is lost, which proves nothing")
	}
	_, err := s.Put(t.Context(), store.Entry{Key: "key", Value: []byte("two"), Revision: rev})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("Put: %v, want %v", err, ErrUnavailable)
	}
	// It does not come and go: an old leader answers for a while.
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s.Available() == nil {
			t.Fatal("it is said to be available again")
		}
	}
	servers.Restart(1)
	servers.Restart(2)
	until(t, "it is over", func() bool { return s.Available() == nil })
	put(t, s, "key", "two", rev)
	until(t, "the watch has begun anew", func() bool { return n.syncs() > 1 && n.knows(map[string]string{"key": "two"}) })
}
