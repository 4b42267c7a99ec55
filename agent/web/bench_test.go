package web

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
)

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
		for _, path := range []string{"/", "/?show=unwell", "/sites/site-1", "/api/v1/results"} {
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
