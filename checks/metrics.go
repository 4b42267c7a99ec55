package checks

import (
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Metrics counts results and shows the newest of each check, under the names
// that blackbox_exporter has where it has one. The gauges are made at each
// scrape from one snapshot, so that the series of a check that leaves the
// configuration leave at once and a result costs no more than a lock.
type Metrics struct {
	location string
	duration *prometheus.HistogramVec

	mu     sync.Mutex
	checks map[string]*series // by full name
	pops   map[string]bool    // every POP that became a label, at most maxPOPs
}

// maxPOPs bounds the label values that answers can bring about. ESA has more
// nodes than that, but one location meets few of them.
const maxPOPs = 256

// series is what is kept of one check.
type series struct {
	site, check string
	hasOrigin   bool
	duration    prometheus.Observer

	last     Result // zero until the first run
	pop      string // of last, as a label
	lastRun  time.Time
	expiry   time.Time // of the certificate last seen; kept when none is seen
	outcomes [3]float64
	failures map[failureKey]float64
}

type failureKey struct {
	condition catalog.Condition
	fault     catalog.Fault
}

var outcomes = [3]Outcome{Pass, Degraded, Fail}

// NewMetrics registers the metrics of checks with reg. The location labels every series.
func NewMetrics(reg prometheus.Registerer, location string) *Metrics {
	m := &Metrics{
		location: location,
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "esawatch_check_duration_seconds",
			Help:                            "How long runs of the check took, through the edge.",
			Buckets:                         []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"site", "check", "location"}),
		checks: map[string]*series{},
		pops:   map[string]bool{},
	}
	reg.MustRegister(m.duration, m)
	return m
}

// SetChecks makes the configured checks known: their counters exist from now
// on, and the series of all others leave.
func (m *Metrics) SetChecks(list []*Check) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keep := make(map[string]bool, len(list))
	for _, c := range list {
		name := c.FullName()
		keep[name] = true
		s := m.checks[name]
		if s == nil {
			s = &series{site: c.Site, check: c.Name, failures: map[failureKey]float64{},
				duration: m.duration.WithLabelValues(c.Site, c.Name, m.location)}
			m.checks[name] = s
		}
		s.hasOrigin = c.Origin != nil
	}
	for name, s := range m.checks {
		if !keep[name] {
			m.duration.DeleteLabelValues(s.site, s.check, m.location)
			delete(m.checks, name)
		}
	}
}

// Observe counts one result. One of a check that is not configured any more is ignored.
func (m *Metrics) Observe(r Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.checks[FullName(r.Site, r.Check)]
	if s == nil {
		return
	}
	s.last = r
	s.lastRun = r.StartedAt
	s.pop = m.popLabel(r.Edge.POP)
	if r.TLS != nil && !r.TLS.NotAfter.IsZero() {
		s.expiry = r.TLS.NotAfter
	}
	s.outcomes[slices.Index(outcomes[:], r.Outcome)]++
	if d := r.Diagnosis; d != nil {
		s.failures[failureKey{d.Condition, d.Fault}]++
	}
	s.duration.Observe(r.DurationSeconds)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"site", "check", "location"}, labels...), nil)
}

var (
	descSuccess   = desc("probe_success", "1 when the last run passed or was degraded, 0 when it failed.")
	descDuration  = desc("probe_duration_seconds", "How long the last run took.")
	descStatus    = desc("probe_http_status_code", "Status code of the last answer, 0 with no answer.")
	descPhase     = desc("probe_http_duration_seconds", "How long each phase of the last run took, summed over redirects.", "phase")
	descVersion   = desc("probe_http_version", "HTTP version of the last answer, 0 with no answer.")
	descSSL       = desc("probe_http_ssl", "1 when the last answer came over TLS.")
	descRedirects = desc("probe_http_redirects", "Redirects followed by the last run.")
	descBody      = desc("probe_http_uncompressed_body_length", "Bytes of the last answer's body that were read, after decompression.")
	descExpiry    = desc("probe_ssl_earliest_cert_expiry", "Unix time at which the first certificate of the presented chain expires; stays when a later handshake fails.")
	descProtocol  = desc("probe_ip_protocol", "4 or 6: the IP protocol of the last run, 0 when nothing was dialled.")
	descLookup    = desc("probe_dns_lookup_time_seconds", "How long the last run took to resolve names.")

	descRuns     = desc("esawatch_check_runs_total", "Runs of the check by outcome.", "outcome")
	descFailures = desc("esawatch_check_failures_total", "Degraded and failed runs by condition and fault domain.", "condition", "fault")
	descLastRun  = desc("esawatch_check_last_run_timestamp_seconds", "Unix time at which the last run began, 0 before the first.")
	descEdge     = desc("esawatch_check_edge_info", "What the last answer said of the edge: 1, with the facts as labels.", "via_esa", "pop", "cache_status")
	descOrigin   = desc("esawatch_origin_success", "1 when the origin, asked directly, answered well in the last run.")
	descOriginIn = desc("esawatch_origin_duration_seconds", "How long the origin, asked directly, took in the last run.")
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSuccess, descDuration, descStatus, descPhase, descVersion,
		descSSL, descRedirects, descBody, descExpiry, descProtocol, descLookup, descRuns, descFailures,
		descLastRun, descEdge, descOrigin, descOriginIn} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The lock is held only to copy, never
