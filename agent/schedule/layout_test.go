package schedule

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestLayOutKeepsThePhase lays the schedule out anew at odd moments, as after a
// jump of the clock. As the clock did not jump, nobody may notice.
func TestLayOutKeepsThePhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 100})
		recorded := make([]runs, 100)
		var jobs []Job
		for i := range recorded {
			spec := []string{"10s", "1m", "* * * * *"}[i%3]
			jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, spec), Run: recorded[i].pass})
		}
		replace(t, s, jobs...)
		start(t, s)
		later(10 * time.Second)
		before := runtime.NumGoroutine()
		random := rand.New(rand.NewPCG(1, 2))
		begin := time.Now()
		for time.Since(begin) < time.Hour {
			later(time.Duration(random.IntN(20_000_000)) * time.Microsecond)
			s.mu.Lock()
			s.layOut(time.Now())
			s.mu.Unlock()
		}
		later(10 * time.Second)
		if got := runtime.NumGoroutine(); got > before+2 {
			t.Errorf("%d goroutines after an hour, %d before", got, before)
		}
		for i := range recorded {
			period := []time.Duration{10 * time.Second, time.Minute, time.Minute}[i%3]
			r := &recorded[i]
			if r.count() < int(time.Hour/period) {
				t.Errorf("job %d ran %d times", i, r.count())
			}
			for k := 1; k < r.count(); k++ {
				if gap := r.real[k].Sub(r.real[k-1]); gap != period {
					t.Fatalf("job %d of each %v: %v between two runs", i, period, gap)
				}
			}
		}
		wantMissed(t, s, nil)
	})
}

// TestForwardJump lays the schedule out as of a moment yet to come, which for
// cron is what a clock that was set forward looks like. Each run that was due
// is then either started or counted, and nothing of the old schedule lives on.
func TestForwardJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, jumps = 1000, 20
		s := New(Options{MaxConcurrent: 100})
		var ran atomic.Int64
		var jobs []Job
		for i := range n {
			jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, "10s"), Run: func(context.Context, time.Time) bool {
				ran.Add(1)
				return true
			}})
		}
		replace(t, s, jobs...)
		start(t, s)
		later(10 * time.Millisecond)
		before := runtime.NumGoroutine()
		random := rand.New(rand.NewPCG(1, 2))
		for range jumps {
			later(time.Duration(random.IntN(10_000_000)) * time.Microsecond)
			by := time.Duration(random.IntN(5_000_000)) * time.Microsecond
			s.mu.Lock()
			s.layOut(time.Now().Add(by))
			s.mu.Unlock()
			later(by)
		}
		// On to the end of a period, by the clock that began on one.
		later(10*time.Second - time.Duration(time.Now().UnixNano()%int64(10*time.Second)) - time.Millisecond)
		periods := int(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))/(10*time.Second)) + 1
		// A job whose phase is 0 was due at the very start, which counts no more.
		atZero := 0
		for _, m := range s.slots[slotKey{period: 10 * time.Second}].members {
			if m.offset == 0 {
				atZero++
			}
		}
		if got, want := int(ran.Load())+missed(s, missedClock), periods*n-atZero; got != want {
			t.Errorf("%d runs started and %d counted as missed make %d, want %d", ran.Load(), missed(s, missedClock), got, want)
		}
		wantMissed(t, s, map[string]int{missedClock: missed(s, missedClock)})
		if got := missed(s, missedClock); got < n*jumps/10 {
			t.Errorf("only %d counted as missed", got)
		}
		later(10 * time.Second)
		if got := runtime.NumGoroutine(); got > before+2 {
			t.Errorf("%d goroutines after %d jumps, %d before", got, jumps, before)
		}
	})
}

