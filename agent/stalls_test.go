package agent

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

func TestStallsCountWhatIsLost(t *testing.T) {
	s := newStalls(slog.New(slog.DiscardHandler))
	at := time.Now()
	if s.look(at) || s.lost != 0 {
		t.Errorf("lost %v with nothing running", s.lost)
	}
	at = at.Add(time.Hour)
	first := s.begin(at)
	for _, step := range []struct{ gap, lost time.Duration }{
		{stallBeat, 0}, {stallBeat + stallSlack, 0}, {5 * time.Millisecond, 0},
		{time.Second, 980 * time.Millisecond}, {stallBeat, 980 * time.Millisecond},
		{120 * time.Millisecond, 1080 * time.Millisecond},
	} {
		at = at.Add(step.gap)
		if another := s.begin(at); another != step.lost || s.end(at, another) != 0 {
			t.Errorf("before a look after %v: lost %v, want %v", step.gap, another, step.lost)
		}
		if !s.look(at) {
			t.Error("it looks no more, while a check runs")
		}
		if another := s.begin(at); another != step.lost || s.end(at, another) != 0 {
			t.Errorf("after %v: lost %v, want %v", step.gap, another, step.lost)
		}
	}
	if lost := s.end(at.Add(time.Second), first); lost != 2060*time.Millisecond {
		t.Errorf("the check that ends now lost %v", lost)
	}
	if s.look(at) {
		t.Error("it still looks, and nothing runs")
	}
	at = at.Add(time.Hour)
	if again := s.begin(at); again != 1080*time.Millisecond {
		t.Errorf("an hour with nothing running counts as lost: %v", again)
	}
}