// while the channel is written.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.snapshot() {
		s.collect(ch, m.location)
	}
}

func (m *Metrics) snapshot() []series {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]series, 0, len(m.checks))
	for _, s := range m.checks {
		c := *s
		c.failures = make(map[failureKey]float64, len(s.failures))
		for k, v := range s.failures {
			c.failures[k] = v
		}
		list = append(list, c)
	}
	return list
}

func (s *series) collect(ch chan<- prometheus.Metric, location string) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.site, s.check, location}, labels...)...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{s.site, s.check, location}, labels...)...)
	}
	for i, o := range outcomes {
		counter(descRuns, s.outcomes[i], string(o))
	}
	for k, v := range s.failures {
		counter(descFailures, v, string(k.condition), string(k.fault))
	}
	if s.lastRun.IsZero() {
		gauge(descLastRun, 0)
		return
	}
	r := &s.last
	gauge(descLastRun, float64(s.lastRun.UnixMilli())/1000)
	gauge(descSuccess, oneIf(r.Success))
	gauge(descDuration, r.DurationSeconds)
	gauge(descStatus, float64(r.StatusCode))
	gauge(descPhase, r.PhasesSeconds.Resolve, "resolve")
	gauge(descPhase, r.PhasesSeconds.Connect, "connect")
	gauge(descPhase, r.PhasesSeconds.TLS, "tls")
	gauge(descPhase, r.PhasesSeconds.Processing, "processing")
	gauge(descPhase, r.PhasesSeconds.Transfer, "transfer")
	gauge(descVersion, httpVersion(r.HTTPVersion))
	gauge(descSSL, oneIf(r.TLS != nil && r.StatusCode != 0))
	gauge(descRedirects, float64(r.Redirects))
	gauge(descBody, float64(r.BodyBytes))
	gauge(descProtocol, ipProtocol(r.RemoteAddress))
	gauge(descLookup, r.PhasesSeconds.Resolve)
	gauge(descEdge, 1, r.Edge.ViaESA, s.pop, cacheLabel(r.Edge.CacheStatus))
	if !s.expiry.IsZero() {
		gauge(descExpiry, float64(s.expiry.Unix()))
	}
	if s.hasOrigin && r.Origin != nil {
		gauge(descOrigin, oneIf(r.Origin.Success))
		gauge(descOriginIn, r.Origin.DurationSeconds)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func httpVersion(v string) float64 {
	switch v {
	case "1.0":
		return 1
	case "1.1":
		return 1.1
	case "2.0":
		return 2
	case "3.0":
		return 3
	}
	return 0
}

func ipProtocol(address string) float64 {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	if strings.Contains(host, ":") {
		return 6
	}
	return 4
}

// popLabel lets a server choose no label values: a POP is lower-case letters
// and digits, as in "de7"; anything else, and whatever comes after the first
// maxPOPs of them, is "other".
func (m *Metrics) popLabel(pop string) string {
	switch {
	case pop == "", m.pops[pop]:
		return pop
	case len(pop) > 12, len(m.pops) >= maxPOPs,
		strings.Trim(pop, "abcdefghijklmnopqrstuvwxyz0123456789") != "":
		return "other"
	}
	m.pops[pop] = true
	return pop
}

// cacheLabel bounds the cache status to the words that are known.
func cacheLabel(status string) string {
	switch status {
	case "", "HIT", "MISS", "EXPIRED", "BYPASS", "DYNAMIC", "STALE", "REVALIDATED":
		return status
	}
	return "other"
}
