package outbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/esawatch/esawatch/agent/outbox"
)

// counts holds that the lines are among what a scrape shows.
func counts(t *testing.T, a *agent, lines string) {
	t.Helper()
	page := scrape(t, a.reg)
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); !strings.Contains(page, line+"\n") {
			t.Errorf("metrics have no line %s:\n%s", line, page)
		}
	}
}

func scrape(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&page, family); err != nil {
			t.Fatal(err)
		}
	}
	return page.String()
}

func TestMetricsLint(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	o := outbox.New(outbox.Options{Records: openKeeper(t, newDisk()), Registerer: reg})
	o.SetReceivers([]outbox.Receiver{receiver("oncall", &inbox{})}, outbox.Settings{})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("problems %v, error %v", problems, err)
	}
	want := `
# HELP esawatch_notification_queue_length Incidents whose present state a receiver has not been told yet.
# TYPE esawatch_notification_queue_length gauge
esawatch_notification_queue_length{receiver="oncall"} 0
# HELP esawatch_notifications_total Attempts to tell a receiver of an incident, by outcome.
# TYPE esawatch_notifications_total counter
esawatch_notifications_total{outcome="dropped",receiver="oncall"} 0
esawatch_notifications_total{outcome="failed",receiver="oncall"} 0
esawatch_notifications_total{outcome="sent",receiver="oncall"} 0
`
	err = testutil.GatherAndCompare(reg, strings.NewReader(want),
		"esawatch_notification_queue_length", "esawatch_notifications_total")
	if err != nil {
		t.Error(err)
	}
}

func TestLatency(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(errServer)
		a := start(t, newDisk(), receiver("oncall", in))
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(20 * time.Second)
		counts(t, a, `esawatch_notification_latency_seconds_count 0
			esawatch_notification_queue_length{receiver="oncall"} 1`)
		in.fail(nil)
		time.Sleep(40 * time.Second)
		counts(t, a, `esawatch_notification_latency_seconds_count 1
			esawatch_notification_latency_seconds_bucket{le="10"} 0
			esawatch_notification_latency_seconds_bucket{le="60"} 1
			esawatch_notification_queue_length{receiver="oncall"} 0`)
	})
}

func TestLatencyCountsFromWhenTheReceiverFits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := receiver("pager", &inbox{})
		r.Match.Severity = []string{"critical"}
		a := start(t, newDisk(), r)
		a.result(t, warning(failing("shop", "home", "522")))
		time.Sleep(10 * time.Minute)
		a.result(t, failing("shop", "home", "525"))
		settle()
		counts(t, a, `esawatch_notification_latency_seconds_bucket{le="0.1"} 1
			esawatch_notification_latency_seconds_count 1`)
	})
}
