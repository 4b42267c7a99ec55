package agent

import (
	"sync"
	"time"
)

// clockSlack is by how much the clocks may part, and longestBeat how long nobody
// may have looked at them, before that counts as a pause.
const (
	clockSlack  = 2 * time.Second
	longestBeat = 10 * time.Second
)

// pauses notes when the machine or this process stood still, or the clock was
// set. A check that was under way then has seen nothing: its time ran out while
// nothing ran. The zero value works.
type pauses struct {
	mu   sync.Mutex
	beat time.Time // when the clocks were last looked at
	over time.Time // when the last pause ended; zero = there was none
}

// look compares the clocks, and tells whether there was a pause since the last
// look. It must be called about each second. now must come from time.Now.
func (p *pauses) look(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.beat
	p.beat = now
	if before.IsZero() || !paused(now.Round(0).Sub(before.Round(0)), now.Sub(before)) {
		return false
	}
	p.over = now
	return true
}

// within tells whether a pause ended after then. then must come from time.Now.
func (p *pauses) within(then time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over.After(then)
}

// paused is given the time between two looks by the wall clock and by the
// monotonic one, which stands still while a machine is suspended.
func paused(wall, monotonic time.Duration) bool {
	return (wall-monotonic).Abs() > clockSlack || monotonic > longestBeat
}
