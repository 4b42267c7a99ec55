// Package dashboards holds deploy/grafana to its conventions, and runs every
// query of it, and those of what others wrote for blackbox_exporter, on a real
// Prometheus that scrapes real agents. There is no Grafana in it: how a panel
// looks is not tested, only that its options are ones that Grafana knows.
package dashboards
