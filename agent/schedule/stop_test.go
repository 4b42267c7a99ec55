package schedule

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStop holds that running jobs may end within the grace period, that
// waiting ones do not begin, and that what is left is told to break off.
func TestStop(t *testing.T) {
	for _, tc := range []struct {
		name  string
		takes time.Duration
		want  time.Duration // until Run is back
		broke bool
	}{
		{"in time", 3 * time.Second, 3 * time.Second, false},
		{"too slow", time.Minute, 20 * time.Second, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{MaxConcurrent: 1, Grace: 20 * time.Second})
				var broke atomic.Bool
				var r, queued runs
				confirm := Confirm{Failures: 3, Interval: time.Second}
				replace(t, s, Job{Name: "shop/home", Spec: mustSpec(t, "1h"), Confirm: confirm, Run: func(ctx context.Context, due time.Time) bool {
					r.add(due)
					select {
					case <-time.After(tc.takes):
					case <-ctx.Done():
						broke.Store(true)
					}
					return false
				}}, Job{Name: "shop/queued", Spec: mustSpec(t, "1h"), Run: queued.pass})
				stop := start(t, s)
				synctest.Wait()
				for _, name := range []string{"shop/home", "shop/queued"} {
					if err := s.RunNow(name); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				begin := time.Now()
				stop()
				if took := time.Since(begin); took != tc.want {
					t.Errorf("Run came back after %v, want %v", took, tc.want)
				}
				if broke.Load() != tc.broke {
					t.Errorf("told to break off: %v, want %v", broke.Load(), tc.broke)
				}
				later(time.Hour)
				if r.count() != 1 || queued.count() != 0 {
					t.Errorf("ran %d and %d times, want once and never", r.count(), queued.count())
				}
			})
		})
	}
}

// TestStopCallsOffEarlyRuns stops while an early run is pending.
func TestStopCallsOffEarlyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		var r runs
		replace(t, s, Job{Name: "shop/home", Spec: mustSpec(t, "1h"), Confirm: Confirm{Failures: 3, Interval: time.Minute},
			Run: func(_ context.Context, due time.Time) bool { r.add(due); return false }})
		stop := start(t, s)
		synctest.Wait()
		if err := s.RunNow("shop/home"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begin := time.Now()
		stop()
		if took := time.Since(begin); took != 0 {
			t.Errorf("stopping took %v", took)
		}
		later(time.Hour)
		if r.count() != 1 {
			t.Errorf("ran %d times, want once", r.count())
		}
		if err := s.Run(t.Context()); err == nil {
			t.Error("a second Run gives no error")
		}
	})
}
