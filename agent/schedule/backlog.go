package schedule

import "time"

const (
	// lateAfter is how long a job may wait for its turn before the scheduler
	// says that it is behind.
	lateAfter = time.Second
	// sayAgain is how often it says so.
	sayAgain = time.Minute
)

// backlog is what was last said about being behind.
type backlog struct {
	said   bool
	saidAt time.Time
}

// watchBacklog says in the log when jobs wait too long for their turn, at most
// once a minute, and when that is over.
func (s *Scheduler) watchBacklog(now time.Time) {
	if len(s.queue) == 0 {
		if s.behind.said && now.Sub(s.behind.saidAt) >= sayAgain {
			s.behind.said = false
			s.log.Info("checks start on time again")
		}
		return
	}
	late := now.Sub(s.queue[0].due)
	if late < lateAfter || s.behind.said && now.Sub(s.behind.saidAt) < sayAgain {
		return
	}
	s.behind = backlog{said: true, saidAt: now}
	s.log.Warn("checks start late: more are due than max_concurrent_checks and this machine can run",
		"took", late.String(), "queued", len(s.queue), "running", s.running)
}
