package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/esawatch/esawatch/agent/config"
)

// query are the parameters of a request to the API. A filter that is misspelled
// would let all through without a word, so one that is not known is an error.
type query struct {
	values url.Values
	faults []fault
}

// queryOf reads the query of a request for the parameters that are known. What
// is wrong with it is kept until ok is asked.
func queryOf(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.faults = append(q.faults, fault{Detail: "the query cannot be read: want NAME=VALUE, joined by &, with all else percent-encoded"})
		return q
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case len(known) == 0:
			q.fail(name, "unknown parameter %.64q: there are none here", name)
		case !slices.Contains(known, name):
			q.fail(name, "unknown parameter %.64q: %s", name, config.DidYouMean(name, known))
		case len(values[name]) > 1:
			q.fail(name, "parameter %q is given %d times, want it once", name, len(values[name]))
		}
	}
	return q
}

// fail notes what is wrong with a parameter.
func (q *query) fail(parameter, format string, args ...any) {
	q.faults = append(q.faults, fault{Parameter: clip(strings.ToValidUTF8(parameter, "\uFFFD"), 64), Detail: fmt.Sprintf(format, args...)})
}

// text is a parameter's value, "" when it is not given.
func (q *query) text(name string) string { return q.values.Get(name) }

// oneOf is a parameter's value, which must be one of those allowed or "".
func (q *query) oneOf(name string, allowed ...string) string {
	v := q.values.Get(name)
	if v != "" && !slices.Contains(allowed, v) {
		last := len(allowed) - 1
		q.fail(name, "%s %.64q: want %s or %s", name, v, strings.Join(allowed[:last], ", "), allowed[last])
	}
	return v
}

// number is a parameter's value, from 1 to most, or what is used without one.
func (q *query) number(name string, without, most int) int {
	v := q.values.Get(name)
	if v == "" {
		return without
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		q.fail(name, "%s %.64q: want a number from 1 to %d", name, v, most)
		return without
	}
	return n
}

// ok tells whether nothing is wrong; else it has answered.
func (q *query) ok(w http.ResponseWriter, r *http.Request) bool {
	if len(q.faults) > 0 {
		invalid(w, r, q.faults)
		return false
	}
	return true
}
