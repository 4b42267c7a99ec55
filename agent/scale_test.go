package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/probe"
)

// manyChecks are n checks of a server, ten a site, with what most users set.
func manyChecks(n int, url, schedule string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "defaults: {schedule: %s, timeout: 1s, headers: {X-From: esawatch}, expect: {status: [200]}}\nreceivers: [{name: screen, console: {}}]\nsites:\n", schedule)
	for i := range n {
		if i%10 == 0 {
			fmt.Fprintf(&b, "  - name: site-%d\n    url: %s\n    labels: {team: web}\n    checks:\n", i/10, url)
		}
		fmt.Fprintf(&b, "      - {name: page-%d, path: /page/%d}\n", i, i)
	}
	return b.String()
}

// TestMemoryOfChecks holds what a check costs at rest, and that a reload adds
// nothing: neither what was read nor the plan before stays.
func TestMemoryOfChecks(t *testing.T) {
	const n, most = 2000, 2 << 10
	h := newHouse(t, manyChecks(n, "https://127.0.0.1:1", "1d"))
	opts := h.options()
	before := liveHeap()
	a, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer a.release()
	first := liveHeap() - before
	if each := first / n; each > most {
		t.Errorf("a check takes %d bytes at rest, want at most %d", each, most)
	}
	for range 3 {
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	if after := liveHeap() - before; after > first+first/10 {
		t.Errorf("reloads have made %d bytes of %d", after, first)
	}
	runtime.KeepAlive(a)
}

// TestEachRunsInItsTurn holds that a start is no burst, that all checks run, and
// that none runs more often than its period has it.
func TestEachRunsInItsTurn(t *testing.T) {
	const n, period, first = 500, 2 * time.Second, 200 * time.Millisecond
	var mu sync.Mutex
	began := time.Time{}
	seen := map[string]int{}
	soon := 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path]++
		if time.Since(began) < first {
			soon++
		}
	}))
	defer server.Close()
	h := newHouse(t, manyChecks(n, server.URL, period.String()))
	began = time.Now()
	h.start()
	h.until("all have run", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == n
	})
	mu.Lock()
	defer mu.Unlock()
	most := int(time.Since(began)/period) + 1
	for path, times := range seen {
		if times > most {
			t.Errorf("%s ran %d times, want at most %d", path, times, most)
		}
	}
	if soon > n/2 {
		t.Errorf("%d of %d checks ran in the first %v of a period of %v", soon, n, first, period)
	}
}

// BenchmarkReload is a reload of 10,000 checks, from the file to the pages.
func BenchmarkReload(b *testing.B) {
	h := newHouse(b, manyChecks(10_000, "https://127.0.0.1:1", "1d"))
	a, err := New(b.Context(), h.options())
	if err != nil {
		b.Fatal(err)
	}
	defer a.release()
	for b.Loop() {
		if err := a.Reload(); err != nil {
			b.Fatal(err)
		}
	}
}

// liveHeap is what is reachable, in bytes.
func liveHeap() int {
	runtime.GC()
	runtime.GC() // what a finalizer has let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// BenchmarkPassingResult is the way of a result that passed, from the end of the
// request to where it is remembered: what each run costs beside the network.
func BenchmarkPassingResult(b *testing.B) {
	h := newHouse(b, manyChecks(1000, "https://127.0.0.1:1", "1d"))
	a, err := New(b.Context(), h.options())
	if err != nil {
		b.Fatal(err)
	}
	defer a.release()
	runs := make([]func(context.Context, time.Time) bool, len(a.plan.Checks))
	quiet := slog.New(slog.DiscardHandler)
	for i, c := range a.plan.Checks {
		stub := *c
		stub.Edge = answered{&probe.Response{
			StartedAt: time.Now(), Duration: 80 * time.Millisecond, URL: c.URL, StatusCode: 200, HTTPVersion: "2.0",
			Header: http.Header{"Server": {"ESA"}}, Body: []byte("well"), RemoteAddr: "192.0.2.1:443",
			TLS:  &probe.TLSState{Version: "TLS 1.3", NotAfter: time.Now().Add(9000 * time.Hour)},
			Edge: probe.Edge{ViaESA: probe.ViaYes, RequestID: "a3b54e9817588532784852695e", POP: "de7", CacheStatus: "HIT"},
		}}
		runs[i] = a.job(quiet, &stub, checkSpec{}).Run
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !runs[i%len(runs)](b.Context(), time.Time{}) {
			b.Fatal("it did not pass")
		}
	}
}

// answered is a prober that has its answer already, of this very moment.
type answered struct{ resp *probe.Response }

func (p answered) Do(context.Context) *probe.Response {
	p.resp.StartedAt = time.Now()
	return p.resp
}
