package assert

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

type header struct {
	name    string
	pattern *regexp.Regexp
}

// Header expects a header with a value that an RE2 pattern matches. A header
// that is not there does not match; of several values, one is enough.
func Header(name, pattern string) (Assertion, error) {
	if !httpguts.ValidHeaderFieldName(name) {
		return nil, errors.New("is no header name")
	}
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	return header{http.CanonicalHeaderKey(name), re}, nil
}

func (h header) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 {
		return nil
	}
	values := r.Header.Values(h.name)
	if slices.ContainsFunc(values, h.pattern.MatchString) {
		return nil
	}
	got := fmt.Sprintf("no header %s", h.name)
	if len(values) > 0 {
		got = fmt.Sprintf("%s: %s", h.name, strings.Join(values, ", "))
	}
	return mismatch(r, catalog.HeaderMismatch, got, fmt.Sprintf("%s that matches %s", h.name, quote(h.pattern.String())))
}
