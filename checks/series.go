package checks

import (
	"math"
	"net"
	"slices"
	"strings"
	"unique"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/exposition"
)

// series is what is kept of one check: of its newest result only the numbers
// that are shown, since ten thousand whole results are ten megabytes. Fields
// are as small as they can be.
type series struct {
	check    *Check
	lastRun  int64 // ms since 1970, of the newest result
	expiry   int64 // s since 1970, of the certificate last seen; kept when none is seen; 0 before
	trusted  int64 // the same: until when it is trusted
	failures []failureCount
	duration histogram
	exemplar exemplar
	edge     unique.Handle[edgeLabels] // of the newest result
	outcomes [len(outcomes)]uint32
	newest   newest
}

// newest is what is shown of the newest result.
type newest struct {
	took, originTook Micros
	phases           [len(PhaseNames)]Micros
	body             uint32
	status           uint16
	redirects        uint16
	version          httpVersion
	protocol         uint8 // 4 or 6
	success, ssl     bool
	hasOrigin        bool
	originSuccess    bool
	ran              bool // there is one
}

// edgeLabels are what an answer said of the edge.
type edgeLabels struct{ viaESA, pop, cache string }

// failureCount counts the runs that had a condition.
type failureCount struct {
	condition catalog.Condition
	fault     catalog.Fault
	count     float64
}

var outcomes = [...]Outcome{Pass, Degraded, Fail}

// observe takes in a result; pop is its POP as a label.
func (s *series) observe(r *Result, pop string) {
	s.lastRun = r.StartedAt.UnixMilli()
	if r.TLS != nil && !r.TLS.NotAfter.IsZero() {
		s.expiry, s.trusted = r.TLS.NotAfter.Unix(), r.TLS.Ends().Unix()
	}
	s.outcomes[slices.Index(outcomes[:], r.Outcome)]++
	if d := r.Diagnosis; d != nil {
		s.fail(d.Condition, d.Fault)
	}
	s.duration.observe(r.DurationSeconds)
	s.exemplar.observe(r)
	if edge := (edgeLabels{r.Edge.ViaESA, pop, cacheLabel(r.Edge.CacheStatus)}); !s.newest.ran || s.edge.Value() != edge {
		s.edge = unique.Make(edge)
	}
	s.newest.observe(r)
}

