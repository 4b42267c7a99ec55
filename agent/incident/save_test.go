package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
)

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
	for i, p := range past {
		got = append(got, p.ID)
		inc, ok, err := k.Recall(t.Context(), p)
		if err != nil || !ok || inc.ID != p.ID || !inc.OpenedAt.Equal(p.Opened()) || !inc.OpenedAt.Equal(at((4-i)*100)) {
			t.Errorf("Recall(%v) = %+v, %t, %v, opened %v", p, inc, ok, err, p.Opened())
		}
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
