package checks_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// leg is a Prober that shows what no server can be brought to do, such as a
// defect of our own.
type leg func(ctx context.Context) *probe.Response

func (l leg) Do(ctx context.Context) *probe.Response { return l(ctx) }

// answers is a leg that got a whole answer.
func answers(status int) leg {
	return func(context.Context) *probe.Response {
		return &probe.Response{StatusCode: status, HTTPVersion: "2.0", Edge: probe.Edge{ViaESA: probe.ViaYes}}
	}
}

// breaks is a leg that got none.
func breaks(condition catalog.Condition) leg {
	return func(context.Context) *probe.Response {
		return &probe.Response{Condition: condition, Detail: "seen so", Phase: "connect", Edge: probe.Edge{ViaESA: probe.ViaNo}}
	}
}

// panics is a leg with a defect.
func panics(text string) leg {
	return func(context.Context) *probe.Response { panic(text) }
}

// checkOf makes a check of its legs; origin may be nil.
func checkOf(t *testing.T, edge, origin checks.Prober, expect assert.Expect) *checks.Check {
	t.Helper()
	list, err := assert.Build(expect)
	if err != nil {
		t.Fatal(err)
	}
	c := &checks.Check{
		Site: "shop", Name: "home", Location: "fra-1", URL: "https://shop.example.com/", Method: "GET",
		Edge: edge, Expect: list, Catalog: catalog.Default(),
	}
	if origin != nil {
		c.Origin = &checks.OriginLeg{Prober: origin, Expect: list, Addr: "203.0.113.10:443"}
	}
	return c
}

// TestOutcome holds what the two legs together are called.
func TestOutcome(t *testing.T) {
	late := func(status int) leg {
		return func(ctx context.Context) *probe.Response {
			r := answers(status)(ctx)
			r.Duration = 3 * time.Second
			return r
		}
	}
	tests := []struct {
		name         string
		edge, origin checks.Prober
		outcome      checks.Outcome
		condition    catalog.Condition
		wantOrigin   checks.Origin // for those with an origin
	}{
		{"well", answers(200), nil, checks.Pass, "", checks.Origin{}},
		{"well, and so is the origin", answers(200), answers(204), checks.Pass, "",
			checks.Origin{Success: true, StatusCode: 204}},
		{"an outage that the cache hides", answers(200), breaks(catalog.ConnectRefused), checks.Degraded, catalog.OriginDown,
			checks.Origin{Condition: catalog.ConnectRefused}},
		{"the origin fails by its answer", answers(200), answers(503), checks.Degraded, catalog.OriginDown,
			checks.Origin{StatusCode: 503, Condition: "503"}},
		{"late", late(200), nil, checks.Degraded, catalog.Slow, checks.Origin{}},
		{"late, which has the word before the origin", late(200), breaks(catalog.Timeout), checks.Degraded, catalog.Slow,
			checks.Origin{Condition: catalog.Timeout}},
		{"a late origin works", answers(200), late(200), checks.Pass, "",
			checks.Origin{Success: true, StatusCode: 200, DurationSeconds: 3, Condition: catalog.Slow}},
		{"the edge alone fails", answers(522), answers(200), checks.Fail, "522",
			checks.Origin{Success: true, StatusCode: 200}},
		{"both fail", answers(500), answers(500), checks.Fail, "500",
			checks.Origin{StatusCode: 500, Condition: "500"}},
		{"no answer at all", breaks(catalog.DNSFailure), breaks(catalog.DNSFailure), checks.Fail, catalog.DNSFailure,
			checks.Origin{Condition: catalog.DNSFailure}},
		{"a status that fails before lateness degrades", late(404), nil, checks.Fail, "404", checks.Origin{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := checkOf(t, test.edge, test.origin, assert.Expect{MaxDuration: time.Second}).Run(t.Context())
			if r.Outcome != test.outcome || r.Condition() != test.condition {
				t.Errorf("%s %q, want %s %q", r.Outcome, r.Condition(), test.outcome, test.condition)
			}
			if r.Success != (test.outcome != checks.Fail) {
				t.Errorf("success is %t for %s", r.Success, r.Outcome)
			}
			if (r.Diagnosis == nil) != (test.outcome == checks.Pass) {
				t.Errorf("diagnosis is %+v for %s", r.Diagnosis, r.Outcome)
			}
			switch {
			case test.origin == nil && r.Origin != nil:
				t.Errorf("origin is %+v with no such leg", *r.Origin)
			case test.origin != nil && (r.Origin == nil || *r.Origin != test.wantOrigin):
				t.Errorf("origin is %+v, want %+v", r.Origin, test.wantOrigin)
			}
		})
	}
}

