package probe

import (
	"sync"
	"time"
)

// The phases of a request, by the names that blackbox_exporter gives them.
const (
	phaseResolve    = "resolve"
	phaseConnect    = "connect"
	phaseTLS        = "tls"
	phaseProcessing = "processing"
	phaseTransfer   = "transfer"
)

// timeline tells which phase a run is in. Each moment belongs to exactly one
// phase, so the phases cannot add up to more than the whole.
type timeline struct {
	mu    sync.Mutex
	phase string // "" before a hop's first event
	since time.Time
	spent Phases
	done  bool
}

// begin starts a hop. What passes until its first event belongs to that event.
func (t *timeline) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	t.phase, t.since = "", time.Now()
}

// enter is called when phase starts.
func (t *timeline) enter(phase string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return
	}
	t.settle()
	t.phase = phase
}

// now is the phase that the run is in.
func (t *timeline) now() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phase == "" {
		return phaseConnect
	}
	return t.phase
}

// end stops the clock: whatever comes later, such as an event of a connection
// that lost the race, no longer counts.
func (t *timeline) end() Phases {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	t.phase, t.done = "", true
	return t.spent
}

// settle gives the time since the last event to the present phase.
func (t *timeline) settle() {
	var d *time.Duration
	switch t.phase {
	case phaseResolve:
		d = &t.spent.Resolve
	case phaseConnect:
		d = &t.spent.Connect
	case phaseTLS:
		d = &t.spent.TLS
	case phaseProcessing:
		d = &t.spent.Processing
	case phaseTransfer:
		d = &t.spent.Transfer
	default:
		return
	}
	now := time.Now()
	*d += now.Sub(t.since)
	t.since = now
}
