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
// 1.1 KB a check, and nothing is allocated for a result that passes once a
// check's ring is there. A Saver carries a short form over a restart.
// It is safe for concurrent use.
type Recent struct {
	observed atomic.Uint64 // how many results were taken in: tells whether anything is new

	mu    sync.RWMutex
	sites map[string]*recentSite
}

// recentSite is what is remembered of one site.
type recentSite struct {
	rings   map[string]*ring // by check; guarded by Recent.mu
	changes atomic.Uint64    // tells whether there is anything new to save

	// tls is the newest handshake. Most checks of a site see the same one, and
	// share it.
	tls atomic.Pointer[checks.TLS]
}

// NewRecent returns one that knows of no check: see SetChecks.
func NewRecent() *Recent { return &Recent{sites: map[string]*recentSite{}} }

// SetChecks forgets what is not in the list, and from now on remembers what is.
func (m *Recent) SetChecks(list []*checks.Check) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := make(map[string]map[string]*ring)
	for _, c := range list {
		if next[c.Site] == nil {
			next[c.Site] = make(map[string]*ring)
		}
		r := m.find(c.Site, c.Name)
		if r == nil {
			r = &ring{}
		}
		next[c.Site][c.Name] = r
	}
	for name, rings := range next {
		s := m.sites[name]
		if s == nil {
			s = &recentSite{}
			m.sites[name] = s
		}
		for check := range s.rings {
			if rings[check] == nil {
				s.changes.Add(1)
			}
		}
		s.rings = rings
	}
	for name := range m.sites {
		if next[name] == nil {
			delete(m.sites, name)
		}
	}
	m.observed.Add(1)
}

// Observe takes a result in. One of a check that is not in the list any more is
// ignored.
func (m *Recent) Observe(r checks.Result) {
	m.mu.RLock()
	site, ring := m.sites[r.Site], m.find(r.Site, r.Check)
	m.mu.RUnlock()
	if ring == nil {
		return
	}
	ring.add(&r, site)
	site.changes.Add(1)
	m.observed.Add(1)
}

// find returns a check's ring, nil when there is none. The caller holds m.mu.
func (m *Recent) find(site, check string) *ring {
	if s := m.sites[site]; s != nil {
		return s.rings[check]
	}
	return nil
}

func (m *Recent) ring(site, check string) *ring {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.find(site, check)
}

// Newest returns the newest result of a check, and false when there is none yet
// since the start: of what was before, only the short form is known.
func (m *Recent) Newest(site, check string) (checks.Result, bool) {
	ring := m.ring(site, check)
	if ring == nil {
		return checks.Result{}, false
	}
	ring.mu.Lock()
	defer ring.mu.Unlock()
	if len(ring.entries) == 0 || ring.recalled {
		return checks.Result{}, false
	}
	return ring.newest(site, check), true
}

// look copies what is remembered of a check into h, whose memory is used again.
func (m *Recent) look(site, check string, h *history) {
	*h = history{entries: h.entries[:0], kinds: h.kinds[:0]}
	if ring := m.ring(site, check); ring != nil {
		ring.copyTo(h, site, check)
	}
}

// history is what is remembered of one check, oldest first.
type history struct {
	entries []entry
	// newest is the zero value when there is none. Of one from before a restart
	// it says when it was, what came and how long it took, and of the diagnosis
	// no more than the catalog has for the condition.
	newest   checks.Result
	recalled bool // newest is from before a restart
	day      tally
	kinds    []kind // of the entries
}

// fresh is the newest result since the start, the zero value when there is none:
// what was before says nothing of the present state.
func (h *history) fresh() *checks.Result {
	if h.recalled {
		return &checks.Result{}
	}
	return &h.newest
}

// entry is one result in short.
type entry struct {
	started         int64 // s since 1970
	condition       catalog.Condition
	originCondition catalog.Condition
	status          int
	originStatus    int // 0 with no origin, or no answer from it
	seconds         float32
	originSeconds   float32
	outcome         outcome
}

func (e *entry) start() time.Time { return time.Unix(e.started, 0).UTC() }

// kind is what came back. There are few kinds, and each is kept once.
type kind struct {
	condition       catalog.Condition
	originCondition catalog.Condition
	status          int
	originStatus    int // 0 with no origin, or no answer from it
	outcome         outcome
	hasOrigin       bool
	originSuccess   bool
}

func kindOf(r *checks.Result) kind {
	k := kind{condition: r.Condition(), status: r.StatusCode, outcome: outcomeOf(r.Outcome)}
	if o := r.Origin; o != nil {
		k.hasOrigin, k.originSuccess = true, o.Success
		k.originStatus, k.originCondition = o.StatusCode, o.Condition
	}
	return k
}

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

func (o outcome) outcome() checks.Outcome {
	return [...]checks.Outcome{checks.Pass, checks.Degraded, checks.Fail}[o]
}

func (o outcome) String() string { return string(o.outcome()) }

const numPhases = len(checks.PhaseNames)

func phasesOf(p checks.Phases) [numPhases]float32 {
	return [numPhases]float32{float32(p.Resolve), float32(p.Connect), float32(p.TLS), float32(p.Processing), float32(p.Transfer)}
}
