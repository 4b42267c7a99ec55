package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
	"github.com/esawatch/esawatch/checks/edgetest"
)

// extraOfCluster are the metrics that only an agent of a cluster has.
var extraOfCluster = []string{
	"esawatch_check_locations{check,location,site,view} gauge",
	"esawatch_cluster_alone{} gauge",
	"esawatch_cluster_connected{} gauge",
	"esawatch_cluster_members{location} gauge",
}

// TestMetricsOfACluster compares what two agents that judge together have seen and
// told of an outage with the list of an agent by itself: nothing of that is missing,
// and what is more is what is known of the agents.
func TestMetricsOfACluster(t *testing.T) {
	t.Parallel()
	cluster := fmt.Sprintf("cluster: {urls: [%s], replicas: 1}\n", natstest.Start(t, 1).URLs())
	h := newHome(t, secureSite, botReceiver, cluster)
	h.edge = newEdge(t, edgetest.Options{TLS: true})
	other := newHome(t, secureSite, botReceiver, cluster)
	other.edge, other.slack = h.edge, h.slack
	other.write("50.yaml", "agent: {location: other}\n")
	var both []*daemon
	for _, place := range []*home{h, other} {
		place.write("ca.pem", string(h.edge.CAPEM()))
		both = append(both, place.start())
	}
	d := both[0]
	d.untilMetric("esawatch_cluster_connected", 1)
	d.untilMetric(`esawatch_cluster_members{location="other"}`, 1)
	d.untilMetric(`esawatch_check_locations{check="home",location="test",site="shop",view="voting"}`, 2)
	h.edge.Set(edgetest.Status(521))
	for _, agent := range both {
		agent.untilOpen("shop", "521")
	}
	d.untilTold(h, 1)
	d.untilMetric(`esawatch_check_locations{check="home",location="test",site="shop",view="failing"}`, 2)

	list, err := os.ReadFile(metricsList)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(append(withoutHelp(string(list)), extraOfCluster...)))
	for format, got := range map[string]string{
		"text":        listed(readFamilies(t, d.scrape(asText))),
		"OpenMetrics": listed(readFamilies(t, d.scrape(asOpenMetrics))),
		"protobuf":    listed(decodeFamilies(t, d.scrape(asProtobuf))),
	} {
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(withoutHelp(got)))); diff != "" {
			t.Errorf("as %s (-wanted +exported):\n%s", format, diff)
		}
	}

	body := d.metrics()
	if v, ok := valueOf(t, body, "esawatch_cluster_alone"); !ok || v != 0 {
		t.Errorf("alone is %v (there: %v), want 0", v, ok)
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !isForeign(p.Metric) {
			t.Errorf("promlint: %s: %s", p.Metric, p.Text)
		}
	}
}

// withoutHelp are the lines of a list of metrics that name one.
func withoutHelp(list string) []string {
	var names []string
	for line := range strings.Lines(list) {
		if !strings.HasPrefix(line, "\t") {
			names = append(names, strings.TrimSuffix(line, "\n"))
		}
	}
	return names
}
