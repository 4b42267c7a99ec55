package web

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

const (
	ringSize = 60 // results kept of each check
	dayHours = 24 // whole hours counted beside the one that runs
)

// Recent remembers the last results of each check, in bounded memory: about
// 6 KB a check, and nothing is allocated for a result once a check's ring is
// there. It is safe for concurrent use.
type Recent struct {
	observed atomic.Uint64 // how many results were taken in: tells whether anything is new

	mu     sync.RWMutex
	checks map[string]map[string]*ring // by site and check
}

// NewRecent returns one that knows of no check: see SetChecks.
func NewRecent() *Recent { return &Recent{checks: map[string]map[string]*ring{}} }

// SetChecks forgets what is not in the list, and from now on remembers what is.
func (m *Recent) SetChecks(list []*checks.Check) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := make(map[string]map[string]*ring)
	for _, c := range list {
		if next[c.Site] == nil {
			next[c.Site] = make(map[string]*ring)
		}
		r := m.checks[c.Site][c.Name]
		if r == nil {
			r = &ring{}
		}
		next[c.Site][c.Name] = r
	}
	m.checks = next
	m.observed.Add(1)
}

// Observe takes a result in. One of a check that is not in the list any more is
// ignored.
func (m *Recent) Observe(r checks.Result) {
	if ring := m.ring(r.Site, r.Check); ring != nil {
		ring.add(&r)
		m.observed.Add(1)
	}
}

func (m *Recent) ring(site, check string) *ring {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.checks[site][check]
}

// Newest returns the newest result of a check, and false when there is none yet.
func (m *Recent) Newest(site, check string) (checks.Result, bool) {
	ring := m.ring(site, check)
	if ring == nil {
		return checks.Result{}, false
	}
	ring.mu.Lock()
	defer ring.mu.Unlock()
	return ring.newest, ring.entries != nil
}

// look copies what is remembered of a check into h, whose memory is used again.
func (m *Recent) look(site, check string, h *history) {
	*h = history{entries: h.entries[:0]}
	if ring := m.ring(site, check); ring != nil {
		ring.copyTo(h)
	}
}

// history is what is remembered of one check, oldest first.
type history struct {
	entries []entry
	newest  checks.Result // the zero value when there is none
	day     tally
}

// entry is one result in short.
type entry struct {
	started         int64 // ms since 1970
	condition       catalog.Condition
	originCondition catalog.Condition
	seconds         float32
	originSeconds   float32
	phases          [numPhases]float32 // seconds, in the order of phaseNames
	status          uint16
	originStatus    uint16 // 0 with no origin, or no answer from it
	outcome         outcome
}

func (e *entry) start() time.Time { return time.UnixMilli(e.started).UTC() }

// outcome is a checks.Outcome in one byte.
type outcome uint8

const (
	passed outcome = iota
	degraded
	failed
)

func outcomeOf(o checks.Outcome) outcome {
	switch o {
	case checks.Pass:
		return passed
	case checks.Degraded:
		return degraded
	}
	return failed
}

func (o outcome) String() string { return [...]string{"pass", "degraded", "fail"}[o] }

const numPhases = 5

var phaseNames = [numPhases]string{"resolve", "connect", "tls", "processing", "transfer"}

func phasesOf(p checks.Phases) [numPhases]float32 {
	return [numPhases]float32{float32(p.Resolve), float32(p.Connect), float32(p.TLS), float32(p.Processing), float32(p.Transfer)}
}

// tally counts results over a time.
type tally struct {
	since time.Time // start of the first hour that has any
	runs  uint32
	fails uint32
}

// ring holds the last results of one check, and counts those of a day by hour.
type ring struct {
	mu      sync.Mutex
	entries []entry // nil until the first; then a ring of ringSize
	next    int     // where the next one goes
	full    bool
	newest  checks.Result
	hours   [dayHours + 1]hour // by hours since 1970, modulo their number
}

type hour struct {
	number      int64 // hours since 1970
	runs, fails uint32
}

func (r *ring) add(res *checks.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries == nil {
		r.entries = make([]entry, ringSize)
	}
	e := entry{
		started:   res.StartedAt.UnixMilli(),
		condition: res.Condition(),
		seconds:   float32(res.DurationSeconds),
		phases:    phasesOf(res.PhasesSeconds),
		status:    uint16(res.StatusCode),
		outcome:   outcomeOf(res.Outcome),
	}
	if o := res.Origin; o != nil {
		e.originCondition = o.Condition
		e.originSeconds = float32(o.DurationSeconds)
		e.originStatus = uint16(o.StatusCode)
	}
	r.entries[r.next] = e
	r.next++
	if r.next == ringSize {
		r.next, r.full = 0, true
	}
	r.newest = *res
	number := res.StartedAt.Unix() / 3600
	h := &r.hours[uint64(number)%uint64(len(r.hours))]
	if h.number != number {
		*h = hour{number: number}
	}
	h.runs++
	if e.outcome == failed {
		h.fails++
	}
}

func (r *ring) copyTo(h *history) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		h.entries = append(h.entries, r.entries[r.next:]...)
	}
	h.entries = append(h.entries, r.entries[:r.next]...)
	h.newest = r.newest
	if len(h.entries) == 0 {
		return
	}
	// The hours are counted back from the newest result, so that a machine whose
	// clock was set does not see an empty day.
	last := r.newest.StartedAt.Unix() / 3600
	for i := range r.hours {
		hour := &r.hours[i]
		if hour.runs == 0 || hour.number > last || hour.number < last-dayHours {
			continue
		}
		h.day.runs += hour.runs
		h.day.fails += hour.fails
		if start := time.Unix(hour.number*3600, 0).UTC(); h.day.since.IsZero() || start.Before(h.day.since) {
			h.day.since = start
		}
	}
}
