// Package schedule decides when each check runs, and runs it: at its own phase
// of its period, never twice at a time, never too many at once, and soon again
// while a fault is being confirmed or its end is.
//
// Time is robfig/cron's business, with two additions. A period is cut into at
// most a hundred slots, each one cron entry; the jobs of a slot start one after
// the other within it. And moments that the machine slept through are dropped and
// counted, not made up for all at once.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"
)

// Job is something to run again and again: a check.
type Job struct {
	// Name is the check's full name, SITE/CHECK. It identifies the job from one
	// Replace to the next, and its hash is the job's phase, but for what spread
	// moves it.
	Name string
	// Spec is when to run it; Confirm and Settle are when to run it early.
	Spec    Spec
	Confirm Confirm
	// Settle is how many passes in a row end a confirmed fault. After the first
	// of them the others are run early too. 0 and 1 mean that one is enough.
	Settle int
	// Run runs the job and tells whether all was well. due is the moment for
	// which it was scheduled. Once ctx is done Run must come back without
	// delay, and what it returns then is not looked at: the agent is stopping,
	// which says nothing of the site.
	Run func(ctx context.Context, due time.Time) (passed bool)
}

// Options are a scheduler's settings.
type Options struct {
	MaxConcurrent int                   // how many jobs run at once; less than 1 means 1
	Grace         time.Duration         // how long running jobs may go on after Run's context is done
	Log           *slog.Logger          // nil: no log
	Registerer    prometheus.Registerer // nil: the metrics are seen nowhere
	// KernelTimers makes starts more punctual than Go's timers are, on Linux. The
	// clock of testing/synctest is not the kernel's.
	KernelTimers bool
}

// The reasons for which RunNow does not run a job.
var (
	ErrUnknown = errors.New("no such check")
	ErrBusy    = errors.New("the check is running, or about to")
	ErrStopped = errors.New("the scheduler is not running")
)

// Scheduler runs jobs. Its methods are safe for concurrent use.
type Scheduler struct {
	log     *slog.Logger
	metrics *metrics
	grace   time.Duration
	exact   kernelTimers
	stopped chan struct{} // closed when Run begins to stop

	// started is what Run waits for: workers, pending early runs, cron's jobs.
	// It grows only under mu and before phase is stopping.
	started sync.WaitGroup

	mu      sync.Mutex
	phase   phase
	ctx     context.Context // of all jobs; made by Run, whose jobs begin elsewhere
	cron    *cron.Cron      // nil unless phase is running
	jobs    map[string]*job
	slots   map[slotKey]*slot
	queue   []*job // due, waiting for one of max to end; each job at most once
	max     int
	running int
	beat    time.Time // the last time the clocks were looked at
	behind  backlog
}

type phase int

const (
	unstarted phase = iota
	running
	stopping
)

// New returns a scheduler with no jobs. It panics when the registerer has its
// metrics already.
func New(o Options) *Scheduler {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Scheduler{
		log:     log.With("component", "schedule"),
		metrics: newMetrics(o.Registerer),
		grace:   o.Grace,
		stopped: make(chan struct{}),
		jobs:    map[string]*job{},
		slots:   map[slotKey]*slot{},
		max:     max(o.MaxConcurrent, 1),
	}
	if o.KernelTimers {
		s.exact = newKernelTimers()
	}
	return s
}

// Run starts jobs as they come due until ctx is done, then waits for those that
// still run; their context is done Grace later. It returns nil, and an error
// only when the scheduler was run before.
func (s *Scheduler) Run(ctx context.Context) error {
	jobs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	s.mu.Lock()
	if s.phase != unstarted {
		s.mu.Unlock()
		return errors.New("run scheduler: it was run before")
	}
	s.phase, s.ctx = running, jobs
	s.beat = time.Now()
	s.layOut(s.beat)
	s.mu.Unlock()

	s.beatUntil(ctx)
	s.stop()
	grace := time.AfterFunc(s.grace, cancel)
	defer grace.Stop()
	s.started.Wait()
	return nil
}

// beatUntil looks at the clocks and at the backlog each second.
func (s *Scheduler) beatUntil(ctx context.Context) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.mu.Lock()
			now := time.Now()
			s.watchClock(now)
			s.beat = now
			s.watchBacklog(now)
			s.mu.Unlock()
		}
	}
}

// stop ends everything but the jobs that run.
func (s *Scheduler) stop() {
	s.mu.Lock()
	s.phase = stopping
	close(s.stopped)
	s.queue = nil
	for _, j := range s.jobs {
		s.disarm(j)
	}
	ended := s.cron.Stop()
	s.cron = nil
	s.mu.Unlock()
	<-ended.Done()
}

// LastBeat is the last time the scheduler was seen to be alive. It is zero
// before Run, and not more than some seconds ago while all is well.
func (s *Scheduler) LastBeat() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beat
}

// SetMaxConcurrent changes how many jobs run at once; less than 1 means 1. It
// interrupts nothing.
func (s *Scheduler) SetMaxConcurrent(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = max(n, 1)
	s.startQueued()
}

// RunNow runs a job at once, or as soon as one of those that run ends. It does
// not wait for it. The error is ErrUnknown, ErrBusy or ErrStopped.
func (s *Scheduler) RunNow(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[name]
	switch {
	case s.phase != running:
		return ErrStopped
	case j == nil:
		return ErrUnknown
	case j.state != idle:
		return ErrBusy
	}
	s.enqueue(j, time.Now(), true)
	return nil
}

// Replace makes jobs the whole schedule. A job whose name was there before
// keeps its phase, but for the milliseconds that those beside it need, its
// streak, a pending early run and the guard that it runs once at a time, and loses
// no tick unless its Spec changed; a run under way goes on. Runs of a job that is
// no longer there end undisturbed, and are forgotten. On an error nothing has
// changed; it names every job at fault.
func (s *Scheduler) Replace(jobs []Job) error {
	placed, err := place(jobs)
	if err != nil {
		return fmt.Errorf("replace schedule: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaceJobs(placed)
	s.replaceSlots(placed)
	return nil
}

// check names a job in a log.
func check(name string) slog.Attr {
	site, check, _ := strings.Cut(name, "/")
	return slog.Group("", slog.String("site", site), slog.String("check", check))
}
