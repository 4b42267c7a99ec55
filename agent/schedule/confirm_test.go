package schedule

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestConfirmAndSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 10})
		var r runs
		outcomes := "..xxxx..."
		replace(t, s, Job{
			Name: "shop/home", Spec: mustSpec(t, "1m"), Confirm: Confirm{Failures: 3, Interval: 5 * time.Second}, Settle: 2,
			Run: func(_ context.Context, due time.Time) bool {
				time.Sleep(100 * time.Millisecond)
				r.add(due)
				return r.count() > len(outcomes) || outcomes[r.count()-1] == '.'
			},
		})
		start(t, s)
		later(6 * time.Minute)
		const run, minute = 5100 * time.Millisecond, time.Minute
		// Two ticks; the third fails, and twice more at once; the fourth fails
		// and changes nothing; the fifth passes, and once more at once.
		want := []time.Duration{0, minute, 2 * minute, 2*minute + run, 2*minute + 2*run, 3 * minute, 4 * minute, 4*minute + run, 5 * minute}
		var got []time.Duration
		for _, at := range r.at {
			got = append(got, at.Sub(r.at[0]))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ran at\n%v, want\n%v", got, want)
		}
		wantMissed(t, s, nil)
	})
}

// A first failure is looked at again within seconds, and neither before nor
// after it does the check run more often than it should.
func TestGatus59RecheckWithoutAShorterInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 10})
		var r runs
		replace(t, s, Job{
			Name: "shop/home", Spec: mustSpec(t, "10m"), Confirm: Confirm{Failures: 3, Interval: 5 * time.Second}, Settle: 2,
			Run: func(_ context.Context, due time.Time) bool { r.add(due); return r.count() <= 3 },
		})
		start(t, s)
		later(61 * time.Minute)
		var gaps []time.Duration
		for i, at := range r.at[1:] {
			gaps = append(gaps, at.Sub(r.at[i]))
		}
		const often, soon = 10 * time.Minute, 5 * time.Second
		want := []time.Duration{often, often, often, soon, soon, often - 2*soon, often}
		if len(gaps) < len(want) || fmt.Sprint(gaps[:len(want)]) != fmt.Sprint(want) {
			t.Errorf("ran after\n%v, want\n%v", gaps, want)
		}
	})
}

// TestTickTakesTheEarlyRunsPlace holds that a tick of the schedule which comes
// before the early run replaces it, and one which comes in the middle of it is
// no miss.
func TestTickTakesTheEarlyRunsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 10})
		var before, during runs
		replace(t, s,
			Job{Name: "shop/before", Spec: mustSpec(t, "4s"), Confirm: Confirm{Failures: 100, Interval: 5 * time.Second},
				Run: func(_ context.Context, due time.Time) bool { before.add(due); return false }},
			Job{Name: "shop/during", Spec: mustSpec(t, "10s"), Confirm: Confirm{Failures: 2, Interval: 8500 * time.Millisecond},
				Run: func(_ context.Context, due time.Time) bool {
					during.add(due)
					time.Sleep(time.Second)
					return false
				}})
		start(t, s)
		later(time.Minute)
		if before.count() != 15 {
			t.Errorf("each 4 s with early runs after 5 s: ran %d times a minute, want 15", before.count())
		}
		// Due, then again from 9.5 to 10.5 s, over the next tick: that is
		// skipped, the fault is confirmed, and the ticks that follow run.
		if during.count() != 6 {
			t.Errorf("ran %d times a minute, want 6", during.count())
		}
		wantMissed(t, s, nil)
	})
}
