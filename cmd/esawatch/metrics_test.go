package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/esawatch/esawatch/checks/edgetest"
)

// promised are the metrics of the contract, with their types.
var promised = map[string]string{
	"probe_success":                       "gauge",
	"probe_duration_seconds":              "gauge",
	"probe_http_status_code":              "gauge",
	"probe_http_duration_seconds":         "gauge",
	"probe_http_version":                  "gauge",
	"probe_http_ssl":                      "gauge",
	"probe_http_redirects":                "gauge",
	"probe_http_uncompressed_body_length": "gauge",
	"probe_ssl_earliest_cert_expiry":      "gauge",
	"probe_ip_protocol":                   "gauge",
	"probe_dns_lookup_time_seconds":       "gauge",

	"esawatch_check_runs_total":                 "counter",
	"esawatch_check_failures_total":             "counter",
	"esawatch_check_duration_seconds":           "histogram",
	"esawatch_check_last_run_timestamp_seconds": "gauge",
	"esawatch_check_state":                      "gauge",
	"esawatch_check_edge_info":                  "gauge",
	"esawatch_origin_success":                   "gauge",
	"esawatch_origin_duration_seconds":          "gauge",

	"esawatch_incident_open":                                "gauge",
	"esawatch_catalog_info":                                 "gauge",
	"esawatch_notifications_total":                          "counter",
	"esawatch_notification_queue_length":                    "gauge",
	"esawatch_notification_latency_seconds":                 "histogram",
	"esawatch_schedule_delay_seconds":                       "histogram",
	"esawatch_schedule_missed_total":                        "counter",
	"esawatch_checks_running":                               "gauge",
	"esawatch_agent_online":                                 "gauge",
	"esawatch_config_last_reload_successful":                "gauge",
	"esawatch_config_last_reload_success_timestamp_seconds": "gauge",
	"esawatch_config_hash_info":                             "gauge",
	"esawatch_build_info":                                   "gauge",

	"go_goroutines":             "gauge",
	"process_cpu_seconds_total": "counter",
}

// isForeign tells the metrics that we did not name: what promlint says of them
// is for their authors.
func isForeign(name string) bool {
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_")
}

const secureSite = `
sites:
  - name: shop
    url: ${EDGE}
    origin: {address: "${ORIGIN}", scheme: http}
    checks:
      - {name: home, path: /, tls: {ca_file: ca.pem}}
`

// TestMetricsOfTheDaemon looks at /metrics of a daemon at work, with a site
// that was seen well and broken.
func TestMetricsOfTheDaemon(t *testing.T) {
	t.Parallel()
	h := newHome(t, secureSite, botReceiver)
	h.edge = newEdge(t, edgetest.Options{TLS: true})
	h.write("ca.pem", string(h.edge.CAPEM()))
	d := h.start()

	// From the start, before anything was checked, the series that rates and
	// alerts begin with are there.
	body := d.metrics()
	for _, series := range []string{
		`esawatch_check_runs_total{check="home",location="test",outcome="pass",site="shop"} `,
		`esawatch_notifications_total{outcome="failed",receiver="oncall"} 0`,
		`esawatch_check_state{check="home",location="test",site="shop",state="ok"} 1`,
		`esawatch_incident_open{condition="",fault="",severity="",site="shop"} 0`,
	} {
		if !strings.Contains(body, "\n"+series) {
			t.Errorf("right after the start there is no %s", series)
		}
	}

	d.untilMetric(`probe_success{check="home",location="test",site="shop"}`, 1)
	h.edge.Set(edgetest.Status(521))
	d.untilOpen("shop", "521")
	d.untilTold(h, 1)
	d.untilMetric(queue, 0)

	body = d.metrics()
	types := typesOf(body)
	for name, want := range promised {
		if types[name] != want {
			t.Errorf("%s is %q, want a %s", name, types[name], want)
		}
	}
	for name := range types {
		if promised[name] == "" && !isForeign(name) {
			t.Errorf("%s is there, and the list promised does not have it", name)
		}
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !isForeign(p.Metric) {
			t.Errorf("promlint: %s: %s", p.Metric, p.Text)
		}
	}
	for series, want := range map[string]float64{
		`probe_success{check="home",location="test",site="shop"}`:                                                        0,
		`probe_http_status_code{check="home",location="test",site="shop"}`:                                               521,
		`probe_http_ssl{check="home",location="test",site="shop"}`:                                                       1,
		`probe_ip_protocol{check="home",location="test",site="shop"}`:                                                    4,
		`esawatch_check_state{check="home",location="test",site="shop",state="firing"}`:                                  1,
		`esawatch_check_edge_info{cache_status="MISS",check="home",location="test",pop="de7",site="shop",via_esa="yes"}`: 1,
		`esawatch_origin_success{check="home",location="test",site="shop"}`:                                              1,
		`esawatch_notifications_total{outcome="sent",receiver="oncall"}`:                                                 1,
		`esawatch_notification_latency_seconds_count`:                                                                    1,
		reloadOK: 1,
	} {
		if got, ok := d.metric(series); !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", series, got, ok, want)
		}
	}
}

// TestMetricsFormats asks for the formats that Prometheus asks for.
func TestMetricsFormats(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, consoleReceiver)
	d := h.start()
	for accept, want := range map[string]string{
		"": "text/plain; version=0.0.4",
		"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3":                                                       "application/openmetrics-text; version=1.0.0",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
	} {
		status, header, body := d.page("GET", "/metrics", http.Header{"Accept": {accept}})
		if got := header.Get("Content-Type"); status != http.StatusOK || !strings.HasPrefix(got, want) {
			t.Errorf("Accept %q: status %d, %s, want %s", accept, status, got, want)
		}
		if ends := strings.HasSuffix(body, "# EOF\n"); ends != strings.Contains(want, "openmetrics") {
			t.Errorf("Accept %q: the body ends as OpenMetrics does: %v", accept, ends)
		}
	}
}

// TestHealthPages asks the pages that a supervisor asks.
func TestHealthPages(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, consoleReceiver)
	d := h.start()
	d.until("it is ready", func() bool { status, _, _ := d.page("GET", "/-/ready", nil); return status == http.StatusOK })
	for _, test := range []struct {
		method, path string
		header       http.Header
		status       int
		body         string
	}{
		{"GET", "/-/healthy", nil, 200, "healthy\n"},
		{"GET", "/-/ready", nil, 200, "ready\n"},
		{"HEAD", "/-/healthy", nil, 200, ""},
		{"GET", "/-/reload", nil, 405, ""},
		{"POST", "/-/reload", http.Header{"Origin": {"https://evil.example.com"}, "Sec-Fetch-Site": {"cross-site"}}, 403, "another site"},
		{"GET", "/nowhere", nil, 404, ""},
	} {
		status, _, body := d.page(test.method, test.path, test.header)
		if status != test.status || !strings.Contains(body, test.body) {
			t.Errorf("%s %s: %d %q, want %d %q", test.method, test.path, status, body, test.status, test.body)
		}
	}
}

// typesOf are the families of a /metrics page, each with its type.
func typesOf(body string) map[string]string {
	types := make(map[string]string)
	for line := range strings.Lines(body) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "#" && f[1] == "TYPE" {
			types[f[2]] = f[3]
		}
	}
	return types
}
