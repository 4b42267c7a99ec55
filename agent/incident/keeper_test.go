package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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

// faulty is a store whose writes can be made to fail, and are counted.
type faulty struct {
	store.KV
	err      atomic.Pointer[error] // what every write fails with, without being done
	lost     atomic.Int32          // so many writes are done, and then reported as failed
	writes   atomic.Int32
	onWrites func() // called before each write, nil for none
}

func (f *faulty) before() error {
	f.writes.Add(1)
	if f.onWrites != nil {
		f.onWrites()
	}
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *faulty) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	if err := f.before(); err != nil {
		return 0, err
	}
	rev, err := f.KV.Put(ctx, e)
	if err == nil && f.lost.Load() > 0 {
		f.lost.Add(-1)
		return 0, syscall.EIO
	}
	return rev, err
}

func (f *faulty) Delete(ctx context.Context, key string, rev store.Revision) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.KV.Delete(ctx, key, rev)
}

func (f *faulty) fail(err error) {
	if err == nil {
		f.err.Store(nil)
	} else {
		f.err.Store(&err)
	}
}

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

// stored is the site's record as the next process would find it.
func stored(t testing.TB, kv store.KV, site string) Record {
	t.Helper()
	e, err := kv.Get(t.Context(), sitePrefix+site)
	if errors.Is(err, store.ErrNotFound) {
		return Record{}
	}
	if err != nil {
		t.Fatal(err)
	}
	rec, err := decode(e)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

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

// A full disk stops neither the alerts nor the checks, is said once, and what
// was not saved is saved when there is room again.
func TestStoreCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		kv := &faulty{KV: memstore.New()}
		k := start(t, kv, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, policies(Policy{}, "shop/a", "blog/a"))
		blog := func(what string, seconds int) checks.Result {
			r := result("a", what, at(seconds))
			r.Site = "blog"
			return r
		}
		observe(t, k, result("a", "522", at(0)))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = k.Run(ctx) })
		drain(k.Changed())

		kv.fail(syscall.ENOSPC)
		observe(t, k, result("a", "525", at(1)))
		observe(t, k, result("a", "ok", at(2)))
		observe(t, k, blog("522", 2))
		if rec, _ := k.Record("shop"); story(rec) != "opened:a(>522) changed:a(522>525) resolved:a(525>)" {
			t.Errorf("story %q: does not go on from memory", story(rec))
		}
		if len(k.Open()) != 1 || !drain(k.Changed()) {
			t.Error("the new incident is not shown")
		}
		if err := k.Healthy(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Healthy: %v, want %v", err, syscall.ENOSPC)
		}
		if _, err := k.Update(ctx, "blog", func(rec Record) (Record, bool) {
			return Told(rec, Attempt{Incident: rec.Incidents[0].ID, Receiver: "oncall", Seq: 1, At: at(5)}, nil)
		}); err != nil {
			t.Errorf("Update: %v", err)
		}
		time.Sleep(time.Minute)
		if n := strings.Count(log.String(), "cannot be saved"); n != 1 {
			t.Errorf("said %d times, want once:\n%s", n, log.String())
		}

		kv.fail(nil)
		time.Sleep(time.Minute)
		if err := k.Healthy(); err != nil {
			t.Errorf("Healthy: %v", err)
		}
		if rec := stored(t, kv, "shop"); story(rec) != "opened:a(>522) changed:a(522>525) resolved:a(525>)" {
			t.Errorf("story %q was saved", story(rec))
		}
		if rec := stored(t, kv, "blog"); len(rec.Incidents) != 1 || rec.Incidents[0].Deliveries["oncall"].Seq != 1 {
			t.Errorf("saved %+v, want the incident and its delivery", rec)
		}
		if !strings.Contains(log.String(), "saved again") {
			t.Errorf("log does not say that it works again:\n%s", log.String())
		}

		// What is missing at the end is saved before Run returns.
		kv.fail(syscall.EIO)
		observe(t, k, blog("ok", 10))
		kv.fail(nil)
		cancel()
		running.Wait()
		if rec := stored(t, kv, "blog"); rec.Incidents[0].Open() {
			t.Error("the last change was not saved at the end")
		}
	})
}

