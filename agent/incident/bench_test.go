package incident

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
)

func BenchmarkNextPassing(b *testing.B) {
	rec, _ := Next(Record{}, result("a", "522", epoch), Policy{})
	r, p := result("b", "ok", epoch), Policy{Failures: 3, ResolveAfter: 2}
	b.ReportAllocs()
	for b.Loop() {
		rec, _ = Next(rec, r, p)
	}
}

func BenchmarkNextFiring(b *testing.B) {
	rec, _ := Next(Record{}, result("a", "522", epoch), Policy{})
	r := result("a", "522", epoch)
	b.ReportAllocs()
	for b.Loop() {
		r.StartedAt = r.StartedAt.Add(time.Second)
		rec, _ = Next(rec, r, Policy{})
	}
}

// What 10,000 alerts that fire cost in memory, and a write of one of their
// records, of 10 checks each.
func BenchmarkOpenAlerts(b *testing.B) {
	const sites, perSite = 1000, 10
	p := make(map[string]Policy)
	for i := range sites {
		for j := range perSite {
			p[fmt.Sprintf("site-%d/check-%d", i, j)] = Policy{}
		}
	}
	k := start(b, memstore.New(), Options{}, p)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range sites {
		for j := range perSite {
			r := result(fmt.Sprintf("check-%d", j), "522", epoch)
			r.Site = fmt.Sprintf("site-%d", i)
			r.Diagnosis.Steps = []string{"Ask the origin directly.", "Look at its firewall.", "Look at its load."}
			observe(b, k, r)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	rec, _ := k.Record("site-7")
	raw, err := json.Marshal(rec)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := json.Marshal(rec); err != nil {
			b.Fatal(err)
		}
	}
	// memstore has the values too: half of it or more is the store's.
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(sites*perSite), "B/alert")
	b.ReportMetric(float64(len(raw)), "B/record")
	runtime.KeepAlive(k)
}

// From 500 results that make 500 sites fail at once, to all of them saved.
func BenchmarkManySitesFail(b *testing.B) {
	const sites = 500
	p := make(map[string]Policy)
	for i := range sites {
		p[fmt.Sprintf("site-%d/a", i)] = Policy{}
	}
	k := start(b, openBolt(b, filepath.Join(b.TempDir(), "state.db")), Options{}, p)
	now := epoch
	var all sync.WaitGroup
	for b.Loop() {
		now = now.Add(time.Second)
		for i := range sites {
			what := "522"
			if now.Second()%2 == 0 {
				what = "525"
			}
			r := result("a", what, now)
			r.Site = fmt.Sprintf("site-%d", i)
			all.Go(func() { observe(b, k, r) })
		}
		all.Wait()
		b.StopTimer()
		for i := range sites { // and well again, with nothing left of it
			r := result("a", "ok", now.Add(500*time.Millisecond))
			r.Site = fmt.Sprintf("site-%d", i)
			all.Go(func() { resolveAndForget(b, k, r) })
		}
		all.Wait()
		b.StartTimer()
	}
}

func resolveAndForget(b *testing.B, k *Keeper, r checks.Result) {
	observe(b, k, r)
	_, err := k.Update(b.Context(), r.Site, func(rec Record) (Record, bool) { return Record{}, true })
	if err != nil {
		b.Error(err)
	}
}
