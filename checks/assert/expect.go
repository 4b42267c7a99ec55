package assert

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/esawatch/esawatch/checks/probe"
)

// Expect is what a check expects, as it is written in the configuration. The
// zero value of each field is its default.
type Expect struct {
	Status         []string // codes, classes, ranges; nothing means 2xx
	BodyContains   []string
	BodyNotContain []string
	BodyMatches    []string // RE2
	BodyNotMatch   []string
	Headers        map[string]string // name -> RE2
	JSON           map[string]any    // RFC 9535 JSONPath -> value
	Expr           []string
	MaxDuration    time.Duration // 0 = no limit
	CertValidFor   time.Duration // 0 = no limit
	ViaESA         string        // "any", "true" or "false"; "" = any
	Challenge      string        // "fail" or "allow"; "" = fail
}

// Build makes the expectations ready: patterns, paths and expressions compiled.
// Its error joins a *probe.FieldError for every one that cannot be used, whose
// Field is the name below expect, such as "body_matches[1]".
//
// The list is in the order in which conditions count: status, ESA's own pages,
// body, headers, json, expr, the way through ESA; then what only degrades.
func Build(e Expect) (List, error) {
	var b builder
	b.add("status", func() (Assertion, error) { return Status(e.Status...) })
	switch e.Challenge {
	case "", "fail":
		b.list = append(b.list, NoChallenge(), NoWaitingRoom())
	case "allow":
	default:
		b.fail("challenge", fmt.Errorf("%q (want fail or allow)", e.Challenge))
	}
	for i, s := range e.BodyContains {
		b.add(item("body_contains", i), func() (Assertion, error) { return BodyContains(s) })
	}
	for i, s := range e.BodyNotContain {
		b.add(item("body_not_contains", i), func() (Assertion, error) { return BodyNotContains(s) })
	}
	for i, s := range e.BodyMatches {
		b.add(item("body_matches", i), func() (Assertion, error) { return BodyMatches(s) })
	}
	for i, s := range e.BodyNotMatch {
		b.add(item("body_not_matches", i), func() (Assertion, error) { return BodyNotMatches(s) })
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		b.add("headers."+name, func() (Assertion, error) { return Header(name, e.Headers[name]) })
	}
	if len(e.JSON) > 0 {
		b.add("json", func() (Assertion, error) { return JSON(e.JSON) })
	}
	if len(e.Expr) > 0 {
		b.add("expr", func() (Assertion, error) { return Expr(e.Expr...) })
	}
	b.viaESA(e.ViaESA)
	b.limit("max_duration", e.MaxDuration, MaxDuration)
	b.limit("cert_valid_for", e.CertValidFor, CertValidFor)
	b.list = append(b.list, NotStale())
	return b.list, errors.Join(b.errs...)
}

// builder gathers assertions and every error.
type builder struct {
	list List
	errs []error
}

func (b *builder) add(field string, make func() (Assertion, error)) {
	a, err := make()
	if err != nil {
		b.fail(field, err)
		return
	}
	b.list = append(b.list, a)
}

// fail keeps an error, or the errors joined in it, that name a field themselves.
func (b *builder) fail(field string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		b.errs = append(b.errs, joined.Unwrap()...)
		return
	}
	b.errs = append(b.errs, &probe.FieldError{Field: field, Err: err})
}

func (b *builder) limit(field string, d time.Duration, make func(time.Duration) Assertion) {
	switch {
	case d < 0:
		b.fail(field, fmt.Errorf("%s is negative", d))
	case d > 0:
		b.list = append(b.list, make(d))
	}
}

func (b *builder) viaESA(want string) {
	switch want {
	case "", "any":
	case "true", "false":
		b.list = append(b.list, ViaESA(want == "true"))
	default:
		b.fail("via_esa", fmt.Errorf("%q (want any, true or false)", want))
	}
}

func item(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
