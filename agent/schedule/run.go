package schedule

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// job is what is needed of a Job while it is in the schedule, and what is
// remembered of it. It is guarded by the scheduler's lock.
type job struct {
	name    string // never changes: it is read without the lock
	run     func(ctx context.Context, due time.Time) bool
	confirm Confirm
	settle  int

	gone   bool // left the schedule: nothing about it counts any more
	early  bool // what it is queued or running for is no tick of its schedule
	state  state
	streak streak
	due    time.Time   // of the run it is queued or running for
	again  *time.Timer // the early run that is to come; nil when there is none
}

type state uint8

const (
	idle state = iota
	queued
	active
)

// turn is one run of a job.
type turn struct {
	job *job
	run func(ctx context.Context, due time.Time) bool // as it was when the run began
	due time.Time
}

// tick is called when a job is due by its schedule. If it is busy with an early
// run then that is as good, and nothing was missed.
func (s *Scheduler) tick(j *job, due time.Time) {
	switch {
	case j.state == idle:
		s.enqueue(j, due, false)
	case j.early:
	case j.state == active:
		s.miss(missedOverlap)
	default:
		s.miss(missedOverload)
	}
}

// enqueue lines an idle job up, and starts it if there is room.
func (s *Scheduler) enqueue(j *job, due time.Time, early bool) {
	s.disarm(j)
	j.state, j.due, j.early = queued, due, early
	s.queue = append(s.queue, j)
	s.startQueued()
}

// startQueued starts jobs of the queue while there is room.
func (s *Scheduler) startQueued() {
	for s.running < s.max && len(s.queue) > 0 {
		t := s.pop()
		s.running++
		s.started.Go(func() { s.work(t) })
	}
}

// pop takes the first job off the queue, which is not empty.
func (s *Scheduler) pop() turn {
	j := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	j.state = active
	return turn{job: j, run: j.run, due: j.due}
}

// work runs a job, and then those that wait for a place.
func (s *Scheduler) work(t turn) {
	for more := true; more; {
		passed, ended := s.call(t)
		t, more = s.finish(t.job, passed, ended)
	}
}

// call runs a job. ended is false if it panicked, so that there is no outcome.
func (s *Scheduler) call(t turn) (passed, ended bool) {
	s.metrics.running.Inc()
	defer s.metrics.running.Dec()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("check panicked", check(t.job.name), "err", fmt.Sprint(p), "stack", string(debug.Stack()))
			s.miss(missedPanic)
			passed, ended = false, false
		}
	}()
	delay := max(0, time.Since(t.due))
	s.metrics.delay.Observe(delay.Seconds())
	s.began(delay)
	return t.run(s.ctx, t.due), true
}

// finish notes how a run went, unless the scheduler is stopping, and returns what its worker is to run next, if
// anything.
func (s *Scheduler) finish(j *job, passed, ended bool) (next turn, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.state = idle
	if ended && !j.gone && s.phase == running {
		s.count(j, passed)
	}
	if len(s.queue) == 0 || s.running > s.max {
		s.running--
		return turn{}, false
	}
	return s.pop(), true
}

// count takes an outcome into the job's streak, and arms the early run that may
// follow from it.
func (s *Scheduler) count(j *job, passed bool) {
	after, again := j.streak.next(passed, j.confirm.Failures, j.settle)
	j.streak = after
	if !again || j.confirm.Interval <= 0 {
		return
	}
	at := time.Now().Add(j.confirm.Interval)
	s.started.Add(1)
	var timer *time.Timer // this one; guarded by the lock, which we hold
	timer = time.AfterFunc(j.confirm.Interval, func() {
		defer s.started.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		// It may have been disarmed while it waited for the lock.
		if j.again == timer {
			j.again = nil
			s.enqueue(j, at, true)
		}
	})
	j.again = timer
}

// disarm calls off the early run that may be pending: the job leaves, or runs
// now anyway.
func (s *Scheduler) disarm(j *job) {
	if j.again != nil && j.again.Stop() {
		s.started.Done()
	}
	j.again = nil
}

// miss counts a run that did not come about. The caller holds the lock unless
// the reason is missedPanic or missedStarved.
func (s *Scheduler) miss(reason string) {
	s.metrics.missed.WithLabelValues(reason).Inc()
	if reason == missedOverload || reason == missedOverlap {
		s.behind.missed++
	}
}

// CountStarved counts a run whose result says nothing of what it asked, because
// this process was kept from running meanwhile.
func (s *Scheduler) CountStarved() { s.miss(missedStarved) }
