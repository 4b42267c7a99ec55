package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/exposition"
	"github.com/esawatch/esawatch/checks/probe"
)

// How Prometheus asks, by what it is set up for.
const (
	asText        = "text/plain;version=0.0.4"
	asOpenMetrics = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	asProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8"
)

var testFamily = exposition.Family{Name: "esawatch_test_checks", Help: "A test's.", Kind: exposition.Gauge}

// writeOne writes one series as the checks do theirs.
func writeOne(w *exposition.Writer) {
	w.Family(&testFamily, func() { w.Sample(w.Base("site", "shop"), 42) })
}

// gathered are two metrics of a registry.
func gathered() prometheus.Gatherer {
	reg := prometheus.NewRegistry()
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "esawatch_test_online", Help: "A test's."})
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "esawatch_test_runs_total", Help: "A test's."})
	reg.MustRegister(gauge, counter)
	return reg
}

func scrape(t testing.TB, s *Server, accept, encoding string) answer {
	t.Helper()
	return do(t, request(t, "GET", s.Addr(), "/metrics", func(r *http.Request) {
		r.Header.Set("Accept", accept)
		r.Header.Set("Accept-Encoding", encoding)
	}))
}

// TestMetricsInEachFormat asks as Prometheus asks, and reads as it reads.
func TestMetricsInEachFormat(t *testing.T) {
	opts := options()
	opts.Metrics, opts.Gatherer = []func(*exposition.Writer){writeOne}, gathered()
	s, _ := start(t, opts)
	for _, tt := range []struct {
		accept, contentType string
		ends                string
	}{
		{"", "text/plain; version=0.0.4; charset=utf-8", "esawatch_test_runs_total 0\n"},
		{"*/*", "text/plain; version=0.0.4; charset=utf-8", "esawatch_test_runs_total 0\n"},
		{"application/json", "text/plain; version=0.0.4; charset=utf-8", "esawatch_test_runs_total 0\n"},
		{asText, "text/plain; version=0.0.4; charset=utf-8", "esawatch_test_runs_total 0\n"},
		{asOpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8", "esawatch_test_runs_total 0.0\n# EOF\n"},
		{asProtobuf, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", ""},
	} {
		for _, encoding := range []string{"", "gzip", "gzip;q=0", "br, gzip;q=0.5"} {
			got := scrape(t, s, tt.accept, encoding)
			name := fmt.Sprintf("Accept %q, Accept-Encoding %q", tt.accept, encoding)
			if got.StatusCode != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), tt.contentType) {
				t.Errorf("%s: got %d, %s", name, got.StatusCode, got.Header.Get("Content-Type"))
			}
			zipped := encoding == "gzip" || strings.HasPrefix(encoding, "br")
			if (got.Header.Get("Content-Encoding") == "gzip") != zipped {
				t.Errorf("%s: Content-Encoding %q", name, got.Header.Get("Content-Encoding"))
			}
			body := got.body
			if zipped {
				body = unzip(t, body)
			}
			if !strings.HasSuffix(body, tt.ends) {
				t.Errorf("%s: the end is not %q:\n%s", name, tt.ends, body)
			}
			if tt.accept == asOpenMetrics {
				continue // nothing here parses it; the whole program's tests do
			}
			families := parse(t, http.Header{"Content-Type": {got.Header.Get("Content-Type")}}, body)
			if len(families) != 3 || families["esawatch_test_checks"].GetMetric()[0].GetGauge().GetValue() != 42 {
				t.Errorf("%s: got %v", name, families)
			}
		}
	}
}

// TestMetricsOfSomeNames holds that those of other names are left out in each
// format, whoever writes them.
func TestMetricsOfSomeNames(t *testing.T) {
	opts := options()
	opts.Metrics, opts.Gatherer = []func(*exposition.Writer){writeOne}, gathered()
	s, _ := start(t, opts)
	for query, want := range map[string][]string{
		"?name[]=esawatch_test_checks":                                     {"esawatch_test_checks"},
		"?name[]=esawatch_test_online":                                     {"esawatch_test_online"},
		"?name%5B%5D=esawatch_test_checks&name%5B%5D=esawatch_test_online": {"esawatch_test_checks", "esawatch_test_online"},
		"?name[]=esawatch_test_runs_total&name[]=none":                     {"esawatch_test_runs_total"},
		"?name[]=esawatch_test_run":                                        {},
		"?name[]=":                                                         {},
		"?name=esawatch_test_checks":                                       {"esawatch_test_checks", "esawatch_test_online", "esawatch_test_runs_total"},
	} {
		for _, accept := range []string{asText, asProtobuf} {
			got := do(t, request(t, "GET", s.Addr(), "/metrics"+query, func(r *http.Request) { r.Header.Set("Accept", accept) }))
			families := parse(t, http.Header{"Content-Type": {got.Header.Get("Content-Type")}}, got.body)
			if names := slices.Sorted(maps.Keys(families)); !slices.Equal(names, want) || got.StatusCode != 200 {
				t.Errorf("%s as %s: got %d, %v, want %v", query, accept, got.StatusCode, names, want)
			}
		}
		if got := do(t, request(t, "GET", s.Addr(), "/metrics"+query, func(r *http.Request) { r.Header.Set("Accept", asOpenMetrics) })); !strings.HasSuffix(got.body, "# EOF\n") {
			t.Errorf("%s as OpenMetrics ends with %q", query, got.body)
		}
	}
}

