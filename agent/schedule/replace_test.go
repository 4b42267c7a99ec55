package schedule

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReplaceIsAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := New(Options{}), &runs{}
		good := Job{Name: "shop/home", Spec: mustSpec(t, "10s"), Run: r.pass}
		replace(t, s, good)
		start(t, s)
		err := s.Replace([]Job{good, good, {Name: "shop/a", Run: r.pass}, {Name: "shop/b", Spec: good.Spec}})
		if err == nil {
			t.Fatal("no error")
		}
		for _, want := range []string{`job "shop/home": given twice`, `job "shop/a": no schedule`, `job "shop/b": nothing to run`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q lacks %q", err, want)
			}
		}
		later(time.Minute)
		if r.count() != 6 {
			t.Errorf("ran %d times a minute after a refused schedule, want 6", r.count())
		}
	})
}

// TestReplaceLosesNoTick replaces the schedule at odd moments for ten minutes. A job
// that stays must not notice; those around it come and go.
func TestReplaceLosesNoTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stays, line, others := New(Options{MaxConcurrent: 10}), &runs{}, &runs{}, &runs{}
		jobs := []Job{
			{Name: "shop/home", Spec: mustSpec(t, "10s"), Run: stays.pass},
			{Name: "shop/line", Spec: mustSpec(t, "* * * * *"), Run: line.pass},
		}
		replace(t, s, jobs...)
		start(t, s)
		begin := time.Now()
		random := rand.New(rand.NewPCG(1, 2))
		for time.Since(begin) < 10*time.Minute {
			later(time.Duration(random.IntN(2000)) * time.Millisecond)
			now := jobs
			for i := range 200 {
				if random.IntN(2) == 0 {
					spec := []string{"10s", "7s", "*/2 * * * *", "* * * * *"}[random.IntN(4)]
					now = append(now, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, spec), Run: others.pass})
				}
			}
			replace(t, s, now...)
		}
		for name, r := range map[string]*runs{"10s": stays, "* * * * *": line} {
			period := map[string]time.Duration{"10s": 10 * time.Second, "* * * * *": time.Minute}[name]
			// With others beside it it may start somewhat sooner or later.
			const shift = 50 * time.Millisecond
			for i := 1; i < r.count(); i++ {
				if gap := r.real[i].Sub(r.real[i-1]); (gap - period).Abs() > shift {
					t.Fatalf("%s: %v between two runs", name, gap)
				}
			}
			if gap := time.Since(r.real[r.count()-1]); gap > period+shift {
				t.Errorf("%s: none for %v", name, gap)
			}
		}
		if stays.count() < 60 || line.count() < 10 || others.count() == 0 {
			t.Errorf("ran %d times in ten minutes, the others %d times", stays.count(), others.count())
		}
		wantMissed(t, s, nil)
	})
}

func TestReplaceKeepsGuardAndStreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 10})
		var old, after runs
		run := func(r *runs, takes time.Duration) func(context.Context, time.Time) bool {
			return func(_ context.Context, due time.Time) bool {
				r.add(due)
				time.Sleep(takes)
				return false
			}
		}
		job := Job{Name: "shop/home", Spec: mustSpec(t, "1h"), Confirm: Confirm{Failures: 3, Interval: 5 * time.Second}, Run: run(&old, 10*time.Second)}
		replace(t, s, job)
		start(t, s)
		synctest.Wait()
		if err := s.RunNow(job.Name); err != nil {
			t.Fatal(err)
		}
		later(time.Second)

		// While it runs: the guard stays, and its outcome counts in the streak.
		job.Run = run(&after, time.Second)
		replace(t, s, job)
		if err := s.RunNow(job.Name); err == nil {
			t.Error("it runs twice at once after a Replace")
		}
		later(9*time.Second + 2*time.Second)
		// While an early run is pending, which goes on to be.
		replace(t, s, job)
		later(time.Minute)
		if old.count() != 1 || after.count() != 2 {
			t.Errorf("the old job ran %d times, the new one %d times; want 1 and 2, three in a row", old.count(), after.count())
		}
	})
}

func TestReplaceForgetsWhatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConcurrent: 1})
		var failing, waiting runs
		fail := Job{Name: "shop/fails", Spec: mustSpec(t, "1h"), Confirm: Confirm{Failures: 3, Interval: time.Second},
			Run: func(_ context.Context, due time.Time) bool {
				failing.add(due)
				time.Sleep(time.Minute)
				return false
			}}
		wait := Job{Name: "shop/waits", Spec: mustSpec(t, "1h"), Run: waiting.pass}
		replace(t, s, fail, wait)
		start(t, s)
		synctest.Wait()
		for _, name := range []string{fail.Name, wait.Name} {
			if err := s.RunNow(name); err != nil {
				t.Fatal(err)
			}
		}
		replace(t, s) // one runs, one waits; both leave
		later(24 * time.Hour)
		if failing.count() != 1 || waiting.count() != 0 {
			t.Errorf("ran %d and %d times, want once, to its end, and never", failing.count(), waiting.count())
		}
		if len(s.slots) != 0 || len(s.cron.Entries()) != 0 {
			t.Errorf("%d slots and %d cron entries are left", len(s.slots), len(s.cron.Entries()))
		}

		replace(t, s, fail) // a new job of the old name
		if err := s.RunNow(fail.Name); err != nil {
			t.Fatal(err)
		}
		later(time.Minute + time.Second/2)
		if s.jobs[fail.Name].again == nil {
			t.Fatal("no early run is pending")
		}
		replace(t, s)
		later(24 * time.Hour)
		if failing.count() != 2 {
			t.Errorf("ran %d times, want twice: the early run left with its job", failing.count())
		}
	})
}
