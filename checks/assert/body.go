package assert

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// body is one rule over the decoded body.
type body struct {
	find   func([]byte) []int // where it is, nil when it is nowhere
	absent bool               // it must be nowhere
	want   string
}

// BodyContains expects text in the body, byte for byte.
func BodyContains(text string) (Assertion, error) { return contains(text, false) }

// BodyNotContains expects text nowhere in the body.
func BodyNotContains(text string) (Assertion, error) { return contains(text, true) }

// BodyMatches expects a part of the body that an RE2 pattern matches.
func BodyMatches(pattern string) (Assertion, error) { return matches(pattern, false) }

// BodyNotMatches expects no part of the body that an RE2 pattern matches.
func BodyNotMatches(pattern string) (Assertion, error) { return matches(pattern, true) }

func contains(text string, absent bool) (Assertion, error) {
	if text == "" {
		return nil, errors.New("the empty text is in every body")
	}
	find := func(b []byte) []int {
		if i := bytes.Index(b, []byte(text)); i >= 0 {
			return []int{i, i + len(text)}
		}
		return nil
	}
	return body{find, absent, "body with " + quote(text)}.worded(), nil
}

func matches(pattern string, absent bool) (Assertion, error) {
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	return body{re.FindIndex, absent, "body that matches " + quote(pattern)}.worded(), nil
}

func (b body) worded() body {
	if b.absent {
		b.want = "no " + b.want
	}
	return b
}

func (b body) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || r.Condition != "" {
		return nil // without the whole body there is nothing to say of it
	}
	at := b.find(r.Body)
	if (at == nil) == b.absent {
		return nil
	}
	got := bodyText(r)
	if at != nil {
		got = excerpt(r, at[0])
	}
	return mismatch(r, catalog.BodyMismatch, got, b.want)
}

// bodyText says what the body is instead: how much of it there is and how it begins.
func bodyText(r *probe.Response) string {
	if len(r.Body) == 0 {
		return "an empty body"
	}
	size := fmt.Sprintf("%d bytes", len(r.Body))
	if r.BodyTruncated {
		size = fmt.Sprintf("nothing in the first %d bytes, where reading stopped (max_body_bytes)", len(r.Body))
	}
	return size + ": " + excerpt(r, 0)
}

const (
	excerptBefore = 20  // bytes shown before what was found
	excerptLength = 120 // bytes shown of a body
)

// excerpt quotes the body from a little before from.
func excerpt(r *probe.Response, from int) string {
	start := max(0, from-excerptBefore)
	text, start, end := r.Excerpt(start, min(len(r.Body), start+excerptLength))
	text = strings.TrimSpace(text)
	if start > 0 {
		text = "…" + text
	}
	if end < len(r.Body) {
		text += "…"
	}
	return strconv.Quote(text)
}

// quote shows a configured text.
func quote(s string) string { return strconv.Quote(probe.Printable(s, 120)) }

// compile compiles an RE2 pattern, and words its error without repeating it.
func compile(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", pattern, err)
	}
	return re, nil
}
