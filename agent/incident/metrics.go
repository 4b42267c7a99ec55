package incident

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/checks/catalog"
)

// metricStates are the values of the label state, of which exactly one is 1.
var metricStates = []State{OK, Pending, Firing, flapping, suppressed}

// The states that only metrics show: what a check is in stands above them in
// the record.
const (
	flapping   State = "flapping"
	suppressed State = "suppressed" // it fires, and a mute covers it
)

// shown is the state of a check as the metrics have it.
func (rec *Record) shown(check string) State {
	inc, _ := rec.open()
	switch a := inc.Alerts[check]; {
	case a.Firing && a.Hush == HushMuted:
		return suppressed
	case rec.Memory[check].Flapping:
		return flapping
	}
	return cmp.Or(rec.Checks[check].State, OK)
}

// Collector shows the keeper's snapshots as metrics. It holds no series of its
// own: those of a check begin and end with its policy.
type Collector struct {
	keeper *Keeper
	state  *prometheus.Desc
	open   *prometheus.Desc
}

// NewCollector returns the metrics of a keeper.
func NewCollector(k *Keeper) *Collector {
	return &Collector{
		keeper: k,
		state: prometheus.NewDesc("esawatch_check_state",
			"Whether the check is in the state: 1 for the one that it is in, 0 for the others.",
			[]string{"site", "check", "location", "state"}, nil),
		open: prometheus.NewDesc("esawatch_incident_open",
			"Whether the site has an open incident: 1 for each condition that fires in it, and a single 0 without condition when there is none.",
			[]string{"site", "condition", "fault", "severity"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.state
	descs <- c.open
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	for site, policies := range c.keeper.config.Load().policies {
		rec, _ := c.keeper.Record(site)
		for check := range policies {
			present := rec.shown(check)
			for _, state := range metricStates {
				value := 0.0
				if state == present {
					value = 1
				}
				metrics <- prometheus.MustNewConstMetric(c.state, prometheus.GaugeValue, value,
					site, check, c.keeper.opts.Location, string(state))
			}
		}
		firing := rec.firing()
		for _, f := range firing {
			metrics <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, 1,
				site, label(f.condition), label(f.fault), label(f.severity))
		}
		if len(firing) == 0 {
			metrics <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, 0, site, "", "", "")
		}
	}
}

// label is a value fit for a label, wherever it was read from.
func label[S ~string](s S) string { return strings.ToValidUTF8(string(s), "\uFFFD") }

// cause is what an alert fires for.
type cause struct {
	condition catalog.Condition
	fault     catalog.Fault
	severity  catalog.Severity
}

// firing returns the distinct causes of the open incident.
func (rec *Record) firing() []cause {
	inc, _ := rec.open()
	causes := make(map[cause]struct{})
	for _, a := range inc.Alerts {
		if !a.Firing {
			continue
		}
		f := cause{condition: a.Result.Condition(), severity: a.Severity}
		if a.Result.Diagnosis != nil {
			f.fault = a.Result.Diagnosis.Fault
		}
		causes[f] = struct{}{}
	}
	return slices.Collect(maps.Keys(causes))
}
