package web

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// BenchmarkAPIResults asks for all results over real connections. One check of
// a hundred fails.
func BenchmarkAPIResults(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("site-%d/check-%d", i/10, i%10))
		}
		sc := newScene(b, nil)
		sc.recent.SetChecks(checkList(names...))
		sc.Show(contentFor(names...))
		for i, name := range names {
			condition := catalog.Condition("")
			if i%100 == 0 {
				condition = "522"
			}
			r := result(noon.Add(time.Duration(i)*time.Millisecond), condition)
			r.Site, r.Check = checks.SplitName(name)
			r.TLS = &checks.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Issuer: "CN=Test CA", Subject: "CN=" + r.Site}
			sc.recent.Observe(r)
		}
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(fmt.Sprintf("checks=%d/%s", n, encoding), func(b *testing.B) {
				transport := &http.Transport{DisableCompression: true}
				defer transport.CloseIdleConnections()
				b.ReportAllocs()
				var size int64
				var first time.Duration
				for b.Loop() {
					began := time.Now()
					req := request(b, "GET", sc.Addr(), "/api/v1/results", func(r *http.Request) { r.Header.Set("Accept-Encoding", encoding) })
					resp, err := transport.RoundTrip(req)
					if err != nil {
						b.Fatal(err)
					}
					first += time.Since(began)
					if size, err = io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
						b.Fatalf("got %d, %v", resp.StatusCode, err)
					}
					_ = resp.Body.Close() // it was read to its end
				}
				b.ReportMetric(float64(size), "B/answer")
				b.ReportMetric(float64(first.Microseconds())/float64(b.N), "µs/first-byte")
			})
		}
	}
}
