package incident

import (
	"slices"
	"time"
)

// maxSpans bounds how many spans that follow each other without a gap count as one.
const maxSpans = 50

// Fits tells whether the value of the label is as the matcher wants it.
func (m *Matcher) Fits(value string) bool { return m.fits(value) }

// Windows are the maintenances set last.
func (k *Keeper) Windows() []Window { return slices.Clone(*k.windows.Load()) }

// Span is the time for which the window holds at a moment, or for which it will
// hold next; false when it never does again. Spans that follow each other
// without a gap are one.
func (w *Window) Span(at time.Time) (start, end time.Time, ok bool) {
	if w.Next == nil {
		return w.Start, w.End, at.Before(w.End)
	}
	start = w.Next(at.Add(-w.Duration))
	if start.IsZero() {
		return start, start, false
	}
	end = start.Add(w.Duration)
	for last, i := start, 0; i < maxSpans; i++ {
		if last = w.Next(last); last.IsZero() || last.After(end) {
			break
		}
		end = last.Add(w.Duration)
	}
	return start, end, true
}
