package outbox

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The outcomes of an attempt.
const (
	outcomeSent    = "sent"
	outcomeFailed  = "failed"  // and is tried again
	outcomeDropped = "dropped" // refused for good, or its receiver was removed
)

// metrics counts what the outbox does. A digest counts as one attempt, and so
// does telling a receiver that forgets what it was told before: an Alertmanager
// that is down shows as failed. The queue and the latency are of changes only.
type metrics struct {
	notifications *prometheus.CounterVec
	owed          *prometheus.GaugeVec
	latency       prometheus.Histogram

	mu    sync.Mutex
	queue map[string]map[*Outbox]int // by receiver: what is owed of each outbox' records
}

// setOwed notes how many incidents of an outbox a receiver is owed.
func (m *metrics) setOwed(o *Outbox, receiver string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue[receiver] == nil {
		m.queue[receiver] = make(map[*Outbox]int, 1)
	}
	m.queue[receiver][o] = n
	sum := 0
	for _, n := range m.queue[receiver] {
		sum += n
	}
	m.owed.WithLabelValues(receiver).Set(float64(sum))
}

// newMetrics registers with reg unless that is nil. It panics when reg has the
// names already.
func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		queue: make(map[string]map[*Outbox]int),
		notifications: f.NewCounterVec(prometheus.CounterOpts{
			Name: "esawatch_notifications_total",
			Help: "Attempts to tell a receiver of an incident, by outcome.",
		}, []string{"receiver", "outcome"}),
		owed: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "esawatch_notification_queue_length",
			Help: "Incidents whose present state a receiver has not been told yet.",
		}, []string{"receiver"}),
		latency: f.NewHistogram(prometheus.HistogramOpts{
			Name:                            "esawatch_notification_latency_seconds",
			Help:                            "Time from a change of state to its delivery, with the waits that the configuration asks for.",
			Buckets:                         []float64{.1, .5, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 1800, 14400},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}),
	}
}

// preset makes the series of a receiver, so that the first failure is a rise
// and not a new series.
func (m *metrics) preset(receiver string) {
	for _, outcome := range []string{outcomeSent, outcomeFailed, outcomeDropped} {
		m.notifications.WithLabelValues(receiver, outcome)
	}
	m.owed.WithLabelValues(receiver)
}

// remove takes the queue of a receiver that is gone out of the metrics. Its
// counters stay, or nobody could see what was dropped with it.
func (m *metrics) remove(receiver string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.queue, receiver)
	m.owed.DeleteLabelValues(receiver)
}
