package incident

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	day := func(hour int) time.Time { return time.Date(2026, 12, 1, hour, 0, 0, 0, time.UTC) }
	hourly := func(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }
	daily := func(t time.Time) time.Time {
		next := time.Date(t.Year(), t.Month(), t.Day(), 2, 0, 0, 0, time.UTC)
		if !next.After(t) {
			next = next.AddDate(0, 0, 1)
		}
		return next
	}
	never := func(time.Time) time.Time { return time.Time{} }
	for name, tt := range map[string]struct {
		w          Window
		at         time.Time
		start, end time.Time
		ok         bool
	}{
		"once, before":     {Window{Start: day(4), End: day(6)}, day(1), day(4), day(6), true},
		"once, in it":      {Window{Start: day(4), End: day(6)}, day(5), day(4), day(6), true},
		"once, over":       {Window{Start: day(4), End: day(6)}, day(6), day(4), day(6), false},
		"daily, before":    {Window{Next: daily, Duration: time.Hour}, day(1), day(2), day(3), true},
		"daily, in it":     {Window{Next: daily, Duration: 2 * time.Hour}, day(3), day(2), day(4), true},
		"daily, after":     {Window{Next: daily, Duration: time.Hour}, day(3), day(26), day(27), true},
		"no gap in hourly": {Window{Next: hourly, Duration: time.Hour}, day(3).Add(time.Minute), day(3), day(3).Add((maxSpans + 1) * time.Hour), true},
		"never":            {Window{Next: never, Duration: time.Hour}, day(3), time.Time{}, time.Time{}, false},
	} {
		start, end, ok := tt.w.Span(tt.at)
		if !start.Equal(tt.start) || !end.Equal(tt.end) || ok != tt.ok {
			t.Errorf("%s: %v to %v, %t, want %v to %v, %t", name, start, end, ok, tt.start, tt.end, tt.ok)
		}
		if active := tt.w.Active(tt.at); active != (ok && !start.After(tt.at)) {
			t.Errorf("%s: active %t, and its span is %v to %v", name, active, start, end)
		}
	}
}
