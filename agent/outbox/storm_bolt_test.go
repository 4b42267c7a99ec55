package outbox_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/notify"
)

// TestStormOf500OnDisk is 500 sites that fail at once, with a real store and in
// real time: one digest a receiver within group_wait and 2 s, the same one after
// a restart, and a record that is empty once all is over.
func TestStormOf500OnDisk(t *testing.T) {
	const sites = 500
	file := filepath.Join(t.TempDir(), "state.db")
	open := func() *boltstore.Store {
		kv, err := boltstore.Open(file, boltstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}
	s := stormy()
	s.Timings.GroupWait = time.Second
	s.Timings.GroupInterval = time.Second
	first, second := &inbox{}, &inbox{}
	first.set(yesAgain)
	second.set(yesAgain)
	receivers := []outbox.Receiver{receiver("first", first), receiver("second", second)}
	eventually := func(what string, limit time.Duration, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not within %v: %s", limit, what)
			}
		}
	}

	kv := open()
	a := startWith(t, kv, s, receivers...)
	begin := time.Now()
	var wg sync.WaitGroup
	turns := make(chan struct{}, 64)
	for i := range sites {
		turns <- struct{}{}
		wg.Go(func() {
			a.fails(t, i, i+1)
			<-turns
		})
	}
	wg.Wait()
	saved := time.Since(begin)
	eventually("both receivers are told", s.Timings.GroupWait+2*time.Second, func() bool {
		return len(first.messages()) > 0 && len(second.messages()) > 0
	})
	noted := func() bool {
		for _, h := range a.Health() {
			if h.Owed > 0 {
				return false
			}
		}
		return true
	}
	eventually("all that was told is noted", 10*time.Second, noted)
	t.Logf("%d results were saved after %v, told after %v, noted after %v", sites, saved,
		first.messages()[0].at.Sub(begin), time.Since(begin))
	for _, in := range []*inbox{first, second} {
		m := in.messages()
		if last := m[len(m)-1].n; len(m) > 2 || last.Digest == nil || last.Digest.Incidents != sites {
			t.Errorf("%d messages, the last with %d incidents; want a digest of %d", len(m), last.Digest.Incidents, sites)
		}
	}

	a.stop()
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	kv = open()
	t.Cleanup(func() { _ = kv.Close() })
	before := len(first.messages())
	a = startWith(t, kv, s, receivers...)
	t.Cleanup(a.stop)
	time.Sleep(300 * time.Millisecond)
	if n := len(first.messages()) - before; n != 0 {
		t.Errorf("told %d times again after a restart", n)
	}
	for i := range sites {
		turns <- struct{}{}
		wg.Go(func() {
			a.recovers(t, i, i+1)
			<-turns
		})
	}
	wg.Wait()
	over := time.Now()
	ended := func(in *inbox) bool {
		m := in.messages()
		return !m[len(m)-1].n.Firing
	}
	eventually("the end is told", 10*time.Second, func() bool { return ended(first) && ended(second) })
	eventually("the records are empty", 30*time.Second, func() bool { return len(a.keeper.Records()) == 0 })
	t.Logf("all settled %v after the last was over", time.Since(over))
	as := toldAs(t, append(first.messages(), second.messages()...))
	if len(as) != sites {
		t.Errorf("%d incidents were told, want %d", len(as), sites)
	}
}

var _ notify.Resender = (*forgetful)(nil)
