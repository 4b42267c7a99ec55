package checks

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/exposition"
	"github.com/esawatch/esawatch/checks/probe"
)

// eagleID is a request id as ESA makes them.
const eagleID = "a3b54e9817588532784852695e"

// passing and failing are results of shop/home and shop/login.
func passing() Result {
	at := time.Date(2026, 11, 23, 15, 4, 5, 123e6, time.UTC)
	return Result{Site: "shop", Check: "home", StartedAt: at, Outcome: Pass, Success: true, StatusCode: 200, HTTPVersion: "2.0",
		RemoteAddress: "[2001:db8::1]:443", BodyBytes: 4096, Redirects: 1, DurationSeconds: 0.0421,
		PhasesSeconds: Phases{Resolve: 0.001, Connect: 0.01, TLS: 0.02, Processing: 0.0110, Transfer: 1e-6},
		TLS:           &TLS{NotAfter: at.AddDate(0, 1, 0)}, Edge: probe.Edge{ViaESA: "yes", POP: "de7", CacheStatus: "HIT", RequestID: eagleID}}
}

func failing() Result {
	r := passing()
	r.Check, r.Outcome, r.Success, r.StatusCode, r.DurationSeconds = "login", Fail, false, 522, 12.5
	r.Edge = probe.Edge{ViaESA: "yes", POP: `x"}`, CacheStatus: "\n", RequestID: "9"}
	r.Diagnosis = &catalog.Diagnosis{Condition: "522", Fault: "origin_link"}
	r.Origin = &Origin{Success: true, DurationSeconds: 0.034}
	return r
}

// observed are metrics with a check of each kind: passed, failed in two ways,
// with an origin, never run.
func observed() *Metrics {
	m := NewMetrics(`fra "1"\x`)
	m.SetChecks([]*Check{{Site: "shop", Name: "home"}, {Site: "shop", Name: "login", Origin: &OriginLeg{}}, {Site: "new", Name: "home"}})
	gone := failing()
	gone.StatusCode, gone.HTTPVersion, gone.RemoteAddress, gone.TLS, gone.DurationSeconds = 0, "", "", nil, 0
	gone.Diagnosis = &catalog.Diagnosis{Condition: "connect_refused", Fault: "network"}
	for _, r := range []Result{passing(), passing(), failing(), failing(), gone} {
		m.Observe(r)
	}
	m.Observe(Result{Site: "removed", Check: "home", Outcome: Pass})
	return m
}

