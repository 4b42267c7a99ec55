package schedule

import (
	"context"
	"fmt"
	"math/rand/v2"
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
		recorded := make([]runs, 500)
		var jobs []Job
		for i := range recorded {
			spec := []string{"10s", "1m", "* * * * *"}[i%3]
			jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, spec), Run: recorded[i].pass})
		}
		replace(t, s, jobs...)
		start(t, s)
		random := rand.New(rand.NewPCG(1, 2))
		begin := time.Now()
		for time.Since(begin) < time.Hour {
			later(time.Duration(random.IntN(20_000_000)) * time.Microsecond)
			s.mu.Lock()
			s.layOut(time.Now())
			s.mu.Unlock()
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
