package web

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// BenchmarkIncidents lists what a thousand sites with a full history remember.
func BenchmarkIncidents(b *testing.B) {
	const sites, each = 1000, 20
	sc := newScene(b, nil)
	for _, c := range []catalog.Condition{"522", "522", "", ""} {
		sc.observe(b, "shop/home", c, nil)
	}
	// It becomes history when it leaves its record.
	kv := memstore.New()
	opts := options()
	opts.Incidents = incident.NewKeeper(kv, incident.Options{})
	rec, _ := sc.keeper.Record("shop")
	for _, incidents := range [][]incident.Incident{rec.Incidents, nil} {
		if _, err := opts.Incidents.(*incident.Keeper).Update(b.Context(), "shop", func(rec incident.Record) (incident.Record, bool) {
			rec.Site, rec.Incidents = "shop", incidents
			return rec, true
		}); err != nil {
			b.Fatal(err)
		}
	}
	past, err := kv.List(b.Context(), "history/")
	if err != nil || len(past) != 1 {
		b.Fatalf("history: %v, %v", past, err)
	}
	e := past[0]
	e.Revision = 0
	for site := range sites {
		for n := range each {
			i := rec.Incidents[0]
			i.Site = fmt.Sprintf("site-%d", site)
			i.ID = fmt.Sprintf("%s-20261124T00%02d00Z-abcdef", i.Site, n)
			e.Key = "history/" + i.Site + "/" + i.ID
			if e.Value, err = json.Marshal(i); err != nil {
				b.Fatal(err)
			}
			if _, err := kv.Put(b.Context(), e); err != nil {
				b.Fatal(err)
			}
		}
	}
	opts.Incidents = incident.NewKeeper(kv, incident.Options{}) // as after a restart
	h := listen(b, opts).handler()
	last := fmt.Sprintf("/incidents/site-%d-20261124T00%02d00Z-abcdef", sites-1, each-1)
	for _, path := range []string{"/incidents", "/api/v1/incidents", last} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				r := httptest.NewRequest("GET", path, nil)
				r.Host = "localhost"
				if h.ServeHTTP(w, r); w.Code != 200 {
					b.Fatalf("got %d: %s", w.Code, w.Body)
				}
				b.ReportMetric(float64(w.Body.Len()), "B/page")
			}
		})
	}
}

// BenchmarkPages renders pages of an agent whose every ring is full. Ten sites
// of a hundred have an incident.
func BenchmarkPages(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		const perSite = 10
		var names []string
		for i := range n / perSite {
			for j := range perSite {
				names = append(names, fmt.Sprintf("site-%d/check-%d", i, j))
			}
		}
		sc := newScene(b, nil)
		sc.recent.SetChecks(checkList(names...))
		sc.Show(contentFor(names...))
		for k := range ringSize {
			for i, name := range names {
				r := result(noon.Add(time.Duration(k)*time.Second), "")
				if i%97 == k {
					r = result(r.StartedAt, "522")
				}
				r.Site, r.Check = checks.SplitName(name)
				r.DurationSeconds += float64((i*7+k*13)%50) / 1000
				sc.recent.Observe(r)
			}
		}
		h := sc.handler()
		for _, path := range []string{"/", "/?state=unwell", "/sites/site-1", "/api/v1/results"} {
			b.Run(fmt.Sprintf("checks=%d%s", n, path), func(b *testing.B) {
				b.ReportAllocs()
				var size int
				for b.Loop() {
					w := httptest.NewRecorder()
					r := httptest.NewRequest("GET", path, nil)
					r.Host = "localhost"
					h.ServeHTTP(w, r)
					if size = w.Body.Len(); w.Code != 200 {
						b.Fatalf("got %d: %s", w.Code, w.Body)
					}
				}
				b.ReportMetric(float64(size), "B/page")
				r := httptest.NewRequest("GET", path, nil)
				r.Host = "localhost"
				r.Header.Set("Accept-Encoding", "gzip")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				b.ReportMetric(float64(w.Body.Len()), "B/gzipped")
			})
		}
	}
}

// BenchmarkSaver saves and loads what is kept of 10,000 checks, in a real file.
func BenchmarkSaver(b *testing.B) {
	const sites, each = 1000, 10
	var names []string
	for i := range sites {
		for j := range each {
			names = append(names, fmt.Sprintf("site-%d/check-%d", i, j))
		}
	}
	kv, err := boltstore.Open(filepath.Join(b.TempDir(), "state.db"), boltstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = kv.Close() }()
	m, s := restarted(b, kv, silent(), names...)
	list := checkList(names...)
	for k := range 48 * ringSize { // a day, so that there are all hours
		for _, c := range list {
			if k < 47*ringSize && k%ringSize != 0 {
				continue
			}
			m.Observe(answerOfESA(c, noon.Add(time.Duration(k)*30*time.Second)))
		}
	}
	b.Run("save", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, site := range m.sites {
				site.changes.Add(1)
			}
			s.save(b.Context(), everything)
		}
		size := 0
		entries, err := kv.List(b.Context(), recentPrefix)
		if err != nil || len(entries) != sites {
			b.Fatalf("%d sites saved, %v", len(entries), err)
		}
		for _, e := range entries {
			size += len(e.Value)
		}
		b.ReportMetric(float64(size)/(sites*each), "B/check")
	})
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			again := NewRecent()
			again.SetChecks(list)
			NewSaver(again, kv, silent()).Load(b.Context(), catalog.Default())
			if h := seen(again, names[len(names)-1]); len(h.entries) != keptResults {
				b.Fatalf("%d results of the last check", len(h.entries))
			}
		}
	})
}
