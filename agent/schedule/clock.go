package schedule

import "time"

const (
	// beat is how often the scheduler compares its clocks.
	beat = time.Second
	// clockSlack is by how much a clock may be off before the schedule is laid
	// out anew. Less than that is caught up with, at most this much at once.
	clockSlack = 2 * time.Second
)

// jumped tells whether moments of the schedule were leapt over or repeated. It
// is given the time since the last beat by both clocks: the wall clock, in
// which cron thinks, and the monotonic one, in which timers run and which
// stands still while a machine is suspended. They part on a suspend and when
// the clock is set; and both run ahead of the beat when the process, or the
// virtual machine under it, stood still.
func jumped(wall, monotonic time.Duration) bool {
	return (wall-monotonic).Abs() > clockSlack || monotonic > beat+clockSlack
}

// elapsed returns the time from then to now by the wall clock and by the
// monotonic one. Both must come from time.Now.
func elapsed(then, now time.Time) (wall, monotonic time.Duration) {
	return now.Round(0).Sub(then.Round(0)), now.Sub(then)
}
