package agent

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

const (
	// stallBeat is how often the process looks whether it runs. It is shorter
	// than what a processor quota withholds in its period, usually 100 ms.
	stallBeat = 20 * time.Millisecond
	// stallSlack is what a beat may be late for no reason worth a name.
	stallSlack = 10 * time.Millisecond
	// starvedMost is for how long results are held back. Whoever is starved for
	// longer has to look at the sites all the same, as well as it can.
	starvedMost = 5 * time.Minute
	// starvedCalm is after how long without a result held back a spell is over.
	starvedCalm = time.Minute
)

// stalls knows for how long this process was kept from running: too little
// processor time, or more to do than processors. A check that was under way
// then was slow, or ran out of time, with nobody to hear the site's answer.
type stalls struct {
	log *slog.Logger

	wake chan struct{} // holds one when the first check of some began

	mu      sync.Mutex
	running int           // checks; while there are none, nobody looks
	beat    time.Time     // the last; zero: nobody looks
	lost    time.Duration // all that was lost until then

	// The spell in which results are held back; zero while there is none.
	since, last time.Time
	held        int
}

func newStalls(log *slog.Logger) *stalls {
	return &stalls{log: log.With("component", "check"), wake: make(chan struct{}, 1)}
}

// Run looks, whenever checks run, until ctx is done. It returns nil.
func (s *stalls) Run(ctx context.Context) error {
	timer := time.NewTimer(stallBeat)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		// A timer's goroutine goes before all others. What a check's goroutines
		// wait for is a turn like everybody's.
		runtime.Gosched()
		if s.look(time.Now()) {
			timer.Reset(stallBeat)
		}
	}
}

// begin is called when a check begins; what it returns is for end.
func (s *stalls) begin(now time.Time) (lost time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running++
	if s.beat.IsZero() {
		s.beat = now
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return s.lost + s.missing(now)
}

// end is called when a check has ended. It returns how much was lost since its
// begin, which returned before.
func (s *stalls) end(now time.Time, before time.Duration) (lost time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	return s.lost + s.missing(now) - before
}

// look takes in that the process runs now. It tells whether to look again.
func (s *stalls) look(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += s.missing(now)
	s.beat = now
	if s.running == 0 {
		s.beat = time.Time{}
	}
	if !s.since.IsZero() && now.Sub(s.last) >= starvedCalm {
		s.log.Info("results count again, this process has processor time", "took", s.last.Sub(s.since).Round(time.Second).String(), "runs", s.held)
		s.since, s.held = time.Time{}, 0
	}
	return s.running > 0
}

// missing is what was lost since the last beat.
func (s *stalls) missing(now time.Time) time.Duration {
	if s.beat.IsZero() {
		return 0
	}
	if late := now.Sub(s.beat) - stallBeat; late > stallSlack {
		return late
	}
	return 0
}

// starved tells whether a result says nothing of its site, because in the time
// of its run so much was lost.
func (s *stalls) starved(now time.Time, r *checks.Result, lost time.Duration) bool {
	if !spoilt(r, lost) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		s.since = now
		s.log.Warn("results held back: this process gets too little processor time",
			"took", lost.Round(time.Millisecond).String(), "site", r.Site, "check", r.Check, "condition", string(r.Condition()))
	}
	s.last = now
	s.held++
	return now.Sub(s.since) < starvedMost
}

// spoilt tells whether a result may come of time that was lost. One that failed
// for want of time has had to lose half of it: the other half would have done. A
// slow one would not be told of, had it a fifth less.
func spoilt(r *checks.Result, lost time.Duration) bool {
	if r.Outcome == checks.Pass {
		return false
	}
	condition := r.Condition()
	if condition == catalog.OriginDown && r.Origin != nil {
		condition = r.Origin.Condition
	}
	took := time.Duration(r.DurationSeconds * float64(time.Second))
	switch condition {
	case catalog.Timeout, catalog.ConnectTimeout, catalog.DNSFailure, catalog.ConnectionReset:
		return lost >= took/2
	case catalog.Slow:
		return lost >= took/5
	}
	return false
}
