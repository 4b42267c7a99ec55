package checks_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/exposition"
	"github.com/esawatch/esawatch/checks/probe"
)

// scrape is what Prometheus would read.
func scrape(t *testing.T, m *checks.Metrics) string {
	t.Helper()
	var text bytes.Buffer
	w := exposition.NewWriter(&text, exposition.Text)
	m.Write(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// labelOf is the value of a label in the only series of a metric.
func labelOf(t *testing.T, text, metric, label string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, metric+"{") {
			_, after, found := strings.Cut(line, label+`="`)
			if value, _, closed := strings.Cut(after, `"`); found && closed {
				return value
			}
		}
	}
	t.Fatalf("no %s with a label %s in\n%s", metric, label, text)
	return ""
}

func watched(t *testing.T) *checks.Metrics {
	t.Helper()
	m := checks.NewMetrics("fra-1")
	m.SetChecks([]*checks.Check{{Site: "shop", Name: "home"}})
	return m
}

func passed(edge probe.Edge) checks.Result {
	return checks.Result{Site: "shop", Check: "home", StartedAt: time.Unix(1_795_446_245, 0), Outcome: checks.Pass, Success: true, StatusCode: 200, Edge: edge}
}

// TestServersChooseNoLabels holds that what a server sends becomes a label only
// if it is one of few harmless words.
func TestServersChooseNoLabels(t *testing.T) {
	for _, test := range []struct{ label, sent, want string }{
		{"pop", "", ""},
		{"pop", "de7", "de7"},
		{"pop", "l2de7", "l2de7"},
		{"pop", "DE7", "other"},
		{"pop", "de-7", "other"},
		{"pop", "de7\n", "other"},
		{"pop", `de7"} 1`, "other"},
		{"pop", "\xff", "other"},
		{"pop", strings.Repeat("a", 13), "other"},
		{"cache_status", "", ""},
		{"cache_status", "HIT", "HIT"},
		{"cache_status", "STALE", "STALE"},
		{"cache_status", "hit", "other"},
		{"cache_status", "HIT\x1b[31m", "other"},
		{"cache_status", "\xff", "other"},
	} {
		t.Run(fmt.Sprintf("%s %q", test.label, test.sent), func(t *testing.T) {
			edge := probe.Edge{ViaESA: probe.ViaYes, POP: test.sent}
			if test.label == "cache_status" {
				edge = probe.Edge{ViaESA: probe.ViaYes, CacheStatus: test.sent}
			}
			m := watched(t)
			m.Observe(passed(edge))
			if got := labelOf(t, scrape(t, m), "esawatch_check_edge_info", test.label); got != test.want {
				t.Errorf("%s is %q, want %q", test.label, got, test.want)
			}
		})
	}
}

// TestPOPsAreBounded holds that a server that names a new node each time fills
// no memory, here or in Prometheus, and that nodes once met keep their names.
func TestPOPsAreBounded(t *testing.T) {
	const enough = 1000
	m := watched(t)
	met := map[string]bool{}
	for i := range enough {
		m.Observe(passed(probe.Edge{ViaESA: probe.ViaYes, POP: fmt.Sprintf("de%d", i)}))
		met[labelOf(t, scrape(t, m), "esawatch_check_edge_info", "pop")] = true
	}
	if len(met) > 300 || !met["other"] || !met["de0"] {
		t.Errorf("%d nodes became %d labels", enough, len(met))
	}
	m.Observe(passed(probe.Edge{ViaESA: probe.ViaYes, POP: "de0"}))
	if got := labelOf(t, scrape(t, m), "esawatch_check_edge_info", "pop"); got != "de0" {
		t.Errorf("the first node is called %q now", got)
	}
}

// TestNoAnswerSaysNothingOfTheEdge holds that a run without an answer is not
// counted as one that went past ESA.
func TestNoAnswerSaysNothingOfTheEdge(t *testing.T) {
	m := watched(t)
	const name = "esawatch_check_edge_info"
	failed := passed(probe.Edge{ViaESA: "no"})
	failed.StatusCode = 0
	m.Observe(failed)
	if text := scrape(t, m); strings.Contains(text, name+"{") {
		t.Errorf("there is %s before the first answer:\n%s", name, text)
	}
	m.Observe(passed(probe.Edge{ViaESA: probe.ViaYes}))
	if got := labelOf(t, scrape(t, m), name, "via_esa"); got != probe.ViaYes {
		t.Errorf("via_esa is %q, want %q", got, probe.ViaYes)
	}
	m.Observe(failed)
	if text := scrape(t, m); strings.Contains(text, name+"{") {
		t.Errorf("there is %s after a run without an answer:\n%s", name, text)
	}
}

// TestExpiryStays holds that the expiry of a certificate stays while no
// handshake shows one, so that an alert on it does not end by an outage.
func TestExpiryStays(t *testing.T) {
	m := watched(t)
	expiry := func(want string) {
		t.Helper()
		got := ""
		for line := range strings.Lines(scrape(t, m)) {
			if strings.HasPrefix(line, "probe_ssl_earliest_cert_expiry{") {
				_, got, _ = strings.Cut(strings.TrimSpace(line), "} ")
			}
		}
		if got != want {
			t.Errorf("probe_ssl_earliest_cert_expiry is %q, want %q", got, want)
		}
	}
	broken := passed(probe.Edge{})
	broken.Outcome, broken.Success = checks.Fail, false
	broken.Diagnosis = &catalog.Diagnosis{Condition: catalog.ConnectRefused, Fault: catalog.FaultNetwork}
	m.Observe(broken)
	expiry("")
	secured := passed(probe.Edge{})
	secured.TLS = &checks.TLS{NotAfter: time.Unix(1_800_000_000, 0)}
	m.Observe(secured)
	expiry("1800000000")
	m.Observe(broken)
	expiry("1800000000")
	secured.TLS = &checks.TLS{NotAfter: time.Unix(1_900_000_000, 0)}
	m.Observe(secured)
	expiry("1900000000")
}

// TestMetricsAtTheSameTime has runs end, the configuration change and
// Prometheus ask all at once, for the race detector.
func TestMetricsAtTheSameTime(t *testing.T) {
	m := watched(t)
	const rounds = 200
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range rounds {
			r := passed(probe.Edge{ViaESA: probe.ViaYes, POP: fmt.Sprintf("de%d", i)})
			m.Observe(r)
		}
	})
	wg.Go(func() {
		for i := range rounds {
			list := []*checks.Check{{Site: "shop", Name: "home"}, {Site: "shop", Name: fmt.Sprint("c", i%3)}}
			m.SetChecks(list)
		}
	})
	for range 2 {
		wg.Go(func() {
			for range rounds {
				var text bytes.Buffer
				w := exposition.NewWriter(&text, exposition.OpenMetrics)
				m.Write(w)
				if err := w.Flush(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if text := scrape(t, m); !strings.Contains(text, fmt.Sprintf(`esawatch_check_runs_total{site="shop",check="home",location="fra-1",outcome="pass"} %d`, rounds)) {
		t.Errorf("runs were lost:\n%s", text)
	}
}
