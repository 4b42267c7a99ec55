package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openBolt(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	kv, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() })
	return kv
}

// policies are those of checks named by their full names.
func policies(p Policy, full ...string) map[string]Policy {
	all := make(map[string]Policy)
	for _, name := range full {
		all[name] = p
	}
	return all
}

// start is a keeper over kv as the agent starts it.
func start(t testing.TB, kv store.KV, opts Options, p map[string]Policy) *Keeper {
	t.Helper()
	k := NewKeeper(kv, opts)
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.SetPolicies(t.Context(), p, timings); err != nil {
		t.Fatal(err)
	}
	return k
}

func observe(t testing.TB, k *Keeper, r checks.Result) {
	t.Helper()
	if err := k.Observe(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

func drain(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// gatus#679, grafana#68162: a restart in the middle of an incident tells
// nothing again, and does not forget to resolve it.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	kv := openBolt(t, path)
	p := policies(Policy{Failures: 2, ResolveAfter: 2}, "shop/a", "shop/b")
	k := start(t, kv, Options{}, p)
	observe(t, k, result("a", "522", at(0)))
	observe(t, k, result("b", "525", at(0)))
	observe(t, k, result("a", "522", at(5)))
	id := k.Open()[0].ID
	attempt := Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: at(10)}
	if _, err := k.Update(t.Context(), "shop", func(rec Record) (Record, bool) {
		return Told(rec, attempt, map[string]string{"ts": "1"})
	}); err != nil {
		t.Fatal(err)
	}
	before := k.Records()
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}

	k = start(t, openBolt(t, path), Options{}, p)
	if diff := cmp.Diff(before, k.Records()); diff != "" {
		t.Errorf("after the restart:\n%s", diff)
	}
	if !drain(k.Changed()) {
		t.Error("nobody is told that there are records")
	}
	if inc := k.Open()[0]; inc.ID != id {
		t.Errorf("incident %s became %s", id, inc.ID)
	} else if _, owed := inc.Due("oncall", timings); owed {
		t.Error("what was told is owed again")
	}
	observe(t, k, result("b", "525", at(20))) // its first failure was before
	observe(t, k, result("a", "ok", at(20)))
	observe(t, k, result("b", "ok", at(25)))
	observe(t, k, result("a", "ok", at(25)))
	observe(t, k, result("b", "ok", at(30)))
	rec, _ := k.Record("shop")
	if want := "opened:a(>522) joined:b(>525) left:a(522>) resolved:b(525>)"; story(rec) != want {
		t.Errorf("story %q\n want %q", story(rec), want)
	}
	if _, owed := rec.Incidents[0].Due("oncall", timings); !owed || rec.Incidents[0].ID != id {
		t.Error("the end is not owed")
	}
}

func TestQuietSitesWriteNothing(t *testing.T) {
	kv := &faulty{KV: memstore.New()}
	k := start(t, kv, Options{}, policies(Policy{Failures: 2}, "shop/a"))
	drain(k.Changed())
	pass := result("a", "ok", at(0))
	allocs := testing.AllocsPerRun(100, func() {
		pass.StartedAt = pass.StartedAt.Add(time.Second)
		observe(t, k, pass)
	})
	if n := kv.writes.Load(); n != 0 || drain(k.Changed()) {
		t.Errorf("a site that is well: %d writes, want none and no wake-up", n)
	}
	if allocs > 0 {
		t.Errorf("%v allocations for a result that changes nothing", allocs)
	}
	now := pass.StartedAt
	for range 100 {
		now = now.Add(time.Second)
		observe(t, k, result("a", "522", now))
	}
	if n := kv.writes.Load(); n != 2 {
		t.Errorf("100 failures of the same kind: %d writes, want 2, of pending and of firing", n)
	}
	if rec, _ := k.Record("shop"); !rec.Incidents[0].Alerts["a"].Result.StartedAt.Equal(now) {
		t.Error("the snapshot does not show the newest result")
	}
	if _, ok := k.Record("elsewhere"); ok {
		t.Error("a site that is not there has a record")
	}
}

// A well site has nothing in the store to compare a late result with; the
// keeper remembers.
func TestLateResultOfAWellSite(t *testing.T) {
	k := start(t, memstore.New(), Options{}, policies(Policy{}, "shop/a"))
	observe(t, k, result("a", "ok", at(10)))
	observe(t, k, result("a", "522", at(9)))
	observe(t, k, result("a", "522", at(10)))
	if open := k.Open(); len(open) != 0 {
		t.Errorf("a late failure opened %s", open[0].ID)
	}
	observe(t, k, result("a", "522", at(-3600))) // the clock was set back
	if open := k.Open(); len(open) != 1 {
		t.Error("the check is blind since the clock was set back")
	}
}

