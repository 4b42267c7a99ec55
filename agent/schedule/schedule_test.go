package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestDay runs jobs for 24 hours: each at its phase, each time, none twice.
func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 4})
		specs := map[string]int{ // runs in a day
			"10s": 8640, "1m30s": 960, "1h": 24, "*/5 * * * *": 288, "CRON_TZ=Asia/Shanghai 0 9 * * *": 1,
		}
		recorded := map[string]*runs{}
		var jobs []Job
		for spec := range specs {
			recorded[spec] = &runs{}
			jobs = append(jobs, Job{Name: "shop/home", Spec: mustSpec(t, spec), Run: recorded[spec].pass})
			jobs[len(jobs)-1].Name += spec
		}
		replace(t, s, jobs...)
		stop := start(t, s)
		later(24 * time.Hour)
		stop()

		for spec, want := range specs {
			r := recorded[spec]
			if r.count() != want {
				t.Errorf("%s: ran %d times in a day, want %d", spec, r.count(), want)
			}
			for i, at := range r.at {
				if late := r.real[i].Sub(at); late < 0 || late > time.Millisecond {
					t.Fatalf("%s: due %v, ran %v", spec, at, r.real[i])
				}
				if i > 0 && mustSpec(t, spec).period > 0 && at.Sub(r.at[i-1]) != mustSpec(t, spec).period {
					t.Fatalf("%s: %v comes %v after the one before", spec, at, at.Sub(r.at[i-1]))
				}
			}
		}
		wantMissed(t, s, nil)
	})
}

// TestPhaseSurvivesRestart starts the same job at odd moments.
func TestPhaseSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		phase := time.Duration(-1)
		for range 20 {
			s, r := New(Options{}), &runs{}
			replace(t, s, Job{Name: "shop/home", Spec: mustSpec(t, "10s"), Run: r.pass})
			stop := start(t, s)
			later(10 * time.Second)
			stop()
			if r.count() != 1 {
				t.Fatalf("ran %d times in its first period, want once", r.count())
			}
			got := time.Duration(r.real[0].UnixNano()) % (10 * time.Second)
			if phase >= 0 && got != phase {
				t.Fatalf("phase %v after a restart, %v before", got, phase)
			}
			phase = got
			time.Sleep(3717 * time.Millisecond)
		}
		if phase%time.Second == 0 {
			t.Errorf("phase %v is whole seconds", phase)
		}
	})
}

// TestTenThousandStartEvenly holds that there is no burst, neither at the start
// nor later, and that no job is left out of the first period.
func TestTenThousandStartEvenly(t *testing.T) {
	for _, spec := range []string{"10s", "1m"} {
		t.Run(spec, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 10_000
				period := mustSpec(t, spec).period
				time.Sleep(4321 * time.Millisecond)
				s := New(Options{MaxConcurrent: 1000})
				tenths := make([]atomic.Int64, 20)
				begin := time.Now()
				ran := make([]atomic.Int64, n)
				jobs := make([]Job, n)
				for i := range jobs {
					jobs[i] = Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, spec), Run: func(context.Context, time.Time) bool {
						ran[i].Add(1)
						tenths[time.Since(begin)*10/period].Add(1)
						return true
					}}
				}
				replace(t, s, jobs...)
				stop := start(t, s)
				later(period)
				for i := range ran {
					if got := ran[i].Load(); got != 1 {
						t.Fatalf("job %d ran %d times in its first period", i, got)
					}
				}
				if got := runtime.NumGoroutine(); got > 50 {
					t.Errorf("%d goroutines at rest", got)
				}
				later(period - time.Millisecond)
				stop()
				for i := range tenths {
					if got := tenths[i].Load(); got < n/10-150 || got > n/10+150 {
						t.Errorf("%d starts in the %dth tenth of a period, want about %d", got, i, n/10)
					}
				}
				wantMissed(t, s, nil)
			})
		})
	}
}

func TestCronLinesDoNotStartInOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := New(Options{MaxConcurrent: 1000}), &runs{}
		var jobs []Job
		for i := range 1000 {
			jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, "*/5 * * * *"), Run: r.pass})
		}
		replace(t, s, jobs...)
		if len(s.slots) != 1 {
			t.Errorf("%d cron entries for one line", len(s.slots))
		}
		start(t, s)
		later(5*time.Minute + lineSpread)
		perSecond := map[int]int{}
		for _, at := range r.real {
			if at.Minute()%5 != 0 {
				t.Fatalf("ran at %v", at)
			}
			perSecond[at.Second()]++
		}
		// The scheduler began on the minute, so that one counts, less the jobs
		// at its very beginning.
		if r.count() < 1990 || len(perSecond) != int(lineSpread/time.Second) {
			t.Errorf("%d runs in the seconds %v", r.count(), perSecond)
		}
		for second, n := range perSecond {
			if n < 300 || n > 500 {
				t.Errorf("%d starts in second %d, want about 400", n, second)
			}
		}
	})
}

func TestOverlapIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 10})
		var r runs
		var together, most atomic.Int64
		replace(t, s, Job{Name: "shop/slow", Spec: mustSpec(t, "10s"), Run: func(_ context.Context, due time.Time) bool {
			r.add(due)
			most.Store(max(most.Load(), together.Add(1)))
			defer together.Add(-1)
			time.Sleep(25 * time.Second)
			return true
		}})
		start(t, s)
		later(10 * time.Minute)
		if most.Load() != 1 {
			t.Errorf("%d runs at once", most.Load())
		}
		if r.count() != 20 { // each third tick
			t.Errorf("ran %d times, want 20", r.count())
		}
		wantMissed(t, s, map[string]int{missedOverlap: 40})
	})
}

// TestOverload gives a scheduler twice the work that it can do: every job still
// gets its turn, as often as the others.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		s := New(Options{MaxConcurrent: 5, Log: logTo(&log)})
		const n = 100
		var together, most atomic.Int64
		recorded := make([]runs, n)
		var jobs []Job
		for i := range n {
			jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, "10s"), Run: func(_ context.Context, due time.Time) bool {
				recorded[i].add(due)
				most.Store(max(most.Load(), together.Add(1)))
				defer together.Add(-1)
				time.Sleep(time.Second)
				return true
			}})
		}
		replace(t, s, jobs...)
		start(t, s)
		later(200 * time.Second)
		if most.Load() != 5 {
			t.Errorf("%d jobs at once, want 5", most.Load())
		}
		for i := range recorded {
			// Five a second for 200 s are ten runs each.
			if got := recorded[i].count(); got < 9 || got > 11 {
				t.Errorf("job %d ran %d times, want about 10", i, got)
			}
			for k, at := range recorded[i].at {
				if late := recorded[i].real[k].Sub(at); late > 21*time.Second {
					t.Errorf("job %d started %v late", i, late)
				}
			}
		}
		// What was due (2000) less what ran (1000) and what waits (100); a job is
		// five times as long waiting as it is running.
		overload, overlap := missed(s, missedOverload), missed(s, missedOverlap)
		if got := overload + overlap; got < 850 || got > 950 || overload < 4*overlap {
			t.Errorf("missed %d for overload and %d for overlap, want about 900, most for overload", overload, overlap)
		}
		if missed(s, missedClock) != 0 {
			t.Error("an overload was taken for a jump of the clock")
		}
		s.mu.Lock()
		waiting := len(s.queue)
		s.mu.Unlock()
		if overloaded := testutil.ToFloat64(s.metrics.overloaded); overloaded != 1 || waiting > n {
			t.Errorf("overloaded is %v, %d jobs wait", overloaded, waiting)
		}

		s.SetMaxConcurrent(50)
		later(2 * time.Minute)
		if testutil.ToFloat64(s.metrics.overloaded) != 0 {
			t.Error("still overloaded")
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "more are due than agent.max_concurrent_checks lets run") ||
			!strings.Contains(lines[1], "checks start on time again") || !strings.Contains(lines[1], " runs=1") || !strings.Contains(lines[1], " missed=") {
			t.Errorf("logged, want a line at the beginning and one at the end:\n%s", log.String())
		}
	})
}

func TestSetMaxConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 2, Grace: time.Hour})
		var together atomic.Int64
		var jobs []Job
		for i := range 20 {
			jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, "1d"), Run: func(context.Context, time.Time) bool {
				defer together.Add(-1)
				together.Add(1)
				time.Sleep(time.Duration(1+i) * time.Minute)
				return true
			}})
		}
		replace(t, s, jobs...)
		start(t, s)
		synctest.Wait()
		for _, j := range jobs {
			if err := s.RunNow(j.Name); err != nil {
				t.Fatal(err)
			}
		}
		want := func(n int64) {
			t.Helper()
			synctest.Wait()
			if got := together.Load(); got != n {
				t.Errorf("%d jobs at once, want %d", got, n)
			}
		}
		want(2)
		s.SetMaxConcurrent(12) // at once, not when the next one ends
		want(12)
		s.SetMaxConcurrent(3) // as they end
		want(12)
		later(10 * time.Minute)
		want(3)
		s.SetMaxConcurrent(0)
		later(20 * time.Minute)
		want(1)
	})
}

