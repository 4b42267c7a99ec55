// Package notifytest holds what every kind of receiver is tested with: sample
// notifications, the contract that each kind must pass, and a stand-in for
// Slack that speaks its Web API well enough for whole-program tests.
package notifytest
