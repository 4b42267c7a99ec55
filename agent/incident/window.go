package incident

import "time"

// Window is a maintenance: a span of time, or one that comes again and again,
// in which a mute is in force.
type Window struct {
	Mute Mute

	Start, End time.Time // of the one span; the end is no part of it

	// Next gives the first moment after t at which the span begins that comes
	// again, and the zero time when it never does. nil: there is one span.
	Next     func(t time.Time) time.Time
	Duration time.Duration
}

// Active tells whether the moment lies in the window.
func (w *Window) Active(at time.Time) bool {
	if w.Next == nil {
		return !at.Before(w.Start) && at.Before(w.End)
	}
	begin := w.Next(at.Add(-w.Duration)) // the first that is not over at that moment
	return !begin.IsZero() && !begin.After(at)
}
