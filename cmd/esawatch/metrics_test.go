package main

import (
	"flag"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/esawatch/esawatch/checks/edgetest"
)

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

// metricsList holds every metric of the program: a change of it is one for
// whoever has an alert or a graph.
const metricsList = "testdata/metrics.txt"

var writeList = flag.Bool("update", false, "write the golden files anew")

// TestListOfMetrics compares what a daemon that has seen everything exports
// with the list, in each format.
func TestListOfMetrics(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the metrics of processes are others on other systems")
	}
	h := newHome(t, secureSite, botReceiver)
	h.edge = newEdge(t, edgetest.Options{TLS: true})
	h.write("ca.pem", string(h.edge.CAPEM()))
	d := h.start()
	d.untilMetric(`probe_success{check="home",location="test",site="shop"}`, 1)
	h.edge.Set(edgetest.Status(521))
	d.untilOpen("shop", "521")
	d.untilTold(h, 1)

	inText := listed(readFamilies(t, d.scrape(asText)))
	if *writeList {
		if err := os.WriteFile(metricsList, []byte(inText), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(metricsList)
	if err != nil {
		t.Fatal(err)
	}
	for format, got := range map[string]string{
		"text":        inText,
		"OpenMetrics": listed(readFamilies(t, d.scrape(asOpenMetrics))),
		"protobuf":    listed(decodeFamilies(t, d.scrape(asProtobuf))),
	} {
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("as %s (-listed +exported):\n%s", format, diff)
		}
	}

	// Only these formats carry more than numbers and labels.
	if text := d.scrape(asOpenMetrics); !strings.Contains(text, `# {request_id="`) || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("OpenMetrics has no exemplar, or no end:\n%s", text)
	}
	for _, f := range decodeFamilies(t, d.scrape(asProtobuf)) {
		if f.kind == "histogram" && !f.native {
			t.Errorf("%s has no native histogram in protobuf", f.name)
		}
	}
}

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
	for series, want := range map[string]float64{
		`esawatch_check_runs_total{check="home",location="test",outcome="degraded",site="shop"}`: 0,
		`esawatch_notifications_total{outcome="failed",receiver="oncall"}`:                       0,
		`esawatch_check_state{check="home",location="test",site="shop",state="ok"}`:              1,
		`esawatch_incident_open{condition="",fault="",severity="",site="shop"}`:                  0,
	} {
		if got, ok := valueOf(t, body, series); !ok || got != want {
			t.Errorf("right after the start %s is %v (there: %v), want %v", series, got, ok, want)
		}
	}

	d.untilMetric(`probe_success{check="home",location="test",site="shop"}`, 1)
	h.edge.Set(edgetest.Status(521))
	d.untilOpen("shop", "521")
	d.untilTold(h, 1)
	d.untilMetric(queue, 0)

	body = d.metrics()
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
