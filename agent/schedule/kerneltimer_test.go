package schedule

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestKernelTimer(t *testing.T) {
	timer := newKernelTimer()
	if timer == nil && runtime.GOOS != "linux" {
		t.Skip("only Linux has them")
	}
	for _, d := range []time.Duration{time.Millisecond, 0, -time.Hour, 3 * time.Millisecond} {
		begun := time.Now()
		timer.reset(d)
		<-timer.c()
		if after := time.Since(begun); after < d {
			t.Errorf("set to %v it fired after %v", d, after)
		}
	}
	timer.reset(time.Hour)
	timer.reset(time.Millisecond)
	<-timer.c()
	// Two that nobody looked at are one.
	timer.reset(time.Nanosecond)
	for len(timer.c()) == 0 {
		runtime.Gosched()
	}
	timer.reset(time.Nanosecond)
	timer.close()
	timer.reset(time.Nanosecond) // harms nobody
}

// TestKernelTimersAreFew lends more than there are, and gives all of them back.
func TestKernelTimersAreFew(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has them")
	}
	timers := newKernelTimers()
	timers.giveBack(timers.lend(time.Second)) // Go's poller has files of its own from the first on
	for range 3 {
		before := openFiles(t)
		var lent []*kernelTimer
		for i := range 2 * maxKernelTimers {
			timer := timers.lend(time.Second)
			if (timer != nil) != (i < maxKernelTimers) {
				t.Fatalf("the timer of walk %d is %v", i, timer)
			}
			lent = append(lent, timer)
		}
		for _, timer := range lent {
			timer.reset(time.Hour)
			timers.giveBack(timer)
		}
		if after := openFiles(t); after != before {
			t.Errorf("%d open files, %d before", after, before)
		}
	}
	if wide := timers.lend(exactWidth + 1); wide != nil {
		t.Error("a walk of a wide window has a timer of the kernel")
	}
	if none := (kernelTimers{}).lend(time.Second); none != nil {
		t.Error("the zero value lends")
	}
}

// TestRunsWithKernelTimers runs jobs of many slots in real time, more than there
// are timers for, and stops in the middle.
func TestRunsWithKernelTimers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has them")
	}
	newKernelTimers().lend(time.Second).close()
	before := openFiles(t)
	s := New(Options{MaxConcurrent: 100, KernelTimers: true})
	var ran, without atomic.Int64
	enough := make(chan struct{})
	var jobs []Job
	for i := range 200 {
		period := time.Duration(1000+10*(i%40)) * time.Millisecond
		jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, period.String()), Run: func(_ context.Context, due time.Time) bool {
			if time.Now().Before(due) {
				t.Errorf("started before %v", due)
			}
			if len(s.exact.places) == 0 {
				without.Add(1)
			}
			if ran.Add(1) == 400 {
				close(enough)
			}
			return true
		}})
	}
	replace(t, s, jobs...)
	stop := start(t, s)
	<-enough
	stop()
	if without.Load() == ran.Load() {
		t.Error("no walk had a timer of the kernel")
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d open files after the end, %d before the start", after, before)
	}
}

// TestEitherTimerEndsTheSleep sets the other to tomorrow.
func TestEitherTimerEndsTheSleep(t *testing.T) {
	s := New(Options{})
	if !s.sleep(time.NewTimer(time.Millisecond), nil) {
		t.Error("stopped")
	}
	if exact := newKernelTimer(); exact != nil {
		defer exact.close()
		exact.reset(24 * time.Hour)
		if !s.sleep(time.NewTimer(time.Millisecond), exact) {
			t.Error("stopped")
		}
		exact.reset(time.Millisecond)
		if !s.sleep(time.NewTimer(24*time.Hour), exact) {
			t.Error("stopped")
		}
	}
	close(s.stopped)
	if s.sleep(time.NewTimer(24*time.Hour), nil) {
		t.Error("not stopped")
	}
}

// TestGoTimersAlone holds that a scheduler without the kernel's timers, as in
// a bubble, makes none.
func TestGoTimersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := New(Options{}), &runs{}
		replace(t, s, Job{Name: "site/home", Spec: mustSpec(t, "10s"), Run: r.pass})
		start(t, s)
		later(time.Minute)
		if r.count() < 5 || cap(s.exact.places) != 0 {
			t.Errorf("%d runs, %d timers of the kernel", r.count(), cap(s.exact.places))
		}
	})
}

// openFiles is how many files this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
