// Package assert holds one rule over one response: what is expected, and, when
// it is not met, what was got and what was wanted.
package assert

import (
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// Assertion is one expectation. It is safe for concurrent use and keeps nothing.
type Assertion interface {
	// Check returns nil when the response meets the expectation, and also when
	// the response has nothing for it to judge: no answer, no whole body, no TLS.
	Check(*probe.Response) *Failure
}

// Failure is an expectation that was not met.
type Failure struct {
	Condition catalog.Condition
	Got, Want string // bounded and printable
}

// textLimit bounds Got and Want, in bytes.
const textLimit = 300

// mismatch makes a failure whose texts are fit to be shown. A server may echo
// what it was sent, so its words are cleaned of the secrets of the request.
func mismatch(r *probe.Response, c catalog.Condition, got, want string) *Failure {
	return &Failure{c, probe.Printable(r.Redact(got), textLimit), probe.Printable(want, textLimit)}
}

// List is several expectations, in the order in which their conditions count.
type List []Assertion

// Check returns every failure: first those that fail a result, then those that
// only degrade it, each in the order of the list.
func (l List) Check(r *probe.Response) []Failure {
	var failing, degraded []Failure
	for _, a := range l {
		f := a.Check(r)
		switch {
		case f == nil:
		case f.Condition.Degrades():
			degraded = append(degraded, *f)
		default:
			failing = append(failing, *f)
		}
	}
	return append(failing, degraded...)
}
