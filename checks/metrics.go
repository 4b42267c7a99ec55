package checks

import (
	"slices"
	"strings"
	"sync"

	"github.com/esawatch/esawatch/checks/exposition"
)

// Metrics counts results and shows the newest of each check, under the names
// that blackbox_exporter has where it has one. The series are made at each
// scrape from one snapshot, so that those of a check that leaves the
// configuration leave at once and a result costs no more than a lock.
type Metrics struct {
	location string

	mu     sync.Mutex
	list   []*series // in the order of the configuration
	checks map[checkName]*series
	pops   map[string]string // every POP that became a label, at most maxPOPs, to itself
}

// checkName tells checks apart without joining their names.
type checkName struct{ site, check string }

// maxPOPs bounds the label values that answers can bring about. ESA has more
// nodes than that, but one location meets few of them.
const maxPOPs = 256

// NewMetrics returns the metrics of no checks yet. The location labels every series.
func NewMetrics(location string) *Metrics {
	return &Metrics{location: location, checks: map[checkName]*series{}, pops: map[string]string{}}
}

// SetChecks makes the configured checks known: their counters exist from now
// on, and the series of all others leave.
func (m *Metrics) SetChecks(list []*Check) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := make(map[checkName]*series, len(list))
	m.list = make([]*series, len(list))
	for i, c := range list {
		name := checkName{c.Site, c.Name}
		s := m.checks[name]
		if s == nil {
			s = &series{}
		}
		s.check = c
		known[name], m.list[i] = s, s
	}
	m.checks = known
}

// Observe counts one result. One of a check that is not configured any more is ignored.
func (m *Metrics) Observe(r Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.checks[checkName{r.Site, r.Check}]; s != nil {
		s.observe(&r, m.popLabel(r.Edge.POP))
	}
}

// Write writes the metrics of all checks, as they are at one moment.
func (m *Metrics) Write(w *exposition.Writer) {
	if !slices.ContainsFunc(families, func(f family) bool { return w.Wants(&f.Family) }) {
		return
	}
	list := m.snapshot(w.Native())
	for i := range list {
		s := &list[i]
		s.base = w.Base("site", s.check.Site, "check", s.check.Name, "location", m.location)
	}
	for i := range families {
		f := &families[i]
		w.Family(&f.Family, func() {
			for i := range list {
				f.each(&list[i], w)
			}
		})
	}
}

// shown is what is written of one check.
type shown struct {
	series
	base exposition.Base
}

// snapshot copies what is shown; the lock is held for nothing else. Native
// buckets are copied only if they are asked for.
func (m *Metrics) snapshot(native bool) []shown {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]shown, len(m.list))
	for i, s := range m.list {
		list[i].series = *s
		list[i].failures = slices.Clone(s.failures)
		list[i].duration.native = nil
		if native {
			list[i].duration.native = slices.Clone(s.duration.native)
		}
	}
	return list
}

// distribution is the histogram with its exemplar.
func (s *shown) distribution() *exposition.Distribution {
	h, e := &s.duration, &s.exemplar
	return &exposition.Distribution{
		Count: h.count, Sum: h.sum, Classic: h.classic[:],
		Schema: nativeSchema - h.coarser, ZeroThreshold: nativeZero, Zero: h.zero, Native: h.native,
		Exemplar: exposition.Exemplar{Label: string(e.id[:e.size]), Value: e.took.Seconds(), UnixMillis: e.at},
	}
}

// popLabel lets a server choose no label values: a POP is lower-case letters
// and digits, as in "de7"; anything else, and whatever comes after the first
// maxPOPs of them, is "other".
func (m *Metrics) popLabel(pop string) string {
	if known, ok := m.pops[pop]; ok || pop == "" {
		return known
	}
	if len(pop) > 12 || len(m.pops) >= maxPOPs || strings.Trim(pop, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return "other"
	}
	pop = strings.Clone(pop) // it was cut from a header, which would stay with it
	m.pops[pop] = pop
	return pop
}
