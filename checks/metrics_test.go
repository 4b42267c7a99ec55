package checks

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// observed are metrics with a check of each kind: passed, failed in two ways,
// with an origin, never run.
func observed(t *testing.T) (*Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg, `fra "1"\x`)
	at := time.Date(2026, 11, 23, 15, 4, 5, 123e6, time.UTC)
	m.SetChecks([]*Check{{Site: "shop", Name: "home"}, {Site: "shop", Name: "login", Origin: &probe.Probe{}}, {Site: "new", Name: "home"}})
	pass := Result{Site: "shop", Check: "home", StartedAt: at, Outcome: Pass, Success: true, StatusCode: 200, HTTPVersion: "2.0",
		RemoteAddress: "[2001:db8::1]:443", BodyBytes: 4096, Redirects: 1, DurationSeconds: 0.0421,
		PhasesSeconds: Phases{Resolve: 0.001, Connect: 0.01, TLS: 0.02, Processing: 0.0110, Transfer: 1e-6},
		TLS:           &TLS{NotAfter: at.AddDate(0, 1, 0)}, Edge: probe.Edge{ViaESA: "yes", POP: "de7", CacheStatus: "HIT"}}
	fail := pass
	fail.Check, fail.Outcome, fail.Success, fail.StatusCode, fail.DurationSeconds = "login", Fail, false, 522, 12.5
	fail.Edge = probe.Edge{ViaESA: "yes", POP: `x"}`, CacheStatus: "\n"}
	fail.Diagnosis = &catalog.Diagnosis{Condition: "522", Fault: "origin_link"}
	fail.Origin = &Origin{Success: true, DurationSeconds: 0.034}
	gone := fail
	gone.StatusCode, gone.HTTPVersion, gone.RemoteAddress, gone.TLS, gone.DurationSeconds = 0, "", "", nil, 0
	gone.Diagnosis = &catalog.Diagnosis{Condition: "connect_refused", Fault: "network"}
	for _, r := range []Result{pass, pass, fail, fail, gone} {
		m.Observe(r)
	}
	m.Observe(Result{Site: "removed", Check: "home", Outcome: Pass})
	return m, reg
}

// TestTextIsWhatTheCollectorSays holds the two ways to the same metrics together.
func TestTextIsWhatTheCollectorSays(t *testing.T) {
	m, reg := observed(t)
	gathered, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for name, format := range map[string]expfmt.Format{
		"text":        expfmt.NewFormat(expfmt.TypeTextPlain),
		"OpenMetrics": expfmt.NewFormat(expfmt.TypeOpenMetrics),
	} {
		t.Run(name, func(t *testing.T) {
			var want, got bytes.Buffer
			enc := expfmt.NewEncoder(&want, format)
			for _, f := range gathered {
				if err := enc.Encode(f); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.WriteText(&got, name == "OpenMetrics"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sorted(want.String()), sorted(got.String())); diff != "" {
				t.Errorf("WriteText differs from the collector (-collector +text):\n%s", diff)
			}
		})
	}
}

// sorted are the lines of a text, and the labels of each, in their order.
// Numbers are as they are read: 1e+06 is 1000000.
func sorted(text string) []string {
	label := regexp.MustCompile(`[a-z_]+="(?:[^"\\]|\\.)*"`)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		name, value, ok := strings.Cut(line, "} ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			labels := label.FindAllString(name, -1)
			slices.Sort(labels)
			lines[i] = fmt.Sprint(label.ReplaceAllString(name, ""), labels, v)
		}
	}
	slices.Sort(lines)
	return lines
}

// TestTextKeepsFamiliesTogether holds that the text can be read by those for
// whom it is meant, and that it is as Prometheus would have metrics named.
func TestTextKeepsFamiliesTogether(t *testing.T) {
	m, _ := observed(t)
	var text bytes.Buffer
	if err := m.WriteText(&text, false); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if got := families["probe_success"].GetMetric(); len(got) != 2 {
		t.Errorf("%d checks have a result, want 2: %v", len(got), got)
	}
	problems, err := promlint.New(&text).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestTextStopsAtAnError(t *testing.T) {
	m, _ := observed(t)
	full := errors.New("disk full")
	if err := m.WriteText(writerFunc(func([]byte) (int, error) { return 0, full }), false); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestSeriesOfRemovedChecksLeave(t *testing.T) {
	m, _ := observed(t)
	m.SetChecks([]*Check{{Site: "shop", Name: "login", Origin: &probe.Probe{}}, {Site: "other", Name: "home"}})
	var text bytes.Buffer
	if err := m.WriteText(&text, false); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]bool{
		`check="home",location="fra \"1\"\\x",outcome="pass"} 0`:                                        true, // other/home
		`site="shop",check="home"`:                                                                      false,
		`esawatch_check_runs_total{site="shop",check="login",location="fra \"1\"\\x",outcome="fail"} 3`: true,
	} {
		if got := strings.Contains(text.String(), part); got != want {
			t.Errorf("%s: there %v, want %v", part, got, want)
		}
	}
}

// TestHistogramIsPrometheusOwn compares with client_golang's histogram, which
// counts the same durations.
func TestHistogramIsPrometheusOwn(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, next := range map[string]func(i int) float64{
		"none":          nil,
		"zero":          func(int) float64 { return 0 },
		"steady":        func(int) float64 { return math.Abs(0.2 + 0.02*random.NormFloat64()) },
		"all bounds":    func(i int) float64 { return durationBounds[i%len(durationBounds)] },
		"powers of two": func(i int) float64 { return math.Exp2(float64(i%20 - 16)) },
		"at edges":      func(i int) float64 { return math.Exp2(float64(i%80)/8 - 8) },
		"apart":         func(int) float64 { return math.Exp2(float64(random.IntN(12)) - 6.3) },
		"rare":          func(i int) float64 { return []float64{0.001, 30, 0.2}[i%3] },
	} {
		t.Run(name, func(t *testing.T) {
			own := &histogram{}
			theirs := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x", Help: "x", Buckets: durationBounds[:],
				NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 1000})
			for i := range 300 {
				if next != nil {
					v := next(i)
					own.observe(v)
					theirs.Observe(v)
				}
			}
			if diff := cmp.Diff(read(t, theirs), read(t, durationMetric{h: own})); diff != "" {
				t.Errorf("differs (-Prometheus's +own):\n%s", diff)
			}
		})
	}
}

