package schedule

import (
	"sort"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// slotKey identifies a slot: one window of a period, or a cron line.
type slotKey struct {
	period time.Duration
	window int
	line   string
}

// slot is the jobs that share a cron entry. It comes at the moments of its
// schedule, and each member its own offset after such a moment.
type slot struct {
	schedule cron.Schedule
	width    time.Duration // more than any offset
	members  []member      // by offset
	// next takes the place of members at the slot's first moment that comes after
	// it was made, and is nil from then on. Until then a job that stays starts where
	// it did, lest a run be lost or come twice.
	next     []member
	replaced time.Time // when next was made
	entry    *entry    // in the scheduler's cron; nil unless that runs
}

type member struct {
	offset time.Duration
	job    *job
}

func newSlot(key slotKey, spec Spec) *slot {
	if spec.period == 0 {
		return &slot{schedule: spec.cron, width: lineSpread}
	}
	width := windowWidth(spec.period)
	phase := time.Duration(key.window) * width
	return &slot{schedule: every{period: spec.period, phase: phase}, width: width}
}

// after returns the members whose time, counted from the slot's moment, comes
// after t.
func (sl *slot) after(moment, t time.Time) []member {
	from := sort.Search(len(sl.members), func(i int) bool {
		return moment.Add(sl.members[i].offset).After(t)
	})
	return sl.members[from:]
}

// entry is a slot's place in one cron. It is both the cron.Schedule and the
// cron.Job, because cron does not tell a job for which moment it is run.
type entry struct {
	slot *slot
	walk func(e *entry, moment time.Time)
	id   cron.EntryID
	// from is when the entry was made: it leaves alone what came before.
	from time.Time
	// until is when the clock jumped, after which it has no say any more. It is
	// guarded by the scheduler's lock.
	until time.Time

	// mu is apart from the scheduler's lock, which may be held by one who waits
	// for cron's goroutine while that calls Next.
	mu      sync.Mutex
	begun   bool
	moments []time.Time // that cron was told of and has not run yet, in order
}

// Next is called by cron once at its start and then once for each run. The
// first answer may lie in the past: it is the slot's moment whose members, some
// of them, still come.
func (e *entry) Next(now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begun {
		e.begun = true
		now = e.from.UTC().Add(-e.slot.width)
	}
	next := e.slot.schedule.Next(now)
	if !next.IsZero() {
		e.moments = append(e.moments, next)
	}
	return next
}

// Run is called by cron, in a goroutine of its own, for each moment.
func (e *entry) Run() {
	e.mu.Lock()
	if len(e.moments) == 0 { // taken away by takeMoments
		e.mu.Unlock()
		return
	}
	moment := e.moments[0]
	e.moments = e.moments[1:]
	e.mu.Unlock()
	e.walk(e, moment)
}

// takeMoments takes away the moments that cron has not run, so that it will run
// none any more.
func (e *entry) takeMoments() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	moments := e.moments
	e.moments = nil
	return moments
}

// layOut makes a new cron of all slots, in place of the one there may be. What
// came due by now and was not started is dropped and counted.
func (s *Scheduler) layOut(now time.Time) {
	now = now.Round(0) // the schedule is in wall-clock time
	if s.cron != nil {
		ended := s.cron.Stop()
		s.started.Go(func() { <-ended.Done() })
	}
	s.cron = cron.New(cron.WithLocation(time.UTC), cron.WithLogger(quiet{}))
	for _, sl := range s.slots {
		if old := sl.entry; old != nil {
			old.until = now
			for _, moment := range old.takeMoments() {
				s.advance(old, moment, old.from, now)
			}
		}
		s.enter(sl, now)
	}
	s.cron.Start()
}

// enter gives a slot its entry in the scheduler's cron.
func (s *Scheduler) enter(sl *slot, now time.Time) {
	sl.entry = &entry{slot: sl, walk: s.walk, from: now.Round(0)}
	sl.entry.id = s.cron.Schedule(sl.entry, sl.entry)
}

// walk starts the members of a slot one after the other, each at its time.
func (s *Scheduler) walk(e *entry, moment time.Time) {
	s.takeNext(e.slot, moment)
	wait, done := s.step(e, moment, e.from)
	if wait == 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	exact := s.exact.lend(e.slot.width)
	defer s.exact.giveBack(exact)
	for {
		exact.reset(wait)
		if !s.sleep(timer, exact) {
			return
		}
		if wait, done = s.step(e, moment, done); wait == 0 {
			return
		}
		timer.Reset(wait)
	}
}

// sleep waits for either timer. It is false when the scheduler has stopped.
func (s *Scheduler) sleep(timer *time.Timer, exact *kernelTimer) bool {
	select {
	case <-s.stopped:
		return false
	case <-timer.C:
	case <-exact.c():
	}
	return true
}

// takeNext gives a slot the members that were to come, unless its moment was
// under way already when they were made: after a jump of the clock it comes again.
func (s *Scheduler) takeNext(sl *slot, moment time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.next != nil && moment.After(sl.replaced) {
		sl.members, sl.next = sl.next, nil
	}
}

// step starts the members whose time came after done and is there. It returns
// how long the next one has to wait, 0 when there is none, and the new done.
func (s *Scheduler) step(e *entry, moment, done time.Time) (time.Duration, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != running {
		return 0, done
	}
	now := time.Now()
	s.watchClock(now)
	return s.advance(e, moment, done, now.Round(0))
}

// advance deals with the members whose time came after done and not after now:
// starts them, or counts them as missed. It returns what step does.
func (s *Scheduler) advance(e *entry, moment, done, now time.Time) (time.Duration, time.Time) {
	leapt := !e.until.IsZero()
	if leapt {
		now = e.until // what comes after it is the following entry's
	}
	following := e.slot.schedule.Next(moment)
	for _, m := range e.slot.after(moment, done) {
		due := moment.Add(m.offset)
		switch {
		case due.After(now) && leapt:
			return 0, done
		case due.After(now):
			return due.Sub(now), done
		case leapt:
			s.miss(missedClock)
		case !following.IsZero() && !following.Add(m.offset).After(now):
			s.miss(missedOverload) // so late that it is due again
		default:
			s.tick(m.job, due)
		}
		done = due
	}
	return 0, done
}

// watchClock lays the schedule out anew when the clock jumped since the last
// beat: cron would run at once whatever it slept through, and after a step
// backwards nothing until the clock has caught up.
func (s *Scheduler) watchClock(now time.Time) {
	wall, monotonic := elapsed(s.beat, now)
	if !jumped(wall, monotonic) {
		return
	}
	s.beat = now
	s.log.Warn("clock jumped or the process stood still, schedule laid out anew",
		"took", wall.String(), "monotonic", monotonic.String())
	s.layOut(now)
}

// quiet is a cron.Logger that is not heard.
type quiet struct{}

func (quiet) Info(string, ...any)         {}
func (quiet) Error(error, string, ...any) {}
