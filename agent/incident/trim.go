package incident

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// What is kept of a result is bounded here once more, whatever the probe that
// made it allows: a record holds one for each alert and is written as a whole.
const (
	maxConditions = 20
	maxLines      = 20   // of evidence, of steps
	maxText       = 1000 // bytes of one line of text
	maxURL        = 2048 // bytes
)

// seen is the list with condition in it, a new one if it was not. A full list
// stays as it is.
func seen(list []catalog.Condition, condition catalog.Condition) []catalog.Condition {
	if condition == "" || len(list) >= maxConditions || slices.Contains(list, condition) {
		return list
	}
	return append(slices.Clip(list), condition)
}

// end is when a result was there: what it says was not known before.
func end(r checks.Result) time.Time {
	return r.StartedAt.Add(time.Duration(r.DurationSeconds * float64(time.Second)))
}

// normal is the result with a start that is the same after a round trip through
// the store: without the monotonic clock, in UTC.
func normal(r checks.Result) checks.Result {
	r.StartedAt = r.StartedAt.UTC().Round(0)
	return r
}

// trim is the result cut to what a record may hold.
func trim(r checks.Result) checks.Result {
	r.URL = clip(r.URL, maxURL)
	if r.TLS != nil {
		t := *r.TLS
		t.Issuer, t.Subject = clip(t.Issuer, maxText), clip(t.Subject, maxText)
		r.TLS = &t
	}
	if r.Diagnosis != nil {
		d := *r.Diagnosis
		d.Summary, d.Verdict = clip(d.Summary, maxText), clip(d.Verdict, maxText)
		d.Evidence, d.Steps = clipLines(d.Evidence), clipLines(d.Steps)
		r.Diagnosis = &d
	}
	return r
}

func clipLines(lines []string) []string {
	lines = slices.Clone(lines[:min(len(lines), maxLines)])
	for i, line := range lines {
		lines[i] = clip(line, maxText)
	}
	return lines
}

// clip cuts s to at most n bytes, between characters, and shows that it did.
func clip(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.Clone(s[:n]) + mark
}