func TestSpoilt(t *testing.T) {
	result := func(c catalog.Condition, origin *checks.Origin) *checks.Result {
		r := &checks.Result{DurationSeconds: 10, Outcome: checks.Fail, Origin: origin}
		r.Diagnosis = &catalog.Diagnosis{Condition: c}
		return r
	}
	const second = time.Second
	for name, tt := range map[string]struct {
		r    *checks.Result
		lost time.Duration
		want bool
	}{
		"a timeout, half of it lost":        {result(catalog.Timeout, nil), 5 * second, true},
		"a timeout, less of it lost":        {result(catalog.Timeout, nil), 4 * second, false},
		"connecting took too long":          {result(catalog.ConnectTimeout, nil), 6 * second, true},
		"no name server answered":           {result(catalog.DNSFailure, nil), 6 * second, true},
		"slow, a fifth of it lost":          {result(catalog.Slow, nil), 2 * second, true},
		"slow, less of it lost":             {result(catalog.Slow, nil), second, false},
		"a status needs no time":            {result("503", nil), 9 * second, false},
		"a refusal needs no time":           {result(catalog.ConnectRefused, nil), 9 * second, false},
		"the origin timed out":              {result(catalog.OriginDown, &checks.Origin{Condition: catalog.Timeout}), 6 * second, true},
		"the origin answered with an error": {result(catalog.OriginDown, &checks.Origin{Condition: "503"}), 6 * second, false},
		"it passed":                         {&checks.Result{DurationSeconds: 10, Outcome: checks.Pass}, 9 * second, false},
	} {
		if got := spoilt(tt.r, tt.lost); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// TestStarvedSpell holds that a spell is said at its beginning and its end, and
// that results count again when it does not end.
func TestStarvedSpell(t *testing.T) {
	var log lockedBuffer
	s := newStalls(slog.New(slog.NewTextHandler(&log, nil)))
	r := &checks.Result{Site: "shop", Check: "home", DurationSeconds: 10, Outcome: checks.Fail}
	r.Diagnosis = &catalog.Diagnosis{Condition: catalog.Timeout}
	at := time.Now()
	for after := time.Duration(0); after < starvedMost; after += 30 * time.Second {
		s.look(at.Add(after))
		if !s.starved(at.Add(after), r, 9*time.Second) {
			t.Fatalf("the result counts after %v", after)
		}
	}
	if s.starved(at.Add(starvedMost), r, 9*time.Second) {
		t.Error("no result counts, ever")
	}
	s.look(at.Add(starvedMost + starvedCalm))
	if !s.starved(at.Add(time.Hour), r, 9*time.Second) {
		t.Error("the next spell is not one of its own")
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "results held back") || !strings.Contains(lines[1], "took=5m0s runs=11") || !strings.Contains(lines[2], "results held back") {
		t.Errorf("logged:\n%s", log.String())
	}
}

// TestStarvedProcessBlamesNoSite gives a whole agent one processor, which a
// hundred others want as well. Nothing of what it then cannot see is told.
func TestStarvedProcessBlamesNoSite(t *testing.T) {
	h := newHouse(t, `defaults: {schedule: 1s, timeout: 300ms, confirm: {failures: 1}, resolve_after: 1, expect: {max_duration: 200ms}}
alerting: {group_wait: 0s}
receivers: [{name: screen, console: {}}]
sites: [{name: shop, url: EDGE, checks: [{name: a}, {name: b}, {name: c}, {name: d}]}]
`)
	h.start()
	text := func() string { _, text := h.get("/metrics"); return text }
	h.until("all to pass", func() bool {
		return strings.Count(text(), `outcome="pass"} 0`) == 0
	})

	// How much is too much depends on the machine: with too little every check is
	// in time, with more none begins at all.
	held := func() bool { return !strings.Contains(text(), `esawatch_schedule_missed_total{reason="starved"} 0`) }
	for try := 0; !held(); try++ {
		if try == 12 {
			t.Fatalf("no result was held back; logged:\n%s", h.log.String())
		}
		starve([]int{100, 50, 25}[try%3], 3*time.Second)
	}
	if told := h.screen.String(); told != "" {
		t.Errorf("told:\n%s", told)
	}
	if !strings.Contains(h.log.String(), "results held back") {
		t.Errorf("not logged:\n%s", h.log.String())
	}
}

// starve keeps the process from running: so many goroutines want its only
// processor and never let go of it.
func starve(burners int, span time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop atomic.Bool
	var burning sync.WaitGroup
	for range burners {
		burning.Go(func() {
			for !stop.Load() {
			}
		})
	}
	time.Sleep(span)
	stop.Store(true)
	burning.Wait()
}

// TestOverloadIsNoFailure gives a whole agent twice as many checks as it may
// run: each has its share, and that they are late is said of the agent alone.
func TestOverloadIsNoFailure(t *testing.T) {
	const n, most, takes = 40, 2, 100 * time.Millisecond
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.URL.Path]++
		mu.Unlock()
		time.Sleep(takes)
	}))
	defer server.Close()
	h := newHouse(t, manyChecks(n, server.URL, "1s"))
	h.start()
	h.schedule.SetMaxConcurrent(most)
	h.until("a hundred runs", func() bool {
		mu.Lock()
		defer mu.Unlock()
		total := 0
		for _, count := range seen {
			total += count
		}
		return total >= 3*n
	})
	mu.Lock()
	least, greatest := n, 0
	for _, count := range seen {
		least, greatest = min(least, count), max(greatest, count)
	}
	if len(seen) != n || greatest-least > 2 {
		t.Errorf("%d of %d checks have run, each %d to %d times", len(seen), n, least, greatest)
	}
	mu.Unlock()
	_, text := h.get("/metrics")
	if !strings.Contains(text, "esawatch_schedule_overloaded 1") || strings.Contains(text, `esawatch_schedule_missed_total{reason="overload"} 0`) {
		t.Error("the metrics do not say that checks are late")
	}
	if strings.Count(h.log.String(), "checks start late") != 1 {
		t.Errorf("logged, want one line of the overload:\n%s", h.log.String())
	}
	if told := h.screen.String(); told != "" || strings.Contains(text, `outcome="fail"} 1`) {
		t.Errorf("checks that were late have failed; told:\n%s", told)
	}
}
