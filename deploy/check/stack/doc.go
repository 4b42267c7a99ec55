// Package stack runs what a user runs, for the tests of what is deployed beside
// the program: simulated sites behind a simulated edge, the real esawatch, a real
// Prometheus that scrapes it each second, and a real Alertmanager. All of it is
// on loopback and ends with the test.
package stack