func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		s := New(Options{MaxConcurrent: 1, Log: logTo(&log)})
		var r runs
		replace(t, s, Job{Name: "shop/home", Spec: mustSpec(t, "10s"), Confirm: Confirm{Failures: 3, Interval: time.Second},
			Run: func(_ context.Context, due time.Time) bool {
				r.add(due)
				if r.count() <= 2 {
					panic("boom")
				}
				return true
			}})
		start(t, s)
		later(time.Minute)
		if r.count() != 6 {
			t.Errorf("ran %d times a minute, want 6: a panic must neither end the job nor bring it early", r.count())
		}
		wantMissed(t, s, map[string]int{missedPanic: 2})
		for _, want := range []string{"check panicked", "site=shop", "check=home", "err=boom", "TestPanic"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("log lacks %q:\n%s", want, log.String())
			}
		}
	})
}

func TestRunNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 1})
		var r, other runs
		replace(t, s, Job{Name: "shop/home", Spec: mustSpec(t, "1h"), Run: func(_ context.Context, due time.Time) bool {
			r.add(due)
			time.Sleep(time.Second)
			return true
		}}, Job{Name: "shop/other", Spec: mustSpec(t, "1h"), Run: other.pass})
		if err := s.RunNow("shop/home"); !errors.Is(err, ErrStopped) {
			t.Errorf("before Run: %v", err)
		}
		stop := start(t, s)
		synctest.Wait()
		if err := s.RunNow("shop/nothing"); !errors.Is(err, ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
		if err := s.RunNow("shop/home"); err != nil {
			t.Fatal(err)
		}
		if err := s.RunNow("shop/home"); !errors.Is(err, ErrBusy) {
			t.Errorf("running: %v", err)
		}
		if err := s.RunNow("shop/other"); err != nil { // waits for its turn
			t.Fatal(err)
		}
		if err := s.RunNow("shop/other"); !errors.Is(err, ErrBusy) {
			t.Errorf("queued: %v", err)
		}
		later(time.Second)
		if r.count() != 1 || other.count() != 1 {
			t.Errorf("ran %d and %d times, want once each", r.count(), other.count())
		}
		stop()
		if err := s.RunNow("shop/home"); !errors.Is(err, ErrStopped) {
			t.Errorf("after Run: %v", err)
		}
	})
}

func TestLastBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		if !s.LastBeat().IsZero() {
			t.Error("a beat before Run")
		}
		start(t, s)
		later(90 * time.Minute)
		if since := time.Since(s.LastBeat()); since > beat {
			t.Errorf("the last beat was %v ago", since)
		}
	})
}

// TestConcurrentUse calls everything from everywhere, in real time, for the
// race detector to watch.
func TestConcurrentUse(t *testing.T) {
	s := New(Options{MaxConcurrent: 4})
	var total, together, most atomic.Int64
	var guards [50]atomic.Bool
	jobs := make([]Job, len(guards))
	for i := range jobs {
		jobs[i] = Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, "100ms"), Settle: 2,
			Confirm: Confirm{Failures: 3, Interval: 7 * time.Millisecond},
			Run: func(context.Context, time.Time) bool {
				if guards[i].Swap(true) {
					t.Errorf("job %d runs twice at once", i)
				}
				defer guards[i].Store(false)
				most.Store(max(most.Load(), together.Add(1)))
				defer together.Add(-1)
				time.Sleep(time.Millisecond)
				return total.Add(1)%3 != 0
			}}
	}
	replace(t, s, jobs...)
	stop := start(t, s)
	until := time.Now().Add(500 * time.Millisecond)
	var callers sync.WaitGroup
	for _, call := range []func(i int){
		func(i int) { replace(t, s, jobs...) },
		func(i int) { s.SetMaxConcurrent(1 + i%4) },
		func(i int) { _ = s.RunNow(jobs[i%len(jobs)].Name) }, // busy is fine
		func(i int) { s.LastBeat() },
		func(i int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.layOut(time.Now())
		},
	} {
		callers.Go(func() {
			for i := 0; time.Now().Before(until); i++ {
				call(i)
				time.Sleep(time.Millisecond)
			}
		})
	}
	callers.Wait()
	stop()
	if most.Load() > 4 {
		t.Errorf("%d jobs at once, want at most 4", most.Load())
	}
	if total.Load() < 250 {
		t.Errorf("%d runs in half a second, want at least as many as were due, 250", total.Load())
	}
}