// A write that was done and reported as failed is found in the store at another
// revision: it is ours, and what we know now is newer.
func TestWriteReportedLost(t *testing.T) {
	kv := &faulty{KV: memstore.New()}
	k := start(t, kv, Options{}, policies(Policy{}, "shop/a"))
	kv.lost.Store(1)
	observe(t, k, result("a", "522", at(0)))
	if k.Healthy() == nil {
		t.Error("healthy after a failed write")
	}
	kv.fail(syscall.EIO) // this one is not even done
	observe(t, k, result("a", "525", at(1)))
	kv.fail(nil)
	observe(t, k, result("a", "526", at(2)))
	if err := k.Healthy(); err != nil {
		t.Errorf("Healthy: %v", err)
	}
	if got := story(stored(t, kv, "shop")); got != "opened:a(>522) changed:a(522>525) changed:a(525>526)" {
		t.Errorf("saved %q", got)
	}
}

// Somebody else changed the record: the change is made on theirs.
func TestConflict(t *testing.T) {
	kv := &faulty{KV: memstore.New()}
	p := policies(Policy{}, "shop/a", "shop/b")
	one, two := start(t, kv, Options{}, p), start(t, kv, Options{}, p)
	observe(t, one, result("a", "522", at(0)))
	observe(t, two, result("b", "525", at(1)))
	want := "opened:a(>522) joined:b(>525)"
	if rec, _ := two.Record("shop"); story(rec) != want || story(stored(t, kv, "shop")) != want {
		t.Errorf("story %q, saved %q, want %q", story(rec), story(stored(t, kv, "shop")), want)
	}
	if err := two.Healthy(); err != nil {
		t.Errorf("Healthy: %v", err)
	}

	// A store that always has something newer is an error, not a loop.
	n := 0
	kv.onWrites = func() {
		n++
		e, err := kv.Get(t.Context(), sitePrefix+"shop")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.KV.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Observe(t.Context(), result("a", "ok", at(5))); !errors.Is(err, store.ErrConflict) || n != maxConflicts {
		t.Errorf("Observe: %v after %d writes, want %v after %d", err, n, store.ErrConflict, maxConflicts)
	}
}

func TestLoadBadRecords(t *testing.T) {
	kv := memstore.New()
	good, _ := Next(Record{}, result("a", "522", epoch), Policy{})
	value, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		t.Helper()
		if _, err := kv.Put(t.Context(), store.Entry{Key: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	put("site/shop", string(value))
	put("site/garbage", "\x00\xff")
	put("site/type", `{"version":1,"site":"type","checks":7}`)
	put("site/other", string(value)) // the record of another site
	put("site/none", `{}`)
	put("other/key", "not ours")

	var log bytes.Buffer
	k := NewKeeper(kv, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if recs := k.Records(); len(recs) != 1 || recs[0].Site != "shop" {
		t.Errorf("loaded %+v, want shop alone", recs)
	}
	entries, err := kv.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	if want := []string{"bad/site/garbage", "bad/site/none", "bad/site/other", "bad/site/type", "other/key", "site/shop"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 4 {
		t.Errorf("%d errors logged, want 4:\n%s", n, log.String())
	}

	put("site/newer", `{"version":2,"site":"newer","checks":"in another form"}`)
	err = NewKeeper(kv, Options{}).Load(t.Context())
	if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "newer") {
		t.Errorf("Load of a newer record: %v, want an error that says so", err)
	}
}

func TestHistory(t *testing.T) {
	kv := memstore.New()
	k := start(t, kv, Options{History: 3}, policies(Policy{}, "shop/a", "shop2/a"))
	settle := func(rec Record) (Record, bool) {
		rec, _, ok := Prune(rec, func(*Incident) bool { return true })
		return rec, ok
	}
	var ids []string
	for i := range 5 {
		observe(t, k, result("a", "522", at(i*100)))
		ids = append(ids, k.Open()[0].ID)
		observe(t, k, result("a", "ok", at(i*100+10)))
		if _, err := k.Update(t.Context(), "shop", settle); err != nil {
			t.Fatal(err)
		}
	}
	other := result("a", "522", at(0))
	other.Site = "shop2"
	observe(t, k, other)

	if _, ok := k.Record("shop"); ok {
		t.Error("a record with nothing in it is kept")
	}
	if _, err := kv.Get(t.Context(), "site/shop"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the store has it: %v", err)
	}
	past, err := k.History(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, inc := range past {
		got = append(got, inc.ID)
	}
	if want := []string{ids[4], ids[3], ids[2]}; !slices.Equal(got, want) {
		t.Errorf("history %q, want the newest three %q", got, want)
	}
	find := func(id string, want bool) {
		t.Helper()
		inc, ok, err := k.Incident(t.Context(), id)
		if err != nil || ok != want || ok && inc.ID != id {
			t.Errorf("Incident(%q) = %q, %t, %v, want %t", id, inc.ID, ok, err, want)
		}
	}
	find(ids[4], true)
	find(ids[0], false)
	find(k.Open()[0].ID, true)
	find("", false)
	find("../../x", false)
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
