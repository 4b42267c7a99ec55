// Package rules has no code, only the tests of the Prometheus rules in
// deploy/prometheus: that promtool finds no fault with them and the cases in
// testdata hold, that they ask for nothing that the agent does not export, and
// that a real Prometheus alerts by them of simulated sites.
package rules
