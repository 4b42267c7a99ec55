package schedule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The reasons for which a run that was due did not come about.
const (
	missedOverlap  = "overlap"  // the run before was still going
	missedOverload = "overload" // the run before was still waiting for its turn
	missedClock    = "clock"    // the machine was suspended, or its clock set
	missedPanic    = "panic"    // it broke off, so it has no result
	missedStarved  = "starved"  // it had no processor, so its result says nothing
)

// metrics counts what the scheduler does.
type metrics struct {
	delay      prometheus.Histogram
	missed     *prometheus.CounterVec
	running    prometheus.Gauge
	overloaded prometheus.Gauge
}

// newMetrics registers with reg unless that is nil. It panics when reg has the
// names already.
func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		delay: f.NewHistogram(prometheus.HistogramOpts{
			Name:                            "esawatch_schedule_delay_seconds",
			Help:                            "Time from when a check was due to when it was started.",
			Buckets:                         []float64{.0005, .001, .0015, .002, .0025, .003, .004, .005, .01, .025, .05, .1, .25, 1, 5, 15, 60},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}),
		missed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "esawatch_schedule_missed_total",
			Help: "Runs of checks that were due and did not come about, by reason.",
		}, []string{"reason"}),
		running: f.NewGauge(prometheus.GaugeOpts{
			Name: "esawatch_checks_running",
			Help: "Checks that are running now.",
		}),
		overloaded: f.NewGauge(prometheus.GaugeOpts{
			Name: "esawatch_schedule_overloaded",
			Help: "Whether checks start a second late or more: 1 while more are due than can be run.",
		}),
	}
	for _, reason := range []string{missedOverlap, missedOverload, missedClock, missedPanic, missedStarved} {
		m.missed.WithLabelValues(reason)
	}
	return m
}