func (n *newest) observe(r *Result) {
	*n = newest{
		took: MicrosOf(r.DurationSeconds), success: r.Success,
		phases: r.PhasesSeconds.Micros(),
		body:   uint32(min(r.BodyBytes, math.MaxUint32)),
		status: uint16(r.StatusCode), redirects: uint16(min(r.Redirects, math.MaxUint16)),
		version: httpVersionOf(r.HTTPVersion), ssl: r.TLS != nil && r.StatusCode != 0, protocol: ipProtocol(r.RemoteAddress),
		hasOrigin: r.Origin != nil, ran: true,
	}
	if r.Origin != nil {
		n.originTook, n.originSuccess = MicrosOf(r.Origin.DurationSeconds), r.Origin.Success
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
	took Micros
	at   int64 // ms since 1970
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
	e.took, e.at = MicrosOf(r.DurationSeconds), r.StartedAt.UnixMilli()
}

// family is a metric with a series for each check, or some.
type family struct {
	exposition.Family
	each func(s *shown, w *exposition.Writer) // writes the series that a check has
}

// families are all metrics of checks.
var families = []family{
	{gauge("probe_success", "1 when the last run passed or was degraded, 0 when it failed."),
		ifRan(func(n *newest) float64 { return oneIf(n.success) })},
	{gauge("probe_duration_seconds", "How long the last run took."),
		ifRan(func(n *newest) float64 { return n.took.Seconds() })},
	{gauge("probe_http_status_code", "Status code of the last answer, 0 with no answer."),
		ifRan(func(n *newest) float64 { return float64(n.status) })},
	{gauge("probe_http_duration_seconds", "How long each phase of the last run took, summed over redirects.", "phase"),
		eachPhase},
	{gauge("probe_http_version", "HTTP version of the last answer, 0 with no answer."),
		ifRan(func(n *newest) float64 { return n.version.number() })},
	{gauge("probe_http_ssl", "1 when the last answer came over TLS."),
		ifRan(func(n *newest) float64 { return oneIf(n.ssl) })},
	{gauge("probe_http_redirects", "Redirects followed by the last run."),
		ifRan(func(n *newest) float64 { return float64(n.redirects) })},
	{gauge("probe_http_uncompressed_body_length", "Bytes of the last answer's body that were read, after decompression."),
		ifRan(func(n *newest) float64 { return float64(n.body) })},
	{gauge("probe_ssl_earliest_cert_expiry", "Unix time at which the first certificate of the presented chain expires; stays when a later handshake fails."),
		func(s *shown, w *exposition.Writer) {
			if s.expiry != 0 {
				w.Sample(s.base, float64(s.expiry))
			}
		}},
	{gauge("probe_ssl_last_chain_expiry_timestamp_seconds", "Unix time at which trust in the certificate ends, by the verified chain that lasts longest; stays when a later handshake fails."),
		func(s *shown, w *exposition.Writer) {
			if s.trusted != 0 {
				w.Sample(s.base, float64(s.trusted))
			}
		}},
	{gauge("probe_ip_protocol", "4 or 6: the IP protocol of the last run, 0 when nothing was dialled."),
		ifRan(func(n *newest) float64 { return float64(n.protocol) })},
	{gauge("probe_dns_lookup_time_seconds", "How long the last run took to resolve names."),
		ifRan(func(n *newest) float64 { return n.phases[0].Seconds() })},

	{counter("esawatch_check_runs_total", "Runs of the check by outcome.", "outcome"),
		func(s *shown, w *exposition.Writer) {
			for i, o := range outcomes {
				w.Sample(s.base, float64(s.outcomes[i]), string(o))
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
		func(s *shown, w *exposition.Writer) { w.Sample(s.base, float64(s.lastRun)/1000) }},
	{gauge("esawatch_check_edge_info", "What the answer of the last run said of the edge: 1, with the facts as labels; none with no answer.", "via_esa", "pop", "cache_status"),
		func(s *shown, w *exposition.Writer) {
			if s.newest.status != 0 {
				e := s.edge.Value()
				w.Sample(s.base, 1, e.viaESA, e.pop, e.cache)
			}
		}},
	{gauge("esawatch_origin_success", "1 when the origin, asked directly, answered well in the last run."),
		ifOrigin(func(n *newest) float64 { return oneIf(n.originSuccess) })},
	{gauge("esawatch_origin_duration_seconds", "How long the origin, asked directly, took in the last run."),
		ifOrigin(func(n *newest) float64 { return n.originTook.Seconds() })},
}

func gauge(name, help string, labels ...string) exposition.Family {
	return exposition.Family{Name: name, Help: help, Kind: exposition.Gauge, Labels: labels}
}

func counter(name, help string, labels ...string) exposition.Family {
	return exposition.Family{Name: name, Help: help, Kind: exposition.Counter, Labels: labels}
}

// ifRan is for a metric that begins with the first run.
func ifRan(value func(*newest) float64) func(*shown, *exposition.Writer) {
	return func(s *shown, w *exposition.Writer) {
		if s.newest.ran {
			w.Sample(s.base, value(&s.newest))
		}
	}
}

// ifOrigin is for a metric of the origin's own answer.
func ifOrigin(value func(*newest) float64) func(*shown, *exposition.Writer) {
	return func(s *shown, w *exposition.Writer) {
		if s.check.Origin != nil && s.newest.hasOrigin {
			w.Sample(s.base, value(&s.newest))
		}
	}
}

func eachPhase(s *shown, w *exposition.Writer) {
	if !s.newest.ran {
		return
	}
	for i, name := range PhaseNames {
		w.Sample(s.base, s.newest.phases[i].Seconds(), name)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// httpVersion is an HTTP version in one byte.
type httpVersion uint8

var httpVersions = [...]struct {
	text   string
	number float64
}{{"", 0}, {"1.0", 1}, {"1.1", 1.1}, {"2.0", 2}, {"3.0", 3}}

func httpVersionOf(text string) httpVersion {
	for i := range httpVersions {
		if httpVersions[i].text == text {
			return httpVersion(i)
		}
	}
	return 0
}

func (v httpVersion) number() float64 { return httpVersions[v].number }

func ipProtocol(address string) uint8 {
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
