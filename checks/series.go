package checks

import (
	"net"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/exposition"
)

// series is what is kept of one check: of its newest result only the numbers
// that are shown, since ten thousand whole results are ten megabytes.
type series struct {
	site, check string
	hasOrigin   bool

	ran      bool // whether there is a result yet
	lastRun  float64
	expiry   float64 // of the certificate last seen; kept when none is seen; 0 before
	outcomes [len(outcomes)]float64
	failures []failureCount
	duration histogram
	exemplar exemplar

	// Of the newest result.
	success, took, status, version, ssl, redirects, body, protocol float64
	phases                                                         Phases
	viaESA, pop, cache                                             string // as labels
	hasAnswer                                                      bool   // of the origin
	originSuccess, originTook                                      float64
}

// failureCount counts the runs that had a condition.
type failureCount struct {
	condition catalog.Condition
	fault     catalog.Fault
	count     float64
}

var outcomes = [...]Outcome{Pass, Degraded, Fail}

// observe takes in a result; pop is its POP as a label.
func (s *series) observe(r *Result, pop string) {
	s.ran = true
	s.lastRun = float64(r.StartedAt.UnixMilli()) / 1000
	if r.TLS != nil && !r.TLS.NotAfter.IsZero() {
		s.expiry = float64(r.TLS.NotAfter.Unix())
	}
	s.outcomes[slices.Index(outcomes[:], r.Outcome)]++
	if d := r.Diagnosis; d != nil {
		s.fail(d.Condition, d.Fault)
	}
	s.duration.observe(r.DurationSeconds)
	s.exemplar.observe(r)

	s.success, s.took, s.status = oneIf(r.Success), r.DurationSeconds, float64(r.StatusCode)
	s.version, s.ssl = httpVersion(r.HTTPVersion), oneIf(r.TLS != nil && r.StatusCode != 0)
	s.redirects, s.body, s.protocol = float64(r.Redirects), float64(r.BodyBytes), ipProtocol(r.RemoteAddress)
	s.phases = r.PhasesSeconds
	s.viaESA, s.pop, s.cache = r.Edge.ViaESA, pop, cacheLabel(r.Edge.CacheStatus)
	if s.hasAnswer = r.Origin != nil; s.hasAnswer {
		s.originSuccess, s.originTook = oneIf(r.Origin.Success), r.Origin.DurationSeconds
	}
}

func (s *series) fail(condition catalog.Condition, fault catalog.Fault) {
	for i := range s.failures {
		if f := &s.failures[i]; f.condition == condition && f.fault == fault {
			f.count++
			return
		}
	}
	s.failures = append(s.failures, failureCount{condition, fault, 1})
}

// exemplar is the newest run that the edge gave an id, so that whoever looks at
// a slow one in a graph can ask Alibaba about it. The id is kept in place: there
// is one a check and run, and none is worth an allocation.
type exemplar struct {
	id   [maxRequestID]byte
	size uint8
	took float64
	at   int64 // milliseconds since 1970
}

// maxRequestID bounds a request id, in bytes. Those of ESA have 26, a UUID 36;
// OpenMetrics allows 128 characters with the label's name.
const maxRequestID = 40

// observe takes the id of a result, if it has one. A header is whatever a
// server makes of it: what is longer, or has other characters than ids are made
// of, is no id, and a part of it would lead nowhere.
func (e *exemplar) observe(r *Result) {
	id := r.Edge.RequestID
	if id == "" || len(id) > maxRequestID {
		return
	}
	for _, c := range []byte(id) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-') {
			return
		}
	}
	e.size = uint8(copy(e.id[:], id))
	e.took, e.at = r.DurationSeconds, r.StartedAt.UnixMilli()
}

// family is a metric with a series for each check, or some.
type family struct {
	exposition.Family
	each func(s *shown, w *exposition.Writer) // writes the series that a check has
}

