package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
)

// official are the status codes that ESA documents, each with the response
// message that it gives the code.
var official = map[int]string{
	400: "Bad Request",
	401: "Unauthorized",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	406: "Not Acceptable",
	407: "Authentication Required",
	408: "Request Timeout",
	409: "Conflict",
	410: "Gone",
	411: "Length Required",
	412: "Precondition Failed",
	413: "Payload Too Large",
	414: "URI Too Long",
	415: "Unsupported Media Type",
	416: "Range Not Satisfiable",
	417: "Expectation Failed",
	429: "Too Many Requests",
	499: "Client Close Request",
	500: "Internal Server Error",
	502: "Bad Gateway",
	503: "Service Temporarily Unavailable",
	504: "Gateway Timeout",
	508: "Loop Detected",
	520: "Web server returns an unknown error",
	521: "Web server is down",
	522: "Connection timed out",
	523: "Origin is unreachable",
	524: "A timeout occurred",
	525: "SSL handshake failed",
	526: "Invalid SSL certificate",
	530: "Unable to resolve the origin hostname",
	581: "Exceeding the maximum execution hop count",
	582: "Version retrieval failed",
	583: "Rate limit",
	584: "Insufficient computing resources",
	594: "uncaught exception",
	595: "Execution time exceeds the limit",
	596: "Configuration pull failed",
	598: "Debugger exception",
	599: "Script execution exception",
}

// TestProbeExplainsEveryOfficialCode asks an edge for each code that ESA
// documents, by the real command.
func TestProbeExplainsEveryOfficialCode(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, edgetest.Options{})
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for code, title := range official {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			r := probeJSON(t, fmt.Sprintf("%s/status/%d", edge.URL(), code))
			d := r.Diagnosis
			if d == nil {
				t.Fatal("no diagnosis")
			}
			if r.StatusCode != code || r.Outcome != checks.Fail || r.Success {
				t.Errorf("status %d, outcome %s, success %v, want %d, fail, false", r.StatusCode, r.Outcome, r.Success, code)
			}
			if d.Condition != catalog.Condition(strconv.Itoa(code)) || d.Title != title {
				t.Errorf("condition %q %q, want %d %q", d.Condition, d.Title, code, title)
			}
			if len(d.Steps) < 2 || len(d.Steps) > 8 {
				t.Errorf("%d steps, want 2 to 8", len(d.Steps))
			}
			for _, s := range d.Steps {
				if strings.TrimSpace(s) == "" || strings.Contains(s, "{{") || strings.Contains(s, "<no value>") {
					t.Errorf("step %q is not fit to be read", s)
				}
			}
			entry, ok := cat.Entry(d.Condition)
			if !ok {
				t.Fatal("the catalog has no entry of its own for it")
			}
			fault := entry.Fault
			if code == 502 || code == 504 {
				fault = catalog.FaultOrigin // the page that the edge passes on is nginx's own
			}
			if d.Fault != fault || d.Owner == "" || d.Severity == "" || d.Summary == "" || d.DocURL == "" || len(d.Evidence) == 0 {
				t.Errorf("not all is said: %+v", d)
			}
		})
	}
}

// TestOfficialCodes holds the list against the catalog: a code that is in one
// but not in the other is a mistake in one of them.
func TestOfficialCodes(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cat.Conditions() {
		if code := c.StatusCode(); code != 0 && official[code] == "" {
			t.Errorf("the catalog has %d (%s), which the list official lacks", code, http.StatusText(code))
		}
	}
}

// probeJSON is the result of probing url, which has to fail.
func probeJSON(t *testing.T, url string) checks.Result {
	t.Helper()
	got := esawatch(t, "probe", url, "--output", "json")
	if got.code != exitFailed || got.errors != "" {
		t.Errorf("exit code %d, stderr %q, want 1 and nothing", got.code, got.errors)
	}
	var results []checks.Result
	dec := json.NewDecoder(strings.NewReader(got.out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&results); err != nil || len(results) != 1 {
		t.Fatalf("%d results, %v, of %s", len(results), err, got.out)
	}
	return results[0]
}

// newEdge starts an edge that ends with the test.
func newEdge(t *testing.T, o edgetest.Options) *edgetest.Edge {
	t.Helper()
	edge, err := edgetest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	return edge
}