// written is what m says in a format.
func written(t testing.TB, m *Metrics, format exposition.Format) string {
	t.Helper()
	var b strings.Builder
	w := exposition.NewWriter(&b, format)
	m.Write(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// decoded are the families of m as Prometheus gets them in protobuf, by name.
func decoded(t testing.TB, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	all := map[string]*dto.MetricFamily{}
	dec := expfmt.NewDecoder(strings.NewReader(written(t, m, exposition.Protobuf)), expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		f := &dto.MetricFamily{}
		if err := dec.Decode(f); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if all[f.GetName()] != nil {
			t.Errorf("%s is there twice", f.GetName())
		}
		all[f.GetName()] = f
	}
}

// TestMetricsAreNamedWell holds that metrics are as Prometheus would have them
// named and explained, that each family is there, and is there once.
func TestMetricsAreNamedWell(t *testing.T) {
	m := observed()
	all := decoded(t, m)
	for _, f := range families {
		if all[f.Name] == nil {
			t.Errorf("%s has no series", f.Name)
		}
		if strings.ContainsAny(f.Help, "\"\\\n") || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s: help %q is no plain sentence", f.Name, f.Help)
		}
	}
	if got := len(all["probe_success"].GetMetric()); got != 2 {
		t.Errorf("%d checks have a result, want 2", got)
	}
	problems, err := promlint.New(strings.NewReader(written(t, m, exposition.Text))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestSeriesOfACheck holds what a check costs Prometheus, which the README
// promises: without esawatch_check_state, which the incidents have.
func TestSeriesOfACheck(t *testing.T) {
	series := func(c *Check, results ...Result) int {
		m := NewMetrics("fra-1")
		m.SetChecks([]*Check{c})
		for _, r := range results {
			m.Observe(r)
		}
		n := 0
		for line := range strings.Lines(written(t, m, exposition.Text)) {
			if !strings.HasPrefix(line, "#") {
				n++
			}
		}
		return n
	}
	home, login := &Check{Site: "shop", Name: "home"}, &Check{Site: "shop", Name: "login", Origin: &OriginLeg{}}
	withOrigin := passing()
	withOrigin.Check, withOrigin.Origin = "login", &Origin{}
	for name, test := range map[string]struct{ got, want int }{
		"before its first run":     {series(home), 3 + 13 + 1},
		"passing":                  {series(home, passing()), 16 + 3 + 13 + 1 + 1},
		"with an origin":           {series(login, withOrigin), 16 + 3 + 13 + 1 + 1 + 2},
		"after it failed as well":  {series(login, withOrigin, failing()), 16 + 3 + 13 + 1 + 1 + 2 + 1},
		"after it failed the same": {series(login, failing(), failing()), 16 + 3 + 13 + 1 + 1 + 2 + 1},
	} {
		if test.got != test.want {
			t.Errorf("a check %s has %d series, want %d", name, test.got, test.want)
		}
	}
}

func TestSeriesOfRemovedChecksLeave(t *testing.T) {
	m := observed()
	m.SetChecks([]*Check{{Site: "shop", Name: "login", Origin: &OriginLeg{}}, {Site: "other", Name: "home"}})
	text := written(t, m, exposition.Text)
	for part, want := range map[string]bool{
		`check="home",location="fra \"1\"\\x",outcome="pass"} 0`:                                        true, // other/home
		`site="shop",check="home"`:                                                                      false,
		`esawatch_check_runs_total{site="shop",check="login",location="fra \"1\"\\x",outcome="fail"} 3`: true,
	} {
		if got := strings.Contains(text, part); got != want {
			t.Errorf("%s: there %v, want %v", part, got, want)
		}
	}
}

// TestExemplars holds that an exemplar is the newest run with a request id, and
// that what a server sends as one is an id or nothing.
func TestExemplars(t *testing.T) {
	const none = ""
	for id, want := range map[string]string{
		"":                                     none,
		eagleID:                                eagleID,
		"0.A-z":                                "0.A-z",
		strings.Repeat("a", 40):                strings.Repeat("a", 40),
		strings.Repeat("a", 41):                none,
		`x"} 1 1` + "\n# EOF":                  none,
		"a b":                                  none,
		"a,b":                                  none,
		"日本":                                   none,
		"\xff":                                 none,
		"<script>alert(1)</script>":            none,
		"Bearer:eyJhbGciOiJIUzI1NiJ9_password": none,
	} {
		m := NewMetrics("fra-1")
		m.SetChecks([]*Check{{Site: "shop", Name: "home"}})
		r := passing()
		r.Edge.RequestID = id
		m.Observe(r)
		var got string
		h := decoded(t, m)["esawatch_check_duration_seconds"].GetMetric()[0].GetHistogram()
		for _, e := range h.GetExemplars() {
			for _, l := range e.GetLabel() {
				got += l.GetValue()
			}
		}
		if got != want {
			t.Errorf("id %q: the exemplar is %q, want %q", id, got, want)
		}
		if n := strings.Count(written(t, m, exposition.OpenMetrics), " # {"); n != min(len(want), 1) {
			t.Errorf("id %q: %d exemplars in OpenMetrics", id, n)
		}
		if strings.Contains(written(t, m, exposition.Text), " # {") {
			t.Errorf("id %q: an exemplar in a format that has none", id)
		}
	}

	m := NewMetrics("fra-1")
	m.SetChecks([]*Check{{Site: "shop", Name: "home"}})
	r := passing()
	m.Observe(r)
	r.StartedAt, r.DurationSeconds, r.Edge.RequestID = r.StartedAt.Add(time.Minute), 3, "b"
	m.Observe(r)
	r.StartedAt, r.DurationSeconds, r.Edge.RequestID = r.StartedAt.Add(time.Minute), 0.3, ""
	m.Observe(r)
	text := written(t, m, exposition.OpenMetrics)
	want := `esawatch_check_duration_seconds_bucket{site="shop",check="home",location="fra-1",le="5.0"} 3 # {request_id="b"} 3 1795446305.123` + "\n"
	if !strings.Contains(text, want) || strings.Count(text, " # {") != 1 {
		t.Errorf("want the only exemplar at\n%s%s", want, text)
	}
}

// crowd are metrics of n checks that have run.
func crowd(n int) *Metrics {
	m := NewMetrics("fra-1")
	var list []*Check
	for i := range n {
		list = append(list, &Check{Site: fmt.Sprintf("site-%d", i/10), Name: fmt.Sprintf("page-%d", i)})
	}
	m.SetChecks(list)
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range list {
		r := passing()
		r.Site, r.Check, r.DurationSeconds = c.Site, c.Name, random.Float64()
		r.PhasesSeconds = Phases{random.Float64(), random.Float64(), random.Float64(), random.Float64(), random.Float64()}
		m.Observe(r)
	}
	return m
}

func BenchmarkWrite(b *testing.B) {
	m := crowd(10_000)
	for name, format := range map[string]exposition.Format{
		"text": exposition.Text, "openmetrics": exposition.OpenMetrics, "protobuf": exposition.Protobuf,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var n counting
				w := exposition.NewWriter(&n, format)
				m.Write(w)
				if err := w.Flush(); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(n))
			}
		})
	}
}

type counting int

func (n *counting) Write(p []byte) (int, error) { *n += counting(len(p)); return len(p), nil }

func BenchmarkObserve(b *testing.B) {
	m := NewMetrics("fra-1")
	m.SetChecks([]*Check{{Site: "shop", Name: "home"}})
	r := passing()
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(r)
	}
}

// TestSeriesIsSmall: there is one a check, and the allocator's next size is 320.
func TestSeriesIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(series{}); size > 288 {
		t.Errorf("a series takes %d bytes, want at most 288", size)
	}
}
