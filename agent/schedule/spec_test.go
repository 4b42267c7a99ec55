package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSpec(t *testing.T) {
	for _, tc := range []struct {
		spec   string
		period time.Duration
		line   string
		err    string
	}{
		{spec: "30s", period: 30 * time.Second},
		{spec: " 1m30s ", period: 90 * time.Second},
		{spec: "1.5s", period: 1500 * time.Millisecond},
		{spec: "100ms", period: 100 * time.Millisecond},
		{spec: "1d", period: 24 * time.Hour},
		{spec: "2w", period: 14 * 24 * time.Hour},
		{spec: "*/5 8-20 * * 1-5", line: "*/5 8-20 * * 1-5"},
		{spec: "*/5\t8-20  * * 1-5", line: "*/5 8-20 * * 1-5"},
		{spec: "CRON_TZ=Asia/Shanghai 0 9 * * *", line: "CRON_TZ=Asia/Shanghai 0 9 * * *"},
		{spec: "TZ=UTC 0 9 * * MON-fri", line: "TZ=UTC 0 9 * * MON-fri"},
		{spec: "@hourly", line: "@hourly"},
		{spec: "0 0 29 2 *", line: "0 0 29 2 *"},

		{spec: "", err: `schedule "": empty`},
		{spec: "  ", err: `empty`},
		{spec: "10", err: `schedule "10": neither a duration such as 30s nor a cron line of five fields`},
		{spec: "0", err: `shorter than 100ms`},
		{spec: "99ms", err: `shorter than 100ms`},
		{spec: "-5s", err: `shorter than 100ms`},
		{spec: "9999999w", err: `neither a duration`},
		{spec: "10000h", err: `longer than a year`},
		{spec: "soon", err: `neither a duration`},
		{spec: "* * * *", err: `expected exactly 5 fields, found 4`},
		{spec: "* * * * * *", err: `expected exactly 5 fields, found 6`},
		{spec: "61 * * * *", err: `above maximum`},
		{spec: "* * * * 7", err: `above maximum`},
		{spec: ", * * * *", err: `no value for the minute`},
		{spec: "* * * , *", err: `no value for the month`},
		{spec: "0 0 31 2 *", err: `schedule "0 0 31 2 *": never comes`},
		{spec: "@every 1500ms", err: `write the duration alone`},
		{spec: "@fortnightly", err: `unrecognized descriptor`},
		{spec: "TZ=UTC", err: `a time zone with no cron line after it`},
		{spec: "CRON_TZ=", err: `write its name, such as Asia/Shanghai`},
		{spec: "CRON_TZ= * * * * *", err: `write its name, such as Asia/Shanghai`},
		{spec: "TZ=Local * * * * *", err: `write its name, such as Asia/Shanghai`},
		{spec: "TZ=Mars/Olympus * * * * *", err: `unknown time zone "Mars/Olympus"`},
		{spec: "TZ=../../etc/passwd * * * * *", err: `unknown time zone`},
		{spec: "TZ=UTC CRON_TZ=UTC", err: `two time zones`},
		{spec: strings.Repeat("*", 300), err: `schedule of 300 characters: longer than 256`},
	} {
		got, err := ParseSpec(tc.spec)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("ParseSpec(%q): got error %v, want one with %q", tc.spec, err, tc.err)
			}
			continue
		}
		if err != nil || got.period != tc.period || got.line != tc.line {
			t.Errorf("ParseSpec(%q): got %+v, %v; want period %v, line %q", tc.spec, got, err, tc.period, tc.line)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{"30s", "1d", "*/5 8-20 * * 1-5", "CRON_TZ=Asia/Shanghai 0 9 * * *", "TZ=UTC",
		"CRON_TZ=", "TZ=UTC TZ=UTC", ", , , , ,", "@every 1s", "@every", "1-2-3/4/5 * * * *", "0 0 31 2 *",
		"*/18446744073709551615 * * * *", "9223372036854775807ns", "100000000w", "TZ=\x00 * * * * *"} {
		f.Add(s)
	}
	base := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		spec, err := ParseSpec(s)
		if err != nil {
			return
		}
		key, offset := spec.place("shop/home")
		sl := newSlot(key, spec)
		if offset < 0 || offset >= sl.width {
			t.Fatalf("offset %v outside of the slot's width %v", offset, sl.width)
		}
		at := base
		for range 5 {
			next := sl.schedule.Next(at)
			if !next.After(at) {
				t.Fatalf("Next(%v) = %v does not come after it", at, next)
			}
			at = next
		}
	})
}

