package assert

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// StatusRange is the status codes from Low to High, both included.
type StatusRange struct{ Low, High int }

// Contains tells whether code is in the range.
func (r StatusRange) Contains(code int) bool { return r.Low <= code && code <= r.High }

// ParseStatus reads a code ("204"), a class ("3xx") or a range ("400-404").
func ParseStatus(pattern string) (StatusRange, error) {
	s := strings.ToLower(strings.TrimSpace(pattern))
	if len(s) == 3 && s[1:] == "xx" && '1' <= s[0] && s[0] <= '5' {
		low := int(s[0]-'0') * 100
		return StatusRange{low, low + 99}, nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	low, okLow := parseCode(from)
	high, okHigh := parseCode(to)
	switch {
	case !okLow || !okHigh:
		return StatusRange{}, fmt.Errorf("%q (want a code like 200, a class like 2xx or a range like 400-404)", pattern)
	case low > high:
		return StatusRange{}, fmt.Errorf("%q is empty (want %d-%d)", pattern, high, low)
	}
	return StatusRange{low, high}, nil
}

func parseCode(s string) (code int, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) != 3 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	code, err := strconv.Atoi(s)
	return code, err == nil && 100 <= code && code <= 599
}

type status struct {
	ranges []StatusRange
	want   string
}

// Status expects a status code that one of the patterns takes in; with none, a
// code from 200 to 299.
func Status(patterns ...string) (Assertion, error) {
	if len(patterns) == 0 {
		patterns = []string{"2xx"}
	}
	s := status{want: strings.Join(patterns, ", ")}
	for _, p := range patterns {
		r, err := ParseStatus(p)
		if err != nil {
			return nil, err
		}
		s.ranges = append(s.ranges, r)
	}
	return s, nil
}

func (s status) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || slices.ContainsFunc(s.ranges, func(sr StatusRange) bool { return sr.Contains(r.StatusCode) }) {
		return nil
	}
	got := strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, http.StatusText(r.StatusCode)))
	return mismatch(r, catalog.FromStatus(r.StatusCode), got, s.want)
}