func unzip(t testing.TB, body string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// parse reads a body by Prometheus's library.
func parse(t testing.TB, h http.Header, body string) map[string]*dto.MetricFamily {
	t.Helper()
	families := map[string]*dto.MetricFamily{}
	dec := expfmt.NewDecoder(strings.NewReader(body), expfmt.ResponseFormat(h))
	for {
		f := &dto.MetricFamily{}
		if err := dec.Decode(f); errors.Is(err, io.EOF) {
			return families
		} else if err != nil {
			t.Fatal(err)
		}
		families[f.GetName()] = f
	}
}

// TestMetricsOfABrokenCollector holds that one metric that cannot be had takes
// no other with it.
func TestMetricsOfABrokenCollector(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "esawatch_test_good", Help: "A test's."}))
	reg.MustRegister(broken{prometheus.NewDesc("esawatch_test_broken", "A test's.", nil, nil)})
	opts := options()
	var log strings.Builder
	opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	opts.Metrics, opts.Gatherer = []func(*exposition.Writer){writeOne}, reg
	s, stop := start(t, opts)
	got := scrape(t, s, asText, "")
	stop()
	if got.StatusCode != 200 || !strings.Contains(got.body, "esawatch_test_good 0\n") || !strings.Contains(got.body, "esawatch_test_checks{") {
		t.Errorf("got %d:\n%s", got.StatusCode, got.body)
	}
	if strings.Contains(got.body, "goroutine") || !strings.Contains(log.String(), "cannot be had") {
		t.Errorf("the log says\n%s\nand the page\n%s", log.String(), got.body)
	}
}

type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(ch chan<- *prometheus.Desc) { ch <- b.desc }
func (b broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(b.desc, errors.New("cannot be had"))
}

// TestMetricsForManyAtOnce holds that those who ask while four are being
// answered are sent away, and that the next one after them is answered again.
func TestMetricsForManyAtOnce(t *testing.T) {
	opts := options()
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	let := func() { once.Do(func() { close(release) }) }
	opts.Metrics = []func(*exposition.Writer){func(*exposition.Writer) {
		select {
		case entered <- struct{}{}:
		case <-release:
		}
		<-release
	}}
	s, _ := start(t, opts)
	t.Cleanup(let)
	var wg sync.WaitGroup
	for range maxScrapes {
		wg.Go(func() {
			if got := scrape(t, s, asText, ""); got.StatusCode != 200 {
				t.Errorf("one of four: got %d", got.StatusCode)
			}
		})
	}
	for range maxScrapes {
		<-entered
	}
	if got := scrape(t, s, asText, ""); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the fifth: got %d", got.StatusCode)
	}
	let()
	wg.Wait()
	if got := scrape(t, s, asText, ""); got.StatusCode != 200 {
		t.Errorf("after them: got %d", got.StatusCode)
	}
}

// TestMetricsCutOffHalfWay holds that an answer that could not be written in
// full does not look like one that was.
func TestMetricsCutOffHalfWay(t *testing.T) {
	opts := options()
	opts.Metrics = []func(*exposition.Writer){writeOne}
	s := listen(t, opts)
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("got %v, want the connection cut", p)
		}
	}()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Host = "localhost"
	s.handler().ServeHTTP(deaf{httptest.NewRecorder()}, r)
	t.Error("it was answered as if all was well")
}

// deaf is a client that has gone.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, net.ErrClosed }