// TestLinesAndSummerTime holds what ParseSpec promises of the two odd nights.
func TestLinesAndSummerTime(t *testing.T) {
	for _, tc := range []struct {
		spec, from string
		want       []string
	}{
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00Z", []string{"2026-03-30T00:30:00Z"}},                         // left out on the 29th
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}}, // twice
		{"CRON_TZ=Europe/Berlin 0 * * * *", "2026-03-29T00:30:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		{"CRON_TZ=Asia/Shanghai 0 9 * * *", "2026-03-29T00:30:00Z", []string{"2026-03-29T01:00:00Z"}},
		{"0 9 * * *", "2026-03-29T00:30:00Z", []string{"2026-03-29T09:00:00Z"}}, // no zone is UTC, whatever the machine's
	} {
		line := mustSpec(t, tc.spec).cron
		at, err := time.Parse(time.RFC3339, tc.from)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.want {
			at = line.Next(at)
			if got := at.UTC().Format(time.RFC3339); got != want {
				t.Errorf("%s after %s: got %s, want %s", tc.spec, tc.from, got, want)
			}
		}
	}
}

func TestEvery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := time.Duration(rapid.Int64Range(int64(minPeriod), int64(60*24*time.Hour)).Draw(t, "period"))
		e := every{period: period, phase: time.Duration(rapid.Int64Range(0, int64(period)-1).Draw(t, "phase"))}
		// From 1940 to 2100.
		at := time.Unix(rapid.Int64Range(-9e8, 41e8).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds"))
		next := e.Next(at)
		if !next.After(at) || next.Sub(at) > period {
			t.Fatalf("Next(%v) = %v, want within (0, %v] after it", at, next, period)
		}
		if off := (next.UnixNano() - int64(e.phase)) % int64(period); off != 0 {
			t.Fatalf("Next(%v) is %d ns off its phase", at, off)
		}
		if second := e.Next(next); second.Sub(next) != period {
			t.Fatalf("the one after comes %v later, want %v", second.Sub(next), period)
		}
	})
}

// TestPlace holds where names go: a change of it would move every check of
// every installation to another phase.
func TestPlace(t *testing.T) {
	for _, tc := range []struct {
		spec   string
		window int
		offset time.Duration
	}{
		{"10s", 71, 96_574_813},
		{"30s", 90, 196_574_813},
		{"1h", 60, 27_196_574_813},
		{"*/5 * * * *", 0, 2_196_574_813},
	} {
		key, offset := mustSpec(t, tc.spec).place("shop/home")
		if key.window != tc.window || offset != tc.offset {
			t.Errorf("place of shop/home each %s: got window %d, offset %v; want %d, %v", tc.spec, key.window, offset, tc.window, tc.offset)
		}
	}
}

// TestPhasesSpread holds that names as people number them are spread evenly, to
// a few milliseconds, over few slots.
func TestPhasesSpread(t *testing.T) {
	const n = 10_000
	for _, s := range []string{"1s", "10s", "30s", "5m", "1h", "*/5 * * * *"} {
		spec := mustSpec(t, s)
		slots := map[slotKey]bool{}
		tenths := make([]int, 10)
		odd := 0
		for i := range n {
			key, offset := spec.place(fmt.Sprintf("site-%d/home", i))
			slots[key] = true
			phase, whole := offset, lineSpread
			if spec.period > 0 {
				phase, whole = time.Duration(key.window)*windowWidth(spec.period)+offset, spec.period
			}
			tenths[phase*10/whole]++
			if phase%time.Second != 0 {
				odd++
			}
		}
		for i, got := range tenths {
			// A standard deviation is 30.
			if got < n/10-150 || got > n/10+150 {
				t.Errorf("%s: %d of %d jobs in the %dth tenth of the period", s, got, n, i)
			}
		}
		if odd < n*9/10 {
			t.Errorf("%s: only %d of %d phases are not whole seconds", s, odd, n)
		}
		if len(slots) > maxWindows {
			t.Errorf("%s: %d slots, want at most %d", s, len(slots), maxWindows)
		}
	}
}
