//go:build unix

package schedule

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// BenchmarkSchedule is what the scheduler alone costs a whole process: jobs that
// do nothing, each every 10 s, in real time. An operation is 20 s of that, so
// run it with -benchtime 1x. cpu-% is of one core; late is from due to start.
func BenchmarkSchedule(b *testing.B) {
	for _, kernel := range []bool{true, false} {
		for _, n := range []int{1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("kerneltimers=%t/jobs=%d", kernel, n), func(b *testing.B) { benchmarkSchedule(b, kernel, n) })
		}
	}
}

func benchmarkSchedule(b *testing.B, kernel bool, n int) {
	var mu sync.Mutex
	var late []time.Duration
	s := New(Options{MaxConcurrent: 128, KernelTimers: kernel})
	before := heap()
	replace(b, s, noops(b, n, func(_ context.Context, due time.Time) bool {
		mu.Lock()
		defer mu.Unlock()
		late = append(late, time.Since(due))
		return true
	})...)
	perJob := float64(heap()-before) / float64(n)
	stop := start(b, s)
	cpu := work(b, &mu, &late, n)
	stop()
	report(b, late, cpu, n)
	b.ReportMetric(perJob, "B/job")
}

// BenchmarkCron is the same with a cron entry for each job, which is what cron is
// made for: it sorts all its entries at each wake.
func BenchmarkCron(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			var mu sync.Mutex
			var late []time.Duration
			c := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(quiet{}))
			for _, j := range noops(b, n, nil) {
				key, offset := j.Spec.place(j.Name)
				e := every{period: key.period, phase: time.Duration(key.window)*windowWidth(key.period) + offset}
				c.Schedule(e, cron.FuncJob(func() {
					now := time.Now()
					mu.Lock()
					defer mu.Unlock()
					late = append(late, now.Sub(e.Next(now.Add(-e.period))))
				}))
			}
			c.Start()
			cpu := work(b, &mu, &late, n)
			<-c.Stop().Done()
			report(b, late, cpu, n)
		})
	}
}

// work is the CPU time that an operation takes. late, guarded by mu, begins anew
// with each, with room for what n jobs add.
func work(b *testing.B, mu *sync.Mutex, late *[]time.Duration, n int) (cpu time.Duration) {
	time.Sleep(time.Second)
	b.ResetTimer()
	for b.Loop() {
		mu.Lock()
		*late = slices.Grow((*late)[:0], 3*n)
		mu.Unlock()
		begin := cpuTime(b)
		time.Sleep(20 * time.Second)
		cpu += cpuTime(b) - begin
	}
	b.StopTimer()
	return cpu
}

// report says how late jobs were in 20 s, each due twice, and what that took.
func report(b *testing.B, late []time.Duration, cpu time.Duration, n int) {
	slices.Sort(late)
	b.ReportMetric(cpu.Seconds()/b.Elapsed().Seconds()*100, "cpu-%")
	b.ReportMetric(late[len(late)/2].Seconds()*1000, "late-p50-ms")
	b.ReportMetric(late[len(late)*99/100].Seconds()*1000, "late-p99-ms")
	b.ReportMetric(float64(len(late))/float64(2*n), "runs/due")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReplace is a reload of 10,000 jobs while the scheduler runs: with
// nothing changed, and with every job on another period than before.
func BenchmarkReplace(b *testing.B) {
	for _, specs := range [][]string{{"10s"}, {"10s", "30s"}} {
		b.Run(fmt.Sprint("between=", specs), func(b *testing.B) {
			s := New(Options{MaxConcurrent: 128})
			run := func(context.Context, time.Time) bool { return true }
			var schedules [][]Job
			for _, spec := range specs {
				jobs := noops(b, 10_000, run)
				for i := range jobs {
					jobs[i].Spec = mustSpec(b, spec)
				}
				schedules = append(schedules, jobs)
			}
			stop := start(b, s)
			for i := 0; b.Loop(); i++ {
				replace(b, s, schedules[i%len(schedules)]...)
			}
			stop()
		})
	}
}

func noops(b *testing.B, n int, run func(context.Context, time.Time) bool) []Job {
	spec := mustSpec(b, "10s")
	jobs := make([]Job, n)
	for i := range jobs {
		jobs[i] = Job{Name: fmt.Sprintf("site-%d/home", i), Spec: spec, Run: run}
	}
	return jobs
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