// TestMetricsForASlowClient holds that one who asks and does not read is let go,
// and with him his place among the four.
func TestMetricsForASlowClient(t *testing.T) {
	opts := options()
	ended := make(chan time.Time, 1)
	opts.Metrics = []func(*exposition.Writer){func(w *exposition.Writer) {
		base := w.Base("site", strings.Repeat("x", 1000))
		w.Family(&testFamily, func() {
			for range 100_000 { // more than any socket takes in
				w.Sample(base, 1)
			}
		})
		ended <- time.Now()
	}}
	server := httptest.NewServer(listen(t, opts).metrics(200 * time.Millisecond))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if took := (<-ended).Sub(began); took > 10*time.Second {
		t.Errorf("it was let go after %v", took)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("what was cut off after %d bytes looks whole", n)
	}
}

// BenchmarkMetrics answers a scrape of an agent at work: everything that has
// series a check, for checks with an origin each.
func BenchmarkMetrics(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		var list []*checks.Check
		policies := map[string]incident.Policy{}
		for i := range n {
			c := &checks.Check{Site: fmt.Sprintf("site-%d", i/10), Name: fmt.Sprintf("page-%d", i), Origin: &checks.OriginLeg{}}
			list, policies[c.FullName()] = append(list, c), incident.Policy{}
		}
		m := checks.NewMetrics("fra-1")
		m.SetChecks(list)
		random := rand.New(rand.NewPCG(1, 2))
		microseconds := func(most int) float64 { return float64(random.IntN(most)) / 1e6 }
		for _, c := range list {
			r := result(noon.Add(time.Duration(random.IntN(10_000))*time.Millisecond), "")
			r.Site, r.Check, r.DurationSeconds, r.RemoteAddress = c.Site, c.Name, microseconds(300_000), "203.0.113.7:443"
			r.PhasesSeconds = checks.Phases{Resolve: microseconds(5000), Connect: microseconds(20_000), TLS: microseconds(40_000),
				Processing: microseconds(200_000), Transfer: microseconds(1000)}
			r.Origin = &checks.Origin{Success: true, StatusCode: 200, DurationSeconds: microseconds(100_000)}
			r.TLS = &checks.TLS{NotAfter: noon.AddDate(0, 1, 0)}
			r.Edge = probe.Edge{ViaESA: "yes", POP: "de7", CacheStatus: "HIT", RequestID: fmt.Sprintf("a3b54e98175885327%09d", random.IntN(1e9))}
			m.Observe(r)
		}
		opts := options()
		if err := opts.Incidents.(*incident.Keeper).Load(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := opts.Incidents.(*incident.Keeper).SetPolicies(b.Context(), policies, incident.Timings{}); err != nil {
			b.Fatal(err)
		}
		opts.Metrics = []func(*exposition.Writer){m.Write, opts.Incidents.(*incident.Keeper).WriteMetrics}
		h := listen(b, opts).handler()
		for _, how := range []struct{ name, accept, encoding string }{
			{"text", asText, ""}, {"text+gzip", asText, "gzip"},
			{"openmetrics", asOpenMetrics, ""}, {"openmetrics+gzip", asOpenMetrics, "gzip"},
			{"protobuf", asProtobuf, ""}, {"protobuf+gzip", asProtobuf, "gzip"},
		} {
			b.Run(fmt.Sprintf("checks=%d/%s", n, how.name), func(b *testing.B) {
				r := httptest.NewRequest("GET", "/metrics", nil)
				r.Host = "localhost"
				r.Header.Set("Accept", how.accept)
				r.Header.Set("Accept-Encoding", how.encoding)
				b.ReportAllocs()
				var w counted
				for b.Loop() {
					w = counted{header: http.Header{}}
					h.ServeHTTP(&w, r)
				}
				b.ReportMetric(float64(w.bytes), "B/scrape")
				b.ReportMetric(float64(w.bytes)/float64(n), "B/check")
			})
		}
		server := httptest.NewServer(h)
		b.Cleanup(server.Close)
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(fmt.Sprintf("checks=%d/text/over a connection/%s", n, encoding), func(b *testing.B) {
				client := &http.Client{Transport: &http.Transport{ReadBufferSize: 64 << 10}}
				defer client.CloseIdleConnections()
				for b.Loop() {
					r, err := http.NewRequest("GET", server.URL+"/metrics", nil)
					if err != nil {
						b.Fatal(err)
					}
					r.Header.Set("Accept-Encoding", encoding)
					resp, err := client.Do(r)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
						b.Fatal(resp.Status, err)
					}
					_ = resp.Body.Close() // it was read to its end
				}
			})
		}
	}
}

// counted is a client that counts.
type counted struct {
	header http.Header
	bytes  int
}

func (c *counted) Header() http.Header         { return c.header }
func (c *counted) WriteHeader(int)             {}
func (c *counted) Write(p []byte) (int, error) { c.bytes += len(p); return len(p), nil }
