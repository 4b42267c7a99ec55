package checks

import (
	"net"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
)

// series is what is kept of one check: of its newest result only the numbers
// that are shown, since ten thousand whole results are ten megabytes.
type series struct {
	site, check string
	labels      string // site, check and location as they are written
	hasOrigin   bool

	ran      bool // whether there is a result yet
	lastRun  float64
	expiry   float64 // of the certificate last seen; kept when none is seen; 0 before
	outcomes [len(outcomes)]float64
	failures []failureCount
	duration histogram

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

// family is a metric with a series for each check, or some. Both the collector
// and the text go by it.
type family struct {
	name, help string
	counter    bool // else a gauge
	labels     []string
	// each puts the series that a check has, with the values of labels.
	each func(s *series, put put)
}

// put takes the value of one series and those of its own labels, "" for those
// that it has not. They need no escaping.
type put func(v float64, a, b, c string)

// families are all but the histogram.
var families = []family{
	{name: "probe_success", help: "1 when the last run passed or was degraded, 0 when it failed.",
		each: ifRan(func(s *series) float64 { return s.success })},
	{name: "probe_duration_seconds", help: "How long the last run took.",
		each: ifRan(func(s *series) float64 { return s.took })},
	{name: "probe_http_status_code", help: "Status code of the last answer, 0 with no answer.",
		each: ifRan(func(s *series) float64 { return s.status })},
	{name: "probe_http_duration_seconds", help: "How long each phase of the last run took, summed over redirects.",
		labels: []string{"phase"}, each: eachPhase},
	{name: "probe_http_version", help: "HTTP version of the last answer, 0 with no answer.",
		each: ifRan(func(s *series) float64 { return s.version })},
	{name: "probe_http_ssl", help: "1 when the last answer came over TLS.",
		each: ifRan(func(s *series) float64 { return s.ssl })},
	{name: "probe_http_redirects", help: "Redirects followed by the last run.",
		each: ifRan(func(s *series) float64 { return s.redirects })},
	{name: "probe_http_uncompressed_body_length", help: "Bytes of the last answer's body that were read, after decompression.",
		each: ifRan(func(s *series) float64 { return s.body })},
	{name: "probe_ssl_earliest_cert_expiry", help: "Unix time at which the first certificate of the presented chain expires; stays when a later handshake fails.",
		each: func(s *series, put put) {
			if s.expiry != 0 {
				put(s.expiry, "", "", "")
			}
		}},
	{name: "probe_ip_protocol", help: "4 or 6: the IP protocol of the last run, 0 when nothing was dialled.",
		each: ifRan(func(s *series) float64 { return s.protocol })},
	{name: "probe_dns_lookup_time_seconds", help: "How long the last run took to resolve names.",
		each: ifRan(func(s *series) float64 { return s.phases.Resolve })},

	{name: "esawatch_check_runs_total", help: "Runs of the check by outcome.", counter: true,
		labels: []string{"outcome"}, each: func(s *series, put put) {
			for i, o := range outcomes {
				put(s.outcomes[i], string(o), "", "")
			}
		}},
	{name: "esawatch_check_failures_total", help: "Degraded and failed runs by condition and fault domain.", counter: true,
		labels: []string{"condition", "fault"}, each: func(s *series, put put) {
			for _, f := range s.failures {
				put(f.count, string(f.condition), string(f.fault), "")
			}
		}},
	{name: "esawatch_check_last_run_timestamp_seconds", help: "Unix time at which the last run began, 0 before the first.",
		each: func(s *series, put put) { put(s.lastRun, "", "", "") }},
	{name: "esawatch_check_edge_info", help: "What the last answer said of the edge: 1, with the facts as labels.",
		labels: []string{"via_esa", "pop", "cache_status"}, each: func(s *series, put put) {
			if s.ran {
				put(1, s.viaESA, s.pop, s.cache)
			}
		}},
	{name: "esawatch_origin_success", help: "1 when the origin, asked directly, answered well in the last run.",
		each: ifOrigin(func(s *series) float64 { return s.originSuccess })},
	{name: "esawatch_origin_duration_seconds", help: "How long the origin, asked directly, took in the last run.",
		each: ifOrigin(func(s *series) float64 { return s.originTook })},
}

// ifRan is for a metric that begins with the first run.
func ifRan(value func(*series) float64) func(*series, put) {
	return func(s *series, put put) {
		if s.ran {
			put(value(s), "", "", "")
		}
	}
}

// ifOrigin is for a metric of the origin's own answer.
func ifOrigin(value func(*series) float64) func(*series, put) {
	return func(s *series, put put) {
		if s.hasOrigin && s.hasAnswer {
			put(value(s), "", "", "")
		}
	}
}

func eachPhase(s *series, put put) {
	if !s.ran {
		return
	}
	put(s.phases.Resolve, "resolve", "", "")
	put(s.phases.Connect, "connect", "", "")
	put(s.phases.TLS, "tls", "", "")
	put(s.phases.Processing, "processing", "", "")
	put(s.phases.Transfer, "transfer", "", "")
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
