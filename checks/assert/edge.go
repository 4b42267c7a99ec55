package assert

import (
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

type viaESA bool

// ViaESA expects an answer that came through ESA, or one that did not. Where
// the answer leaves it open, neither is held against it.
func ViaESA(want bool) Assertion { return viaESA(want) }

func (v viaESA) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 {
		return nil
	}
	switch {
	case bool(v) && r.Edge.ViaESA == probe.ViaNo:
		got := "no trace of ESA in the headers"
		if server := r.Header.Get("Server"); server != "" {
			got += ", Server: " + server
		}
		return mismatch(r, catalog.NotViaESA, got, "an answer through ESA")
	case !bool(v) && r.Edge.ViaESA == probe.ViaYes:
		return mismatch(r, catalog.NotViaESA, "an answer through ESA", "one that is not")
	}
	return nil
}

type notStale struct{}

// NotStale expects no copy that ESA serves because the origin does not answer.
func NotStale() Assertion { return notStale{} }

func (notStale) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || !strings.EqualFold(r.Edge.CacheStatus, "STALE") {
		return nil
	}
	got := "cache status STALE"
	if age := r.Header.Get("Age"); age != "" {
		got += ", Age: " + age
	}
	return mismatch(r, catalog.Stale, got, "a fresh answer")
}