// families are all metrics of checks.
var families = []family{
	{gauge("probe_success", "1 when the last run passed or was degraded, 0 when it failed."),
		ifRan(func(s *series) float64 { return s.success })},
	{gauge("probe_duration_seconds", "How long the last run took."),
		ifRan(func(s *series) float64 { return s.took })},
	{gauge("probe_http_status_code", "Status code of the last answer, 0 with no answer."),
		ifRan(func(s *series) float64 { return s.status })},
	{gauge("probe_http_duration_seconds", "How long each phase of the last run took, summed over redirects.", "phase"),
		eachPhase},
	{gauge("probe_http_version", "HTTP version of the last answer, 0 with no answer."),
		ifRan(func(s *series) float64 { return s.version })},
	{gauge("probe_http_ssl", "1 when the last answer came over TLS."),
		ifRan(func(s *series) float64 { return s.ssl })},
	{gauge("probe_http_redirects", "Redirects followed by the last run."),
		ifRan(func(s *series) float64 { return s.redirects })},
	{gauge("probe_http_uncompressed_body_length", "Bytes of the last answer's body that were read, after decompression."),
		ifRan(func(s *series) float64 { return s.body })},
	{gauge("probe_ssl_earliest_cert_expiry", "Unix time at which the first certificate of the presented chain expires; stays when a later handshake fails."),
		func(s *shown, w *exposition.Writer) {
			if s.expiry != 0 {
				w.Sample(s.base, s.expiry)
			}
		}},
	{gauge("probe_ip_protocol", "4 or 6: the IP protocol of the last run, 0 when nothing was dialled."),
		ifRan(func(s *series) float64 { return s.protocol })},
	{gauge("probe_dns_lookup_time_seconds", "How long the last run took to resolve names."),
		ifRan(func(s *series) float64 { return s.phases.Resolve })},

	{counter("esawatch_check_runs_total", "Runs of the check by outcome.", "outcome"),
		func(s *shown, w *exposition.Writer) {
			for i, o := range outcomes {
				w.Sample(s.base, s.outcomes[i], string(o))
			}
		}},
	{counter("esawatch_check_failures_total", "Degraded and failed runs by condition and fault domain.", "condition", "fault"),
		func(s *shown, w *exposition.Writer) {
			for _, f := range s.failures {
				w.Sample(s.base, f.count, string(f.condition), string(f.fault))
			}
		}},
	{exposition.Family{Name: "esawatch_check_duration_seconds", Help: "How long runs of the check took, through the edge.",
		Kind: exposition.Histogram, Bounds: durationBounds[:], Exemplar: "request_id"},
		func(s *shown, w *exposition.Writer) { w.Histogram(s.base, s.distribution()) }},
	{gauge("esawatch_check_last_run_timestamp_seconds", "Unix time at which the last run began, 0 before the first."),
		func(s *shown, w *exposition.Writer) { w.Sample(s.base, s.lastRun) }},
	{gauge("esawatch_check_edge_info", "What the last answer said of the edge: 1, with the facts as labels.", "via_esa", "pop", "cache_status"),
		func(s *shown, w *exposition.Writer) {
			if s.ran {
				w.Sample(s.base, 1, s.viaESA, s.pop, s.cache)
			}
		}},
	{gauge("esawatch_origin_success", "1 when the origin, asked directly, answered well in the last run."),
		ifOrigin(func(s *series) float64 { return s.originSuccess })},
	{gauge("esawatch_origin_duration_seconds", "How long the origin, asked directly, took in the last run."),
		ifOrigin(func(s *series) float64 { return s.originTook })},
}

func gauge(name, help string, labels ...string) exposition.Family {
	return exposition.Family{Name: name, Help: help, Kind: exposition.Gauge, Labels: labels}
}

func counter(name, help string, labels ...string) exposition.Family {
	return exposition.Family{Name: name, Help: help, Kind: exposition.Counter, Labels: labels}
}

// ifRan is for a metric that begins with the first run.
func ifRan(value func(*series) float64) func(*shown, *exposition.Writer) {
	return func(s *shown, w *exposition.Writer) {
		if s.ran {
			w.Sample(s.base, value(&s.series))
		}
	}
}

// ifOrigin is for a metric of the origin's own answer.
func ifOrigin(value func(*series) float64) func(*shown, *exposition.Writer) {
	return func(s *shown, w *exposition.Writer) {
		if s.hasOrigin && s.hasAnswer {
			w.Sample(s.base, value(&s.series))
		}
	}
}

func eachPhase(s *shown, w *exposition.Writer) {
	if !s.ran {
		return
	}
	w.Sample(s.base, s.phases.Resolve, "resolve")
	w.Sample(s.base, s.phases.Connect, "connect")
	w.Sample(s.base, s.phases.TLS, "tls")
	w.Sample(s.base, s.phases.Processing, "processing")
	w.Sample(s.base, s.phases.Transfer, "transfer")
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

// cacheLabel bounds the cache status to the words that are known.
func cacheLabel(status string) string {
	switch status {
	case "", "HIT", "MISS", "EXPIRED", "BYPASS", "DYNAMIC", "STALE", "REVALIDATED":
		return status
	}
	return "other"
}
