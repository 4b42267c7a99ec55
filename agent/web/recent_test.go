package web

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// checkList makes checks of names such as "shop/home".
func checkList(names ...string) []*checks.Check {
	var list []*checks.Check
	for _, name := range names {
		site, check := checks.SplitName(name)
		list = append(list, &checks.Check{Site: site, Name: check, URL: "https://" + site + ".example.com/", Method: "GET"})
	}
	return list
}

// result is one of shop/home.
func result(at time.Time, condition catalog.Condition) checks.Result {
	r := checks.Result{
		Site: "shop", Check: "home", Location: "fra-1", URL: "https://shop.example.com/", Method: "GET",
		StartedAt: at, DurationSeconds: 0.2, Outcome: checks.Pass, Success: true, StatusCode: 200, HTTPVersion: "2.0",
		PhasesSeconds: checks.Phases{Resolve: 0.004, Connect: 0.02, TLS: 0.03, Processing: 0.15, Transfer: 0.001},
		Origin:        &checks.Origin{Success: true, StatusCode: 200, DurationSeconds: 0.034},
	}
	if condition != "" {
		r.Diagnosis = &catalog.Diagnosis{Condition: condition, Severity: catalog.Critical, Title: "Connection timed out"}
		r.Outcome, r.Success, r.StatusCode = checks.Fail, false, condition.StatusCode()
		if condition.Degrades() {
			r.Outcome, r.Success, r.StatusCode = checks.Degraded, true, 200
		}
	}
	return r
}

func TestRecentKeepsTheNewest(t *testing.T) {
	m := NewRecent()
	m.SetChecks(checkList("shop/home"))
	var h history
	for n := range 3 * ringSize {
		r := result(noon.Add(time.Duration(n)*time.Second), "")
		r.StatusCode = 200 + n
		m.Observe(r)
		m.look("shop", "home", &h)
		if want := min(n+1, ringSize); len(h.entries) != want {
			t.Fatalf("after %d: %d entries, want %d", n+1, len(h.entries), want)
		}
		for i, e := range h.entries {
			if want := 200 + n - len(h.entries) + 1 + i; int(e.status) != want {
				t.Fatalf("after %d: entry %d has status %d, want %d", n+1, i, e.status, want)
			}
		}
	}
	last := h.entries[ringSize-1]
	if want := noon.Add((3*ringSize - 1) * time.Second); !last.start().Equal(want) {
		t.Errorf("newest at %v, want %v", last.start(), want)
	}
	if last.seconds != 0.2 || last.originSeconds != 0.034 || last.phases != [numPhases]float32{0.004, 0.02, 0.03, 0.15, 0.001} {
		t.Errorf("newest in short: %+v", last)
	}
}

func TestRecentTellsOutcomesApart(t *testing.T) {
	m := NewRecent()
	m.SetChecks(checkList("shop/home"))
	for i, c := range []catalog.Condition{"", "522", catalog.Slow} {
		m.Observe(result(noon.Add(time.Duration(i)*time.Second), c))
	}
	var h history
	m.look("shop", "home", &h)
	got := fmt.Sprintf("%v %v %v %s", h.entries[0].outcome, h.entries[1].outcome, h.entries[2].outcome, h.entries[1].condition)
	if want := "pass fail degraded 522"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if h.day.runs != 3 || h.day.fails != 1 {
		t.Errorf("day: %+v, want 3 runs of which the degraded one is no failure", h.day)
	}
}

func TestRecentDay(t *testing.T) {
	m := NewRecent()
	m.SetChecks(checkList("shop/home"))
	var h history
	at := noon
	for range 26 { // one failed and one passed an hour, over more than a day
		m.Observe(result(at, "522"))
		m.Observe(result(at.Add(30*time.Minute), ""))
		at = at.Add(time.Hour)
	}
	m.look("shop", "home", &h)
	if want := (tally{since: noon.Add(time.Hour), runs: 50, fails: 25}); h.day != want {
		t.Errorf("got %+v, want the 24 hours before this one, and this one: %+v", h.day, want)
	}
	m.Observe(result(at.Add(100*time.Hour), ""))
	m.look("shop", "home", &h)
	if h.day.runs != 1 || h.day.fails != 0 {
		t.Errorf("after four days of rest: %+v, want the one new run", h.day)
	}
}

func TestRecentFollowsTheConfiguration(t *testing.T) {
	m := NewRecent()
	m.SetChecks(checkList("shop/home", "shop/login"))
	m.Observe(result(noon, ""))
	before := m.observed.Load()
	m.SetChecks(checkList("shop/home", "blog/home"))
	if m.observed.Load() == before {
		t.Error("a new list is no change")
	}
	if _, ok := m.Newest("shop", "home"); !ok {
		t.Error("a check that stays was forgotten")
	}
	if _, ok := m.Newest("blog", "home"); ok {
		t.Error("a result of a check that never ran")
	}
	m.SetChecks(checkList("blog/home"))
	m.Observe(result(noon, "522"))
	if _, ok := m.Newest("shop", "home"); ok || len(m.checks) != 1 {
		t.Error("a check that left is still there")
	}
	m.SetChecks(checkList("shop/home"))
	if _, ok := m.Newest("shop", "home"); ok {
		t.Error("a check that came back remembers its former life")
	}
	var h history
	m.look("shop", "none", &h)
	if len(h.entries) != 0 {
		t.Errorf("a check that never was has %d results", len(h.entries))
	}
}

func TestRecentAllocatesNothing(t *testing.T) {
	m := NewRecent()
	m.SetChecks(checkList("shop/home"))
	r := result(noon, "")
	m.Observe(r)
	if n := testing.AllocsPerRun(200, func() { m.Observe(r) }); n != 0 {
		t.Errorf("%v allocations a result, want none", n)
	}
}

func TestRecentAtOnce(t *testing.T) {
	m := NewRecent()
	list := checkList("shop/home")
	m.SetChecks(list)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 200 {
				m.Observe(result(noon.Add(time.Duration(n)*time.Second), ""))
			}
		})
		wg.Go(func() {
			var h history
			for range 200 {
				m.look("shop", "home", &h)
				m.SetChecks(list)
			}
		})
	}
	wg.Wait()
	var h history
	if m.look("shop", "home", &h); len(h.entries) != ringSize || h.day.runs != 800 {
		t.Errorf("%d entries of %d runs", len(h.entries), h.day.runs)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := NewRecent()
	m.SetChecks(checkList("shop/home"))
	r := result(noon, "")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(r)
	}
}

// BenchmarkRecentMemory says what a check costs.
func BenchmarkRecentMemory(b *testing.B) {
	const n = 1000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("site-%d/home", i)
	}
	list := checkList(names...)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := NewRecent()
		m.SetChecks(list)
		for _, c := range list {
			r := result(noon, "")
			r.Site, r.Check = c.Site, c.Name
			m.Observe(r)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/check")
		runtime.KeepAlive(m)
	}
}