// TestTooLate holds that a run which comes so late that it is due again is
// dropped, while one that is only late takes place.
func TestTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 1000})
		var ran runs
		var jobs []Job
		for i := range 100 {
			jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, "0 * * * *"), Run: ran.pass})
		}
		replace(t, s, jobs...)
		start(t, s)
		later(30 * time.Minute)
		from := ran.count()

		sl := s.slots[slotKey{line: "0 * * * *"}]
		moment := time.Now().Add(30 * time.Minute).Round(0)
		now := moment.Add(time.Hour + 2500*time.Millisecond)
		dueAgain := len(sl.members) - len(sl.after(moment.Add(time.Hour), now))
		s.mu.Lock()
		s.advance(sl.entry, moment, moment.Add(-1), now)
		s.mu.Unlock()
		synctest.Wait()
		if dueAgain < 30 || dueAgain > 70 {
			t.Fatalf("%d of 100 jobs are due again 2.5 s after the hour", dueAgain)
		}
		wantMissed(t, s, map[string]int{missedOverload: dueAgain})
		if got := ran.count() - from; got != 100-dueAgain {
			t.Errorf("%d jobs ran, want the other %d", got, 100-dueAgain)
		}
	})
}

// TestStandstill holds the whole scheduler still for longer than its clocks may
// be apart, as SIGSTOP or a frozen virtual machine does, in real time: what was
// due meanwhile is dropped and counted, and goes on at its phase.
func TestStandstill(t *testing.T) {
	const n, still = 10_000, 3500 * time.Millisecond
	var log syncBuffer
	s := New(Options{MaxConcurrent: n, Log: logTo(&log)})
	var started atomic.Int64
	jobs := make([]Job, n)
	for i := range jobs {
		jobs[i] = Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, "10s"), Run: func(context.Context, time.Time) bool {
			started.Add(1)
			return true
		}}
	}
	replace(t, s, jobs...)
	start(t, s)
	time.Sleep(500 * time.Millisecond)

	s.mu.Lock()
	before := started.Load()
	time.Sleep(still)
	s.mu.Unlock()
	time.Sleep(500 * time.Millisecond)

	// Half a second is worth 500 starts, the standstill 3500.
	if got := started.Load() - before; got < 250 || got > 1500 {
		t.Errorf("%d jobs started in the half second after a standstill, want about 500", got)
	}
	if got := missed(s, missedClock); got < 3000 || got > 4000 {
		t.Errorf("%d runs counted as missed, want about 3500", got)
	}
	if got := strings.Count(log.String(), "schedule laid out anew"); got != 1 {
		t.Errorf("said %d times, want once:\n%s", got, log.String())
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		s := New(Options{Registerer: reg})
		problems, err := testutil.GatherAndLint(reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
		const preset = `
# HELP esawatch_checks_running Checks that are running now.
# TYPE esawatch_checks_running gauge
esawatch_checks_running %d
# HELP esawatch_schedule_missed_total Runs of checks that were due and did not come about, by reason.
# TYPE esawatch_schedule_missed_total counter
esawatch_schedule_missed_total{reason="clock"} 0
esawatch_schedule_missed_total{reason="overlap"} 0
esawatch_schedule_missed_total{reason="overload"} 0
esawatch_schedule_missed_total{reason="panic"} 0
esawatch_schedule_missed_total{reason="starved"} 0
`
		compare := func(running int) {
			t.Helper()
			err := testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(preset, running)), "esawatch_checks_running", "esawatch_schedule_missed_total")
			if err != nil {
				t.Error(err)
			}
		}
		compare(0)

		replace(t, s, Job{Name: "shop/home", Spec: mustSpec(t, "10s"), Run: func(context.Context, time.Time) bool {
			time.Sleep(8 * time.Second)
			return true
		}})
		start(t, s)
		for s.LastBeat().IsZero() || testutil.ToFloat64(s.metrics.running) == 0 {
			later(100 * time.Millisecond)
		}
		compare(1)
		later(9 * time.Second)
		compare(0)

		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "esawatch_schedule_delay_seconds" {
				h := f.GetMetric()[0].GetHistogram()
				if h.GetSampleCount() != 1 || len(h.GetBucket()) == 0 || h.Schema == nil {
					t.Errorf("delay: %d samples, %d classic buckets, native schema %v", h.GetSampleCount(), len(h.GetBucket()), h.Schema)
				}
				return
			}
		}
		t.Error("no esawatch_schedule_delay_seconds")
	})
}
