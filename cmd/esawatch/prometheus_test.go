package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prometheus is a real one that scrapes a daemon each second.
type prometheus struct {
	t    *testing.T
	base string
}

// startPrometheus runs a Prometheus with some of its features. Where there is
// none in PATH the test ends, or fails when ESAWATCH_REQUIRE_SERVERS is set.
func startPrometheus(t *testing.T, target, features string) *prometheus {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("ESAWATCH_REQUIRE_SERVERS") != "" {
			t.Fatalf("ESAWATCH_REQUIRE_SERVERS is set: %v", err)
		}
		t.Skipf("this test runs a real Prometheus: %v", err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := "global: {scrape_interval: 2s}\nscrape_configs: [{job_name: esawatch, static_configs: [{targets: [" + strconv.Quote(target) + "]}]}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close() // Prometheus cannot tell which port it was given
	log := &stream{}
	cmd := exec.CommandContext(t.Context(), binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--enable-feature="+features)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to save
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", log)
		}
	})
	return &prometheus{t: t, base: "http://" + addr}
}

// ask asks its API, and tells whether there was an answer yet.
func (p *prometheus) ask(path, query string, data any) bool {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), "GET", p.base+path+"?"+query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false
	}
	var answer struct {
		Status string          `json:"status"`
		Data   json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Status != "success" {
		return false
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		p.t.Fatalf("%s: %v", body, err)
	}
	return true
}

// value is the result of a query that has one.
func (p *prometheus) value(query string) (float64, bool) {
	p.t.Helper()
	var data struct {
		Result []struct {
			Value [2]any `json:"value"`
		} `json:"result"`
	}
	if !p.ask("/api/v1/query", url.Values{"query": {query}}.Encode(), &data) || len(data.Result) != 1 {
		return 0, false
	}
	v, err := strconv.ParseFloat(fmt.Sprint(data.Result[0].Value[1]), 64)
	return v, err == nil
}

// exemplars are the labels of all exemplars of a metric.
func (p *prometheus) exemplars(metric string) (labels []map[string]string) {
	p.t.Helper()
	var data []struct {
		Exemplars []struct {
			Labels map[string]string `json:"labels"`
		} `json:"exemplars"`
	}
	now := time.Now()
	p.ask("/api/v1/query_exemplars", url.Values{"query": {metric}, "start": {fmt.Sprint(now.Unix() - 3600)}, "end": {fmt.Sprint(now.Unix() + 60)}}.Encode(), &data)
	for _, series := range data {
		for _, e := range series.Exemplars {
			labels = append(labels, e.Labels)
		}
	}
	return labels
}

// TestPrometheusTakesItAll has a real Prometheus scrape a daemon in both of the
// formats that carry exemplars, while a site sends what could break them.
func TestPrometheusTakesItAll(t *testing.T) {
	t.Parallel()
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "ESA")
		w.Header().Set("EagleId", `x"} 1 1 # {a="b"} 1`)
		w.Header().Set("X-Site-Cache-Status", `HIT"} 1`)
		w.Header().Set("Via", `ens-cache1.l2de7"} 1[0,0], ens-cache2.de7\[0,0]`)
	}))
	t.Cleanup(hostile.Close)
	h := newHome(t, homeSite+"  - {name: hostile, url: "+hostile.URL+"}\n", consoleReceiver)
	d := h.start()
	for _, test := range []struct{ features, metric string }{
		{"exemplar-storage", "esawatch_check_duration_seconds_bucket"},
		{"exemplar-storage,native-histograms", "esawatch_check_duration_seconds"},
	} {
		t.Run(test.features, func(t *testing.T) {
			t.Parallel()
			p := startPrometheus(t, d.addr, test.features)
			median := `histogram_quantile(0.5, sum by (site, le) (esawatch_check_duration_seconds_bucket{site="shop"}))`
			if strings.Contains(test.features, "native") {
				median = `histogram_quantile(0.5, esawatch_check_duration_seconds{site="shop"})`
			}
			waitFor(t, "Prometheus has what the daemon tells", func() bool {
				up, _ := p.value("up")
				checks, _ := p.value("count(probe_success)")
				took, ok := p.value(median)
				return up == 1 && checks == 2 && ok && took > 0 && len(p.exemplars(test.metric)) > 0
			})
			// One that took all the time that there is may be this machine's doing.
			if n, ok := p.value(`count_over_time((up == 0 and scrape_duration_seconds < 1.9)[1m:1s])`); ok {
				t.Errorf("a scrape failed, seen for %v s", n)
			}
			for _, labels := range p.exemplars(test.metric) {
				if len(labels) != 1 || len(labels["request_id"]) < 20 {
					t.Errorf("an exemplar has %v, want a request id and nothing else", labels)
				}
			}
			if ids := p.exemplars(test.metric + `{site="hostile"}`); len(ids) > 0 {
				t.Errorf("what is no id became one: %v", ids)
			}
		})
	}
}

// waitFor waits until something has come.
func waitFor(t *testing.T, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !come(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