func TestReload(t *testing.T) {
	kv := memstore.New()
	k := start(t, kv, Options{}, policies(Policy{Failures: 2}, "shop/a", "shop/b", "blog/a"))
	fail := func(site, check string, seconds int) {
		r := result(check, "522", at(seconds))
		r.Site = site
		observe(t, k, r)
	}
	fail("shop", "a", 0)
	fail("shop", "b", 0)
	fail("blog", "a", 0)
	fail("shop", "b", 1)
	fail("blog", "a", 1)

	if err := k.SetPolicies(t.Context(), policies(Policy{Failures: 3}, "shop/a", "shop/c"), timings); err != nil {
		t.Fatal(err)
	}
	for site, want := range map[string]string{
		"shop": "opened:b(>522) removed:b(522>) resolved:b(522>)",
		"blog": "opened:a(>522) removed:a(522>) resolved:a(522>)",
	} {
		if got := story(stored(t, kv, site)); got != want {
			t.Errorf("story of %s %q, want %q", site, got, want)
		}
	}
	if got := states(stored(t, kv, "shop")); got != "a=pending" {
		t.Errorf("states %q, want those that stay as they were", got)
	}
	if n := len(k.site("shop", false).seen); n != 1 {
		t.Errorf("last results of %d checks remembered, want 1", n)
	}
	fail("shop", "b", 2) // was under way
	fail("blog", "a", 2)
	fail("shop", "a", 2)
	fail("shop", "a", 3) // the third, after one before the reload
	if rec, _ := k.Record("shop"); states(rec) != "a=firing" {
		t.Errorf("states %q, want a firing after its third failure and no b", states(rec))
	}
	if open := k.Open(); len(open) != 1 || open[0].Site != "shop" {
		t.Errorf("open %+v, want one of shop", open)
	}
}

func TestReminder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := start(t, memstore.New(), Options{}, policies(Policy{}, "shop/a"))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := k.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		observe(t, k, result("a", "522", time.Now()))
		drain(k.Changed())
		time.Sleep(4*time.Hour - time.Second)
		if drain(k.Changed()) {
			t.Error("reminded too early")
		}
		time.Sleep(10 * time.Second)
		if rec, _ := k.Record("shop"); story(rec) != "opened:a(>522) reminder" || !drain(k.Changed()) {
			t.Errorf("story %q, want a reminder, told", story(rec))
		}
		cancel()
		running.Wait()
	})
}

// Many sites fail at once, on a real disk, while others read.
func TestConcurrent(t *testing.T) {
	kv := &faulty{KV: openBolt(t, filepath.Join(t.TempDir(), "state.db"))}
	const sites, rounds = 60, 12
	p := make(map[string]Policy)
	for i := range sites {
		p[fmt.Sprintf("site-%02d/a", i)] = Policy{Failures: 2, ResolveAfter: 2}
		p[fmt.Sprintf("site-%02d/b", i)] = Policy{Failures: 2, ResolveAfter: 2}
	}
	k := start(t, kv, Options{}, p)
	stop, all, readers := make(chan struct{}), sync.WaitGroup{}, sync.WaitGroup{}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-k.Changed():
				}
				for _, rec := range k.Records() {
					if _, err := json.Marshal(rec); err != nil {
						t.Error(err)
					}
				}
				_ = k.Open()
			}
		})
	}
	for i := range sites {
		for _, check := range []string{"a", "b"} {
			all.Go(func() {
				for round := range rounds {
					r := result(check, []string{"522", "522", "ok", "ok"}[round%4], at(round*5))
					r.Site = fmt.Sprintf("site-%02d", i)
					observe(t, k, r)
				}
			})
		}
		all.Go(func() {
			for range rounds {
				_, err := k.Update(t.Context(), fmt.Sprintf("site-%02d", i), func(rec Record) (Record, bool) {
					inc, ok := rec.open()
					if !ok {
						return rec, false
					}
					return Told(rec, Attempt{Incident: inc.ID, Receiver: "oncall", Seq: inc.Seq, At: at(1)}, nil)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	close(stop)
	readers.Wait()
	recs := k.Records()
	if len(recs) != sites {
		t.Fatalf("%d records, want %d", len(recs), sites)
	}
	again := start(t, kv, Options{}, p)
	if diff := cmp.Diff(recs, again.Records()); diff != "" {
		t.Errorf("the store differs from memory:\n%s", diff)
	}
	for _, rec := range recs {
		if len(rec.Checks) != 0 {
			t.Errorf("%s is not well: %v", rec.Site, slices.Sorted(maps.Keys(rec.Checks)))
		}
		for i := range rec.Incidents {
			if err := sane(&rec.Incidents[i], i == len(rec.Incidents)-1); err != nil {
				t.Errorf("%s: %v", rec.Site, err)
			}
		}
	}
}
