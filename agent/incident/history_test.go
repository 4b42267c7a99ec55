package incident

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

// end opens an incident of a site, resolves it and lets it become history.
func (h historian) end(t testing.TB, site string, seconds int) (id string) {
	t.Helper()
	for i, what := range []string{"522", "ok"} {
		r := result("a", what, at(seconds+i))
		r.Site = site
		observe(t, h.Keeper, r)
		if rec, _ := h.Record(site); i == 0 {
			id = rec.Incidents[len(rec.Incidents)-1].ID
		}
	}
	if _, err := h.Update(t.Context(), site, func(rec Record) (Record, bool) {
		rec, _, ok := Prune(rec, func(*Incident) bool { return true })
		return rec, ok
	}); err != nil {
		t.Error(err)
	}
	return id
}

type historian struct{ *Keeper }

func (h historian) past(t testing.TB, site string) (ids []string) {
	t.Helper()
	past, err := h.History(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range past {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestHistoryAfterRestart(t *testing.T) {
	long := strings.Repeat("long", 15) + "ish" // its IDs have no room for all of it
	p := policies(Policy{}, "shop/a", "shop-2/a", long+"/a")
	path := filepath.Join(t.TempDir(), "state.db")
	kv := openBolt(t, path)
	h := historian{start(t, kv, Options{History: 2}, p)}
	var ids []string
	for i, site := range []string{"shop", "shop-2", long, "shop", "shop"} {
		ids = append(ids, h.end(t, site, i*100))
	}
	want := []string{ids[4], ids[3], ids[2], ids[1]}
	check := func(when string) {
		t.Helper()
		if got := h.past(t, ""); !slices.Equal(got, want) {
			t.Errorf("%s: history %q, want %q", when, got, want)
		}
		if got := h.past(t, "shop"); !slices.Equal(got, []string{ids[4], ids[3]}) {
			t.Errorf("%s: history of shop %q", when, got)
		}
		for i, id := range ids {
			inc, ok, err := h.Incident(t.Context(), id)
			if dropped := i == 0; err != nil || ok == dropped || ok && (inc.ID != id || !inc.OpenedAt.Equal(at(i*100))) {
				t.Errorf("%s: Incident(%q) = %q of %v, %t, %v", when, id, inc.ID, inc.OpenedAt, ok, err)
			}
		}
	}
	check("before")
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	kv = openBolt(t, path)
	h = historian{start(t, kv, Options{History: 2}, p)}
	check("after a restart")

	// What cannot be read is listed, and left out when it comes to reading it.
	for _, key := range []string{"history/shop", "history/shop/x", "history//y"} {
		if _, err := kv.Put(t.Context(), store.Entry{Key: key, Value: []byte("{")}); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	h = historian{start(t, kv, Options{History: 2, Log: slog.New(slog.NewTextHandler(&log, nil))}, p)}
	past, err := h.History(t.Context(), "shop")
	if err != nil || len(past) != 3 || past[2].ID != "x" || !past[2].Opened().IsZero() {
		t.Fatalf("history %v, %v, want the unreadable one last", past, err)
	}
	if inc, ok, err := h.Recall(t.Context(), past[2]); ok || err != nil || !strings.Contains(log.String(), "history/shop/x") {
		t.Errorf("Recall of what cannot be read: %+v, %t, %v; logged %q", inc, ok, err, log.String())
	}
	if inc, ok, err := h.Recall(t.Context(), Past{Site: "shop", ID: ids[0]}); ok || err != nil {
		t.Errorf("Recall of what was dropped: %+v, %t, %v", inc, ok, err)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Recall(t.Context(), past[0]); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Recall from a closed store: %v", err)
	}
}

// keyless is a store whose keys cannot be listed.
type keyless struct {
	store.KV
	broken bool
}

func (k *keyless) Keys(ctx context.Context, prefix string) ([]string, error) {
	if k.broken {
		return nil, errors.New("no keys today")
	}
	return k.KV.Keys(ctx, prefix)
}

// An index that cannot be read is read later, and has then what ended meanwhile.
func TestHistoryIsReadLater(t *testing.T) {
	kv := &keyless{KV: memstore.New(), broken: true}
	h := historian{start(t, kv, Options{}, policies(Policy{}, "shop/a"))}
	id := h.end(t, "shop", 0)
	if _, err := h.History(t.Context(), ""); err == nil {
		t.Error("History of a store that cannot list it: no error")
	}
	if _, _, err := h.Incident(t.Context(), id); err == nil {
		t.Error("Incident of a store that cannot list the history: no error")
	}
	kv.broken = false
	if got := h.past(t, ""); !slices.Equal(got, []string{id}) {
		t.Errorf("history %q, want %q", got, id)
	}
}

func TestHistoryAtOnce(t *testing.T) {
	const sites, each, keep = 8, 6, 4
	p := map[string]Policy{}
	for i := range sites {
		p[fmt.Sprintf("site-%d/a", i)] = Policy{}
	}
	kv := memstore.New()
	h := historian{start(t, kv, Options{History: keep}, p)}
	var wg sync.WaitGroup
	for i := range sites {
		wg.Go(func() {
			for n := range each {
				h.end(t, fmt.Sprintf("site-%d", i), n*100)
			}
		})
		wg.Go(func() {
			for range 20 {
				past, err := h.History(t.Context(), "")
				if err != nil {
					t.Error(err)
				}
				for _, p := range past {
					if _, _, err := h.Recall(t.Context(), p); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	again := historian{start(t, kv, Options{}, p)}
	if was, is := h.past(t, ""), again.past(t, ""); len(is) != sites*keep || !slices.Equal(was, is) {
		t.Errorf("%d incidents known, %d in the store, want %d of each", len(was), len(is), sites*keep)
	}
}

// BenchmarkHistory lists what a thousand sites with a full history remember,
// the first time and from then on, and says what that costs in memory.
func BenchmarkHistory(b *testing.B) {
	const sites, each = 1000, 20
	kv := openBolt(b, filepath.Join(b.TempDir(), "state.db"))
	var wg sync.WaitGroup
	filler := bytes.Repeat([]byte("x"), 10_000) // an incident of a few checks
	for site := range sites {
		wg.Go(func() {
			for n := range each {
				name := fmt.Sprintf("site-%d", site)
				id := fmt.Sprintf("%s%s-abcdef", name, epoch.Add(time.Duration(n)*time.Hour).Format(idTime))
				if _, err := kv.Put(b.Context(), store.Entry{Key: historyKey(name, id), Value: filler}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.Run("first", func(b *testing.B) {
		var before, after runtime.MemStats
		for b.Loop() {
			runtime.GC()
			runtime.ReadMemStats(&before)
			k := NewKeeper(kv, Options{})
			if past, err := k.History(b.Context(), "site-7"); err != nil || len(past) != each {
				b.Fatalf("%d, %v", len(past), err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(sites*each), "B/incident")
			runtime.KeepAlive(k)
		}
	})
	k := NewKeeper(kv, Options{})
	for _, site := range []string{"", "site-7"} {
		b.Run("site="+site, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.History(b.Context(), site); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
