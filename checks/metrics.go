package checks

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Metrics counts results and shows the newest of each check, under the names
// that blackbox_exporter has where it has one. The series are made at each
// scrape from one snapshot, so that those of a check that leaves the
// configuration leave at once and a result costs no more than a lock.
type Metrics struct {
	location string
	descs    []*prometheus.Desc // of families
	duration *prometheus.Desc

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

// NewMetrics registers the metrics of checks with reg. The location labels every series.
func NewMetrics(reg prometheus.Registerer, location string) *Metrics {
	m := &Metrics{location: location, checks: map[checkName]*series{}, pops: map[string]string{}}
	labels := []string{"site", "check", "location"}
	for _, f := range families {
		m.descs = append(m.descs, prometheus.NewDesc(f.name, f.help, slices.Concat(labels, f.labels), nil))
	}
	m.duration = prometheus.NewDesc(durationName, durationHelp, labels, nil)
	reg.MustRegister(m)
	return m
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
			s = &series{site: c.Site, check: c.Name, labels: textLabels(c.Site, c.Name, m.location)}
		}
		s.hasOrigin = c.Origin != nil
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

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range m.descs {
		ch <- d
	}
	ch <- m.duration
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	list := m.snapshot(true)
	for i := range list {
		s := &list[i]
		for j := range families {
			f, desc := &families[j], m.descs[j]
			f.each(s, func(v float64, a, b, c string) {
				kind := prometheus.GaugeValue
				if f.counter {
					kind = prometheus.CounterValue
				}
				own := [...]string{a, b, c}
				ch <- prometheus.MustNewConstMetric(desc, kind, v,
					append([]string{s.site, s.check, m.location}, own[:len(f.labels)]...)...)
			})
		}
		ch <- durationMetric{m.duration, &s.duration, prometheus.MakeLabelPairs(m.duration, []string{s.site, s.check, m.location})}
	}
}

// snapshot copies what is shown; the lock is held for nothing else. Native
// buckets are copied only if they are asked for.
func (m *Metrics) snapshot(native bool) []series {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]series, len(m.list))
	for i, s := range m.list {
		list[i] = *s
		list[i].failures = slices.Clone(s.failures)
		list[i].duration.native = nil
		if native {
			list[i].duration.native = slices.Clone(s.duration.native)
		}
	}
	return list
}

// durationMetric is a histogram as the registry takes it.
type durationMetric struct {
	desc   *prometheus.Desc
	h      *histogram
	labels []*dto.LabelPair
}

// Desc implements prometheus.Metric.
func (d durationMetric) Desc() *prometheus.Desc { return d.desc }

// Write implements prometheus.Metric.
func (d durationMetric) Write(out *dto.Metric) error {
	h := &dto.Histogram{
		SampleCount: new(d.h.count), SampleSum: new(d.h.sum),
		Schema: new(nativeSchema - d.h.coarser), ZeroThreshold: new(prometheus.DefNativeHistogramZeroThreshold),
		ZeroCount: new(uint64(d.h.zero)),
	}
	var below uint64
	for i, bound := range durationBounds {
		below += uint64(d.h.classic[i])
		h.Bucket = append(h.Bucket, &dto.Bucket{CumulativeCount: new(below), UpperBound: new(bound)})
	}
	// Runs of neighbouring buckets are spans; each count is told by its
	// difference to the one before.
	var next int32
	var before int64
	for i, b := range d.h.native {
		if i == 0 || b.index != next {
			h.PositiveSpan = append(h.PositiveSpan, &dto.BucketSpan{Offset: new(b.index - next), Length: new(uint32(0))})
		}
		*h.PositiveSpan[len(h.PositiveSpan)-1].Length++
		h.PositiveDelta = append(h.PositiveDelta, int64(b.count)-before)
		next, before = b.index+1, int64(b.count)
	}
	out.Label, out.Histogram = d.labels, h
	return nil
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