// read is what a histogram says to those who read it: native buckets may come
// in more spans or fewer, with empty ones in between.
func read(t *testing.T, m prometheus.Metric) map[string]float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	h := out.GetHistogram()
	said := map[string]float64{"count": float64(h.GetSampleCount()), "sum": h.GetSampleSum(), "schema": float64(h.GetSchema()),
		"zero": float64(h.GetZeroCount()), "zero threshold": h.GetZeroThreshold()}
	for _, b := range h.GetBucket() {
		said[fmt.Sprint("up to ", b.GetUpperBound())] = float64(b.GetCumulativeCount())
	}
	var index int32
	var count int64
	deltas := h.GetPositiveDelta()
	for _, span := range h.GetPositiveSpan() {
		index += span.GetOffset()
		for range span.GetLength() {
			if count += deltas[0]; count > 0 {
				said[fmt.Sprint("index ", index)] = float64(count)
			}
			deltas, index = deltas[1:], index+1
		}
	}
	if len(deltas) > 0 {
		t.Errorf("%d counts are in no span", len(deltas))
	}
	return said
}

// TestHistogramCoarsens holds that a check whose durations are all over the
// place takes no more memory than others, and loses none of them.
func TestHistogramCoarsens(t *testing.T) {
	h := &histogram{}
	const n = 10_000
	for i := range n {
		h.observe(math.Exp2(float64(i%400)/8 - 30))
	}
	if len(h.native) > maxNative || h.coarser < 2 {
		t.Errorf("%d buckets, coarser by %d", len(h.native), h.coarser)
	}
	var total uint32
	for i, b := range h.native {
		total += b.count
		if i > 0 && h.native[i-1].index >= b.index {
			t.Fatalf("buckets out of order: %v", h.native)
		}
	}
	if total != n || h.count != n {
		t.Errorf("%d and %d durations are counted, want %d", total, h.count, n)
	}
	// Each bucket holds what lies between its bounds.
	width := math.Exp2(float64(h.coarser)) / 8
	for i := range 400 {
		v := math.Exp2(float64(i)/8 - 30)
		index := int32(math.Ceil((float64(i)/8 - 30) / width))
		if !slices.ContainsFunc(h.native, func(b nativeBucket) bool { return b.index == index }) {
			t.Errorf("%v is in no bucket of index %d", v, index)
		}
	}
}

func BenchmarkWriteText(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry(), "fra-1")
	var list []*Check
	for i := range 10_000 {
		list = append(list, &Check{Site: fmt.Sprintf("site-%d", i/10), Name: fmt.Sprintf("page-%d", i)})
	}
	m.SetChecks(list)
	for _, c := range list {
		m.Observe(Result{Site: c.Site, Check: c.Name, StartedAt: time.Now(), Outcome: Pass, Success: true, StatusCode: 200,
			HTTPVersion: "2.0", RemoteAddress: "203.0.113.7:443", DurationSeconds: rand.Float64(),
			PhasesSeconds: Phases{rand.Float64(), rand.Float64(), rand.Float64(), rand.Float64(), rand.Float64()},
			TLS:           &TLS{NotAfter: time.Now()}, Edge: probe.Edge{ViaESA: "yes", POP: "de7", CacheStatus: "HIT"}})
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := m.WriteText(writerFunc(func(p []byte) (int, error) { n += len(p); return len(p), nil }), false); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(n))
	}
}

func BenchmarkObserve(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry(), "fra-1")
	m.SetChecks([]*Check{{Site: "shop", Name: "home"}})
	r := Result{Site: "shop", Check: "home", Outcome: Pass, DurationSeconds: 0.2, RemoteAddress: "203.0.113.7:443", Edge: probe.Edge{POP: "de7"}}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(r)
	}
}