// TestTransportComesFirst holds that nothing is expected of an answer that did
// not come, or not whole.
func TestTransportComesFirst(t *testing.T) {
	cut := leg(func(context.Context) *probe.Response {
		return &probe.Response{StatusCode: 500, Condition: catalog.ConnectionReset, Detail: "connection reset by peer", Phase: "transfer"}
	})
	r := checkOf(t, cut, nil, assert.Expect{BodyContains: []string{"basket"}, ViaESA: "true"}).Run(t.Context())
	if r.Condition() != catalog.ConnectionReset || r.StatusCode != 500 {
		t.Errorf("%q with status %d, want %q with 500", r.Condition(), r.StatusCode, catalog.ConnectionReset)
	}
	if text := strings.Join(r.Diagnosis.Evidence, "\n"); strings.Contains(text, "mismatch") || strings.Contains(text, "not_via_esa") {
		t.Errorf("evidence judges an answer that was cut:\n%s", text)
	}
}

// TestCheckHasItsOwnWord holds that the severity and the runbook of a check
// stand in for the catalog's, and only where they are given.
func TestCheckHasItsOwnWord(t *testing.T) {
	c := checkOf(t, answers(522), nil, assert.Expect{})
	before := c.Run(t.Context()).Diagnosis
	c.Severity, c.RunbookURL = catalog.Info, "https://wiki.example.com/shop"
	after := c.Run(t.Context()).Diagnosis
	if after.Severity != catalog.Info || after.RunbookURL != c.RunbookURL {
		t.Errorf("severity %q, runbook %q", after.Severity, after.RunbookURL)
	}
	if before.Severity != catalog.Critical || before.RunbookURL != "" {
		t.Errorf("without: severity %q, runbook %q", before.Severity, before.RunbookURL)
	}
	if before.Fault != after.Fault || before.Owner != after.Owner || !slices.Equal(before.Steps, after.Steps) {
		t.Errorf("the rest changed too:\n%+v\n%+v", before, after)
	}
}

// TestPanicIsAResult holds that a defect in either leg is told as our own, and
// that the other leg is waited for.
func TestPanicIsAResult(t *testing.T) {
	tests := []struct {
		name         string
		edge, origin checks.Prober
		detail       string
	}{
		{"edge", panics("edge broke"), nil, "edge broke"},
		{"edge beside an origin", panics("edge broke"), answers(200), "edge broke"},
		{"origin", answers(200), panics("origin broke"), "origin broke"},
		{"both", panics("edge broke"), panics("origin broke"), "origin broke"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := checkOf(t, test.edge, test.origin, assert.Expect{}).Run(t.Context())
			if r.Condition() != catalog.InternalError || r.Outcome != checks.Fail {
				t.Fatalf("%s %q, want fail %q", r.Outcome, r.Condition(), catalog.InternalError)
			}
			if r.Site != "shop" || r.Check != "home" || r.URL == "" || r.StartedAt.IsZero() || r.Edge.ViaESA != "no" {
				t.Errorf("result does not say what was run: %+v", r)
			}
			if e := r.Diagnosis.Evidence; !slices.Contains(e, "cause: panic: "+test.detail) ||
				!slices.ContainsFunc(e, func(s string) bool { return strings.HasPrefix(s, "at: ") && strings.Contains(s, ".go:") }) {
				t.Errorf("evidence %q names neither the cause nor the place", e)
			}
		})
	}
}

// TestPanicWaitsForTheOtherLeg holds that no request outlives its run.
func TestPanicWaitsForTheOtherLeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := false
		slow := leg(func(context.Context) *probe.Response {
			time.Sleep(3 * time.Second)
			done = true
			return answers(200)(t.Context())
		})
		r := checkOf(t, panics("edge broke"), slow, assert.Expect{}).Run(t.Context())
		if !done || r.Condition() != catalog.InternalError {
			t.Errorf("the origin's leg is over: %t; condition %q", done, r.Condition())
		}
	})
}

// TestLegsRunAtTheSameMoment has each leg wait for the other to begin: one
// after the other would never end, which synctest notices.
func TestLegsRunAtTheSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edgeBegan, originBegan := make(chan struct{}), make(chan struct{})
		meet := func(mine, other chan struct{}, takes time.Duration) leg {
			return func(ctx context.Context) *probe.Response {
				close(mine)
				<-other
				time.Sleep(takes)
				return answers(200)(ctx)
			}
		}
		begin := time.Now()
		r := checkOf(t, meet(edgeBegan, originBegan, time.Second), meet(originBegan, edgeBegan, 2*time.Second), assert.Expect{}).Run(t.Context())
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("the run took %v, want the longer of its legs, 2s", took)
		}
		if r.Outcome != checks.Pass || r.Origin == nil {
			t.Errorf("%s, origin %+v", r.Outcome, r.Origin)
		}
	})
}

