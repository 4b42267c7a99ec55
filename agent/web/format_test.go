package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 59*time.Second + 999*time.Millisecond: "59 s", time.Minute: "1 min",
		59 * time.Minute: "59 min", time.Hour: "1 h", 125 * time.Minute: "2 h 5 min", 24 * time.Hour: "1 d", 76 * time.Hour: "3 d 4 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestAvailability(t *testing.T) {
	for _, tt := range []struct {
		runs, fails uint32
		want        string
	}{
		{0, 0, "–"}, {1, 0, "100 %"}, {3, 3, "0.00 %"}, {3, 1, "66.66 %"},
		{1000000, 1, "99.99 %"}, // never 100 while one failed
		{10000, 1, "99.99 %"}, {200, 1, "99.50 %"},
	} {
		if got := availability(tally{runs: tt.runs, fails: tt.fails}); got != tt.want {
			t.Errorf("%d of %d failed: got %q, want %q", tt.fails, tt.runs, got, tt.want)
		}
	}
}

func TestReach(t *testing.T) {
	now := noon
	for _, tt := range []struct {
		day  tally
		want string
	}{
		{tally{}, "no results yet"},
		{tally{since: now.Add(-2 * time.Hour), runs: 10, fails: 1}, "9 of 10 runs did not fail since 10:00 UTC"},
		{tally{since: now.Add(-24 * time.Hour), runs: 10}, "10 of 10 runs did not fail in 24 hours"},
	} {
		if got := reach(tt.day, now); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestPieces(t *testing.T) {
	for text, want := range map[string]string{
		"":            "[]",
		"plain":       "[{false plain}]",
		"run `a b` x": "[{false run } {true a b} {false  x}]",
		"`a``b`":      "[{true a} {true b}]",
		"odd `a":      "[{false odd } {true a}]",
	} {
		if got := fmt.Sprint(pieces(text)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestFactOf(t *testing.T) {
	long := strings.Repeat("x", 50)
	for line, want := range map[string]fact{
		"POP: de7":   {"POP", "de7"},
		"a: b: c":    {"a", "b: c"},
		"no label":   {"", "no label"},
		long + ": y": {"", long + ": y"},
	} {
		if got := factOf(line); got != want {
			t.Errorf("%q: got %+v, want %+v", line, got, want)
		}
	}
}

func TestSpark(t *testing.T) {
	got := sparkOf([]entry{{seconds: 1}, {seconds: 2, outcome: failed}, {seconds: 0, outcome: degraded}})
	want := spark{Line: "M114 12l2-10l2 20", Failed: "M116 0v24", Degraded: "M118 0v24",
		Label: "last 3 results: median 1.0 s, highest 2.0 s, 1 failed"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := sparkOf(make([]entry, ringSize)); !strings.HasPrefix(got.Line, "M0 22l2 0") {
		t.Errorf("of no time at all: %q", got.Line)
	}
	if got := sparkOf(nil); got.Line != "" || got.Label != "no results yet" {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestPhasesBar(t *testing.T) {
	got := fmt.Sprint(phasesBar([numPhases]float32{0, 0.25, 0, 0.75, 0}))
	if want := "[{connect 0 250 250 ms} {processing 250 750 750 ms}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := phasesBar([numPhases]float32{}); got != nil {
		t.Errorf("of no time at all: %v", got)
	}
}

func TestBars(t *testing.T) {
	bars, top := barsOf([]entry{{seconds: 2, status: 200}, {seconds: 0, condition: "connect_refused", outcome: failed}})
	if top != "2.0 s" || len(bars) != 2 || bars[0].Height != barsHeight || bars[0].Y != 0 || bars[1].Height != 3 || bars[1].X != 59*barStep {
		t.Errorf("got %+v, %q", bars, top)
	}
	if !strings.HasSuffix(bars[0].Title, "UTC: 200 in 2.0 s") || !strings.HasSuffix(bars[1].Title, "UTC: connect_refused in 0.0 ms") {
		t.Errorf("titles %q, %q", bars[0].Title, bars[1].Title)
	}
}

func TestRoot(t *testing.T) {
	for path, want := range map[string]root{
		"/": "./", "/catalog": "./", "/sites/shop": "../", "/a/b/": "../../", "/incidents/a%2Fb": "../", "/api/v1/checks/a/b/run": "../../../../../",
	} {
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := rootOf(&http.Request{URL: u}); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if got := root("../").to("catalog", "a/b?c"); got != "../catalog/a%2Fb%3Fc" {
		t.Errorf("got %q", got)
	}
}
