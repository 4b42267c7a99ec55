package agent

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are those of the agent as a whole.
type metrics struct {
	reloadOK   prometheus.Gauge
	reloadTime prometheus.Gauge

	configHash  *prometheus.Desc
	catalogInfo *prometheus.Desc

	mu   sync.Mutex
	plan *Plan // in force
}

func newMetrics(reg prometheus.Registerer, version, commit string) *metrics {
	m := &metrics{
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "esawatch_config_last_reload_successful",
			Help: "Whether the last attempt to load the configuration worked.",
		}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "esawatch_config_last_reload_success_timestamp_seconds",
			Help: "Unix time at which the configuration in force was loaded.",
		}),
		configHash: prometheus.NewDesc("esawatch_config_hash_info",
			"The SHA-256 of the configuration in force, as a label.", []string{"hash"}, nil),
		catalogInfo: prometheus.NewDesc("esawatch_catalog_info",
			"What the catalog says of each condition, as labels; remediation has one step a line.",
			[]string{"condition", "title", "fault", "severity", "owner", "remediation"}, nil),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "esawatch_build_info",
		Help: "What the program was built from, as labels.",
		ConstLabels: prometheus.Labels{"version": version, "revision": commit, "goversion": runtime.Version(),
			"goos": runtime.GOOS, "goarch": runtime.GOARCH},
	})
	build.Set(1)
	reg.MustRegister(m, m.reloadOK, m.reloadTime, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// newTeamMetrics registers what is to be known of the agents together.
func newTeamMetrics(reg prometheus.Registerer, t *team) {
	gauge := func(name, help string, is func(*mode) bool) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if is(t.mode.Load()) {
				return 1
			}
			return 0
		})
	}
	reg.MustRegister(teamMembers{t},
		gauge("esawatch_cluster_connected", "Whether the agent judges and tells together with the others: 0 while it is cut off.",
			func(m *mode) bool { return m.together }),
		gauge("esawatch_cluster_alone", "Whether the agent is cut off for so long that it alerts by itself.",
			func(m *mode) bool { return m.alone }))
}

// teamMembers counts the agents that are there.
type teamMembers struct{ team *team }

var membersDesc = prometheus.NewDesc("esawatch_cluster_members",
	"Agents that are there, this one included, by where they probe from.", []string{"location"}, nil)

// Describe implements prometheus.Collector.
func (teamMembers) Describe(ch chan<- *prometheus.Desc) { ch <- membersDesc }

// Collect implements prometheus.Collector.
func (c teamMembers) Collect(ch chan<- prometheus.Metric) {
	count := make(map[string]int)
	for _, p := range c.team.member.Peers() {
		if p.Live {
			count[p.Location]++
		}
	}
	for location, n := range count {
		ch <- prometheus.MustNewConstMetric(membersDesc, prometheus.GaugeValue, float64(n), location)
	}
}

func (m *metrics) reloaded(ok bool, at time.Time) {
	if !ok {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadTime.Set(float64(at.UnixMilli()) / 1000)
}

func (m *metrics) configured(p *Plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plan = p
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.configHash
	ch <- m.catalogInfo
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	p := m.plan
	m.mu.Unlock()
	if p == nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(m.configHash, prometheus.GaugeValue, 1, p.Config.Hash)
	for _, c := range p.Catalog.Conditions() {
		v := p.Catalog.View(c, "en")
		ch <- prometheus.MustNewConstMetric(m.catalogInfo, prometheus.GaugeValue, 1,
			string(c), v.Title, string(v.Fault), string(v.Severity), v.Owner, numbered(v.Steps))
	}
}

// numbered is a list of steps, one a line.
func numbered(steps []string) string {
	var b strings.Builder
	for i, s := range steps {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%d. %s", i+1, s)
	}
	return b.String()
}
