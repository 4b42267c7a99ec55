package schedule

import "time"

// Confirm says how soon a job runs again after a run that did not pass.
type Confirm struct {
	// Failures is how many runs in a row must not pass for the fault to be
	// confirmed. Up to that the job is run again early; 0 and 1 mean never.
	Failures int
	// Interval is the time from the end of a run to the early one that follows
	// it. 0 or less turns early runs off: the schedule alone counts.
	Interval time.Duration
}

// streak is what a job's last runs looked like, as far as it matters for when
// to look again. It decides nothing about alerts: the state machine that does
// counts for itself, and the early runs only bring it its results sooner.
type streak struct {
	failures  int  // in a row; stops counting once confirmed
	passes    int  // in a row, while confirmed
	confirmed bool // Failures in a row were seen, and not yet settle passes
}

// next takes in one run. again tells whether the job is to be run early: after
// a failure until it is confirmed, and after the first pass of a confirmed
// fault until settle passes in a row have ended it.
func (s streak) next(passed bool, failures, settle int) (after streak, again bool) {
	switch {
	case !passed && s.confirmed:
		return streak{confirmed: true}, false
	case !passed:
		s.failures++
		if s.failures >= failures {
			return streak{confirmed: true}, false
		}
		return s, true
	case s.confirmed:
		s.passes++
		if s.passes >= settle {
			return streak{}, false
		}
		return s, true
	default:
		return streak{}, false
	}
}
