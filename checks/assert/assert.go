// Package assert holds one rule over one response: what is expected, and, when
// it is not met, what was got and what was wanted.
package assert

import (
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// Assertion is one expectation. It is safe for concurrent use and keeps nothing.
type Assertion interface {
	// Check returns nil when the response meets the expectation.
	Check(*probe.Response) *Failure
}

// Failure is an expectation that was not met.
type Failure struct {
	Condition catalog.Condition
	Got, Want string // bounded and printable
}
