package checks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/esawatch/esawatch/checks/exposition"
)

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
			if diff := cmp.Diff(read(t, collected(t, theirs)), read(t, histogramOf(t, own))); diff != "" {
				t.Errorf("differs (-Prometheus's +own):\n%s", diff)
			}
		})
	}
}

// collected is what client_golang says of its own histogram.
func collected(t *testing.T, m prometheus.Metric) *dto.Histogram {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetHistogram()
}

// histogramOf is what Prometheus gets of a histogram of ours.
func histogramOf(t *testing.T, h *histogram) *dto.Histogram {
	t.Helper()
	m := NewMetrics("fra-1")
	m.SetChecks([]*Check{{Site: "shop", Name: "home"}})
	m.list[0].duration = *h
	return decoded(t, m)["esawatch_check_duration_seconds"].GetMetric()[0].GetHistogram()
}

// read is what a histogram says to those who read it: native buckets may come
// in more spans or fewer, with empty ones in between.
func read(t *testing.T, h *dto.Histogram) map[string]float64 {
	t.Helper()
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
		total += b.Count
		if i > 0 && h.native[i-1].Index >= b.Index {
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
		if !slices.ContainsFunc(h.native, func(b exposition.Bucket) bool { return b.Index == index }) {
			t.Errorf("%v is in no bucket of index %d", v, index)
		}
	}
}
