package schedule

import "time"

const (
	// lateAfter is how late a job may start before the scheduler is behind.
	lateAfter = time.Second
	// calmAfter is for how long none must have started so late before it is no
	// longer behind.
	calmAfter = 10 * time.Second
)

// backlog is a spell in which more jobs are due than can be run. They still have
// their turns, in the order in which they came due: each waits as long as the
// others, and none waits twice in a row while another has not run. The zero
// value is the time between spells. It is guarded by the scheduler's lock.
type backlog struct {
	since  time.Time // zero: all is well
	last   time.Time // when a job was last seen to be late
	worst  time.Duration
	runs   int
	missed int
}

func (b *backlog) on() bool { return !b.since.IsZero() }

// began notes how late a job was started.
func (s *Scheduler) began(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind.runs++
	if delay >= lateAfter {
		s.late(time.Now(), delay)
	}
}

// late notes that a job starts late, or will.
func (s *Scheduler) late(now time.Time, delay time.Duration) {
	b := &s.behind
	if !b.on() {
		*b = backlog{since: now}
		s.metrics.overloaded.Set(1)
		if s.running >= s.max {
			s.log.Warn("checks start late: more are due than agent.max_concurrent_checks lets run",
				"took", delay.String(), "running", s.running, "queued", len(s.queue))
		} else {
			s.log.Warn("checks start late: this machine is too busy",
				"took", delay.String(), "running", s.running, "queued", len(s.queue))
		}
	}
	b.last = now
	b.worst = max(b.worst, delay)
}

// watchBacklog is called each second: a job that waits is late before it starts,
// and a spell ends with nobody there to see it.
func (s *Scheduler) watchBacklog(now time.Time) {
	if len(s.queue) > 0 {
		if waits := now.Sub(s.queue[0].due); waits >= lateAfter {
			s.late(now, waits)
		}
	}
	if b := s.behind; b.on() && now.Sub(b.last) >= calmAfter {
		s.behind = backlog{}
		s.metrics.overloaded.Set(0)
		s.log.Info("checks start on time again", "took", b.last.Sub(b.since).Round(time.Second).String(),
			"latest", b.worst.String(), "runs", b.runs, "missed", b.missed)
	}
}