// TestRunEndsWithItsContext asks servers that never answer.
func TestRunEndsWithItsContext(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{ReadTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	if err := edge.Origin().Set(edgetest.OriginHanging()); err != nil {
		t.Fatal(err)
	}
	check := pair(t, edge)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	r := check.Run(ctx)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the run went on for %v after its context was done", took)
	}
	if r.Condition() != catalog.Timeout || r.Origin == nil || r.Origin.Success {
		t.Errorf("condition %q, origin %+v; want neither to have answered", r.Condition(), r.Origin)
	}
}

// TestVerdict goes by a real pair of an edge and an origin: whose fault it is.
func TestVerdict(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{ConnectTimeout: 50 * time.Millisecond, ReadTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	tests := []struct {
		edge      edgetest.Behaviour
		origin    edgetest.OriginState
		condition catalog.Condition
		fault     catalog.Fault
	}{
		{edgetest.ConnectTimeout(), edgetest.OriginUp(), "522", catalog.FaultOriginLink},
		{edgetest.Healthy(), edgetest.OriginStopped(), "521", catalog.FaultOrigin},
		{edgetest.Healthy(), edgetest.OriginFailing(503), "503", catalog.FaultOrigin},
		{edgetest.FunctionError(594), edgetest.OriginUp(), "594", catalog.FaultFunction},
		{edgetest.Blocked(), edgetest.OriginUp(), "403", catalog.FaultSecurity},
		{edgetest.Status(200), edgetest.OriginStopped(), catalog.OriginDown, catalog.FaultOrigin},
	}
	for _, test := range tests {
		t.Run(test.edge.String()+", origin "+test.origin.String(), func(t *testing.T) {
			edge.Set(test.edge)
			if err := edge.Origin().Set(test.origin); err != nil {
				t.Fatal(err)
			}
			d := pair(t, edge).Run(t.Context()).Diagnosis
			if d == nil || d.Condition != test.condition || d.Fault != test.fault {
				t.Fatalf("diagnosis %+v, want %q with fault %q", d, test.condition, test.fault)
			}
			if d.Verdict == "" || len(d.Steps) == 0 || d.Owner == "" {
				t.Errorf("verdict %q, owner %q, steps %q: nobody knows what to do", d.Verdict, d.Owner, d.Steps)
			}
			for _, text := range append(slices.Clone(d.Steps), d.Summary, d.Verdict) {
				if strings.Contains(text, "ORIGIN_IP") || strings.ContainsAny(text, "\n\x1b") {
					t.Errorf("not fit to be acted on, the origin is known: %q", text)
				}
			}
		})
	}
}

// TestCommandsHaveTheNameOfTheWire holds that an international name stands in
// commands as dig and openssl want it, and in the result as it was written.
func TestCommandsHaveTheNameOfTheWire(t *testing.T) {
	c := checkOf(t, breaks(catalog.TLSExpired), nil, assert.Expect{})
	c.URL = "https://bücher.example.com/"
	r := c.Run(t.Context())
	if text := strings.Join(r.Diagnosis.Steps, "\n"); !strings.Contains(text, "-servername xn--bcher-kva.example.com ") || strings.Contains(text, "ü") {
		t.Errorf("steps:\n%s", text)
	}
	if r.URL != c.URL {
		t.Errorf("the result's URL is %q", r.URL)
	}
}

// TestResultJSON holds the names that users script against.
func TestResultJSON(t *testing.T) {
	names := func(v any) []string {
		object, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v is no object", v)
		}
		return slices.Sorted(maps.Keys(object))
	}
	decode := func(r checks.Result) map[string]any {
		t.Helper()
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := json.Unmarshal(data, &object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	secured := leg(func(ctx context.Context) *probe.Response {
		r := answers(522)(ctx)
		r.StartedAt = time.Date(2026, 11, 23, 23, 4, 5, 123_456_789, time.FixedZone("CST", 8*60*60))
		r.Duration = 212*time.Millisecond + 499*time.Nanosecond
		r.TLS = &probe.TLSState{Version: "TLS 1.3", NotAfter: r.StartedAt, ValidUntil: r.StartedAt}
		return r
	})
	object := decode(checkOf(t, secured, answers(200), assert.Expect{}).Run(t.Context()))
	for path, want := range map[string]string{
		"": "body_bytes check diagnosis duration_seconds edge http_version location method origin outcome phases_seconds " +
			"redirects remote_address site started_at status_code success tls url",
		"phases_seconds": "connect processing resolve tls transfer",
		"tls":            "cipher fingerprint issuer not_after subject valid_until version",
		"edge":           "cache_status error_token node_ip pop proxy_status request_id via_esa",
		"diagnosis":      "condition doc_url evidence fault owner runbook_url severity steps summary title verdict",
		"origin":         "condition duration_seconds status_code success",
	} {
		var at any = object
		if path != "" {
			at = object[path]
		}
		if got := strings.Join(names(at), " "); got != want {
			t.Errorf("keys of %q:\n got %s\nwant %s", path, got, want)
		}
	}
	if object["started_at"] != "2026-11-23T15:04:05.123Z" || object["duration_seconds"] != 0.212 {
		t.Errorf("started_at %v, duration_seconds %v; want UTC, to the millisecond, and whole microseconds", object["started_at"], object["duration_seconds"])
	}
	passed := decode(checkOf(t, answers(200), nil, assert.Expect{}).Run(t.Context()))
	for _, key := range []string{"diagnosis", "origin", "tls"} {
		if v, ok := passed[key]; !ok || v != nil {
			t.Errorf("%s of a plain pass is %v (there: %t), want null", key, v, ok)
		}
	}
}

// TestDiagnosisGoesByWhatWasSeen holds what turns a diagnosis besides the two
// conditions, and that a result which is explained again, in Chinese, says the same.
func TestDiagnosisGoesByWhatWasSeen(t *testing.T) {
	esa := http.Header{"X-Site-Cache-Status": {"MISS"}}
	blocked := []byte("Sorry, you have been blocked RequestID: 1 RuleID: 2")
	says := func(r probe.Response) leg {
		return func(context.Context) *probe.Response {
			answer := r
			if answer.Header == nil {
				answer.Header = http.Header{}
			}
			answer.Edge = probe.EdgeOf(answer.Header)
			return &answer
		}
	}
	tests := []struct {
		name         string
		edge, origin leg
		fault        catalog.Fault
		verdict      string
	}{
		{"the origin is ESA", answers(522), says(probe.Response{StatusCode: 200, Header: esa}), catalog.FaultOriginLink, "of ESA with itself"},
		{"the origin may be ESA", answers(522), says(probe.Response{StatusCode: 200, Header: http.Header{"Server": {"ESA"}}}), catalog.FaultOriginLink, "ESA cannot reach it"},
		{"a block page with 403", says(probe.Response{StatusCode: 403, Header: esa, Body: blocked}), plainly(403), catalog.FaultSecurity, "ESA's protection answers 403"},
		{"a plain 403", says(probe.Response{StatusCode: 403, Header: esa}), plainly(403), catalog.FaultOrigin, "only passes it on"},
		{"no handshake in time", says(probe.Response{Condition: catalog.Timeout, Phase: "tls"}), plainly(200), catalog.FaultNetwork, "without finishing the TLS handshake"},
		{"no answer in time", says(probe.Response{Condition: catalog.Timeout, Phase: "processing"}), plainly(200), catalog.FaultOriginLink, "time is lost in ESA"},
		{"stalled", says(probe.Response{Condition: catalog.Timeout, Phase: "transfer", StatusCode: 200, Header: esa}), plainly(200), catalog.FaultNetwork, "it stalls on the way"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := checkOf(t, test.edge, test.origin, assert.Expect{})
			r := c.Run(t.Context())
			if d := r.Diagnosis; d == nil || d.Fault != test.fault || !strings.Contains(d.Verdict, test.verdict) {
				t.Fatalf("diagnosis %+v, want fault %q and a verdict with %q", d, test.fault, test.verdict)
			}
			zh := c.In("zh", r).Diagnosis
			if zh.Fault != test.fault || len(zh.Steps) != len(r.Diagnosis.Steps) {
				t.Errorf("in Chinese it is %s with %d steps, in English %s with %d", zh.Fault, len(zh.Steps), test.fault, len(r.Diagnosis.Steps))
			}
		})
	}
}

// plainly is an origin that shows no sign of ESA.
func plainly(status int) leg {
	return func(context.Context) *probe.Response {
		return &probe.Response{StatusCode: status, HTTPVersion: "1.1", Edge: probe.Edge{ViaESA: probe.ViaNo}}
	}
}
