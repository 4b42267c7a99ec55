package web

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
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
	if got := fmt.Sprintf("%.3f %.3f", last.seconds, last.originSeconds); got != "0.200 0.034" {
		t.Errorf("newest in short: %+v", last)
	}
	if r, ok := m.Newest("shop", "home"); !ok || r.StatusCode != int(last.status) || r.DurationSeconds != 0.2 {
		t.Errorf("newest: %+v, %t", r, ok)
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
	if _, ok := m.Newest("shop", "home"); ok || len(m.sites) != 1 {
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
	list := checkList("shop/home")
	m.SetChecks(list)
	var came []checks.Result
	for i := range 300 {
		came = append(came, answerOfESA(list[0], noon.Add(time.Duration(i)*time.Second)))
	}
	for i := range ringSize {
		m.Observe(came[i])
	}
	next := ringSize
	if n := testing.AllocsPerRun(len(came)-ringSize-1, func() { m.Observe(came[next]); next++ }); n != 0 {
		t.Errorf("%v allocations a result, want none", n)
	}
}

// TestRecentKeepsAllOfTheNewest fills in every field there is, so that one which
// is added to a result is not lost here.
func TestRecentKeepsAllOfTheNewest(t *testing.T) {
	want := checks.Result{Site: "shop", Check: "home", Outcome: checks.Fail, Diagnosis: &catalog.Diagnosis{Condition: "522"}}
	fill(reflect.ValueOf(&want).Elem(), new(int))
	m := NewRecent()
	m.SetChecks(checkList("shop/home"))
	for range 2 { // the second uses the memory of the first
		m.Observe(want)
		got, ok := m.Newest("shop", "home")
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// fill sets what is empty in a value to something that is like nothing else in it.
func fill(v reflect.Value, n *int) {
	if !v.IsZero() {
		return
	}
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(noon.Add(time.Duration(*n) * time.Second)))
		return
	case bool:
		return // Success follows from the outcome; that of the origin is false
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) / 1e6)
	default:
		panic(v.Type().String() + " is not known here")
	}
}

// A site that answers each time with another status is remembered like any other.
func TestRecentOfAnInventiveSite(t *testing.T) {
	m := NewRecent()
	m.SetChecks(checkList("shop/home"))
	var h history
	for n := range 500 {
		r := result(noon.Add(time.Duration(n)*time.Second), "")
		r.StatusCode = 100 + n
		r.Diagnosis = &catalog.Diagnosis{Condition: catalog.FromStatus(r.StatusCode)}
		r.Outcome = checks.Fail
		m.Observe(r)
		m.look("shop", "home", &h)
		for i, e := range h.entries {
			if want := 100 + n - len(h.entries) + 1 + i; e.status != want || e.condition != catalog.FromStatus(want) {
				t.Fatalf("after %d: entry %d is %+v, want status %d", n+1, i, e, want)
			}
		}
	}
	if n := len(m.ring("shop", "home").kinds); n > ringSize+1 {
		t.Errorf("%d kinds of %d results", n, ringSize)
	}
}

func TestShort(t *testing.T) {
	for _, s := range []float64{0, 1e-6, 0.000123, 0.002047, 0.002048, 0.034, 0.2, 0.212345, 1, 9.999999, 10, 59.99, 4294.9} {
		if got := float64(shortOf(s).seconds()); math.Abs(got-s) > s/2048 {
			t.Errorf("%v became %v", s, got)
		}
	}
	for s, want := range map[float64]float32{-1: 0, math.NaN(): 0, 1e9: 4294.9673} {
		if got := shortOf(s).seconds(); math.Abs(float64(got-want)) > float64(want)/2048 {
			t.Errorf("%v became %v, want %v", s, got, want)
		}
	}
	last := short(0)
	for us := range 3_000_000 {
		s := shortOf(float64(us) / 1e6)
		if s < last {
			t.Fatalf("%d µs is shorter than the one before", us)
		}
		last = s
	}
}

func TestHours(t *testing.T) {
	var h hours
	h.add(time.Unix(0, 0), true) // a machine without a clock
	if got := h.tally(); got.runs != 1 || got.fails != 1 {
		t.Errorf("in 1970: %+v", got)
	}
	for range 70_000 {
		h.add(noon, true)
	}
	if got := h.tally(); got.runs != 65535 || got.fails != 65535 || !got.since.Equal(noon) {
		t.Errorf("more than can be counted: %+v", got)
	}
	h = hours{}
	h.add(noon, false)
	h.add(noon.Add(-2*time.Hour), true) // the clock was set back a little
	if got := h.tally(); got.runs != 2 || got.fails != 1 || !got.since.Equal(noon.Add(-2*time.Hour)) {
		t.Errorf("set back a little: %+v", got)
	}
	h.add(noon.AddDate(0, 0, -9), false) // and a lot
	if got := h.tally(); got.runs != 1 || !got.since.Equal(noon.AddDate(0, 0, -9)) {
		t.Errorf("set back a lot: %+v", got)
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

// BenchmarkRecentMemory says what a check costs that has run for long, with ten
// of them a site.
func BenchmarkRecentMemory(b *testing.B) {
	const n = 1000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("site-%d/check-%d", i/10, i%10)
	}
	list := checkList(names...)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := NewRecent()
		m.SetChecks(list)
		for i := range ringSize {
			for _, c := range list {
				m.Observe(answerOfESA(c, noon.Add(time.Duration(i)*time.Minute)))
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/check")
		runtime.KeepAlive(m)
	}
}

// answerOfESA is a result as it comes from the wire: with texts of its own.
func answerOfESA(c *checks.Check, at time.Time) checks.Result {
	r := result(at, "")
	r.Site, r.Check, r.URL = c.Site, c.Name, c.URL
	id := fmt.Sprintf("a3b54e98%d3519e", at.UnixNano())
	r.Edge = probe.Edge{ViaESA: "yes", RequestID: id, NodeIP: fmt.Sprintf("163.181.78.%d", at.Minute()),
		POP: strings.Clone("de7"), CacheStatus: strings.Clone("MISS")}
	r.RemoteAddress = r.Edge.NodeIP + ":443"
	r.TLS = &checks.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", NotAfter: noon.AddDate(0, 3, 0),
		Issuer: "CN=R11,O=Let's Encrypt,C=US", Subject: "CN=" + c.Site + ".example.com", Fingerprint: strings.Repeat("ab", 32)}
	return r
}
