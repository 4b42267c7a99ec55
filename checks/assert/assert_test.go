package assert

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// answer is a response that meets every default expectation.
func answer(status int, body string, header ...string) *probe.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &probe.Response{
		StartedAt: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), Duration: 200 * time.Millisecond,
		URL: "https://shop.test/", StatusCode: status, Header: h, HTTPVersion: "2.0",
		Body: []byte(body), Edge: probe.EdgeOf(h),
	}
}

// build makes a list that must be valid.
func build(t *testing.T, e Expect) List {
	t.Helper()
	l, err := Build(e)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// one is the only failure of a response, "" when there is none.
func one(t *testing.T, e Expect, r *probe.Response) string {
	t.Helper()
	failures := build(t, e).Check(r)
	switch len(failures) {
	case 0:
		return ""
	case 1:
		return words(failures[0])
	}
	t.Fatalf("got %d failures: %+v", len(failures), failures)
	return ""
}

func words(f Failure) string { return fmt.Sprintf("%s: got %s; want %s", f.Condition, f.Got, f.Want) }

func TestParseStatus(t *testing.T) {
	for pattern, want := range map[string]StatusRange{
		"200": {200, 200}, " 204 ": {204, 204}, "2xx": {200, 299}, "5XX": {500, 599}, "400-404": {400, 404}, "100 - 599": {100, 599}, "301-301": {301, 301},
	} {
		if got, err := ParseStatus(pattern); err != nil || got != want {
			t.Errorf("ParseStatus(%q) = %v, %v; want %v", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"", "2", "20", "2000", "0xx", "6xx", "x2x", "2xx-3xx", "404-400", "-404", "400-", "099", "600", "+20", "2x", "٢٠٠", "200,201", "1e2"} {
		if got, err := ParseStatus(pattern); err == nil {
			t.Errorf("ParseStatus(%q) = %v, want an error", pattern, got)
		}
	}
	if _, err := ParseStatus("404-400"); err == nil || !strings.Contains(err.Error(), "want 400-404") {
		t.Errorf("got %v, want the range the right way round", err)
	}
}

func FuzzParseStatus(f *testing.F) {
	for _, s := range []string{"200", "2xx", "400-404", "404-400", "xx", "-", "200-", "５xx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseStatus(s)
		if err == nil && (r.Low > r.High || r.Low < 100 || r.High > 599 || !r.Contains(r.Low) || r.Contains(r.High+1)) {
			t.Errorf("ParseStatus(%q) = %v", s, r)
		}
	})
}

func TestEach(t *testing.T) {
	chunk := strings.Repeat("long ", 100)
	tests := []struct {
		name   string
		expect Expect
		r      *probe.Response
		want   string
	}{
		{"default status", Expect{}, answer(204, ""), ""},
		{"522", Expect{}, answer(522, ""), "522: got 522; want 2xx"},
		{"404", Expect{Status: []string{"200", "3xx"}}, answer(404, ""), "404: got 404 Not Found; want 200, 3xx"},
		{"200 when an error is expected", Expect{Status: []string{"404"}}, answer(200, ""), "unexpected_status: got 200 OK; want 404"},
		{"in a range", Expect{Status: []string{"400-404"}}, answer(403, ""), ""},

		{"contains", Expect{BodyContains: []string{"in stock"}}, answer(200, "all in stock"), ""},
		{"contains not", Expect{BodyContains: []string{"in stock"}}, answer(200, " sold\nout\x1b[31m "), `body_mismatch: got 15 bytes: "sold\nout\x1b[31m"; want body with "in stock"`},
		{"contains, empty body", Expect{BodyContains: []string{"x"}}, answer(200, ""), `body_mismatch: got an empty body; want body with "x"`},
		{"not contains", Expect{BodyNotContain: []string{"error"}}, answer(200, "<h1>no errors</h1>"), `body_mismatch: got "<h1>no errors</h1>"; want no body with "error"`},
		{"not contains, deep", Expect{BodyNotContain: []string{"panic:"}}, answer(200, chunk+"panic: oops"+chunk),
			`body_mismatch: got "…long long long long panic: oops` + chunk[:120-20-11] + `…"; want no body with "panic:"`},
		{"matches", Expect{BodyMatches: []string{`(?i)v\d+`}}, answer(200, "V12"), ""},
		{"matches not", Expect{BodyMatches: []string{`^v\d+$`}}, answer(200, "v12b"), `body_mismatch: got 4 bytes: "v12b"; want body that matches "^v\\d+$"`},
		{"not matches", Expect{BodyNotMatch: []string{`v\d`}}, answer(200, "v1"), `body_mismatch: got "v1"; want no body that matches "v\\d"`},

		{"header", Expect{Headers: map[string]string{"content-type": "^text/"}}, answer(200, "", "Content-Type", "text/html"), ""},
		{"header absent", Expect{Headers: map[string]string{"X-A": ".*"}}, answer(200, ""), `header_mismatch: got no header X-A; want X-A that matches ".*"`},
		{"header other", Expect{Headers: map[string]string{"X-A": "^b$"}}, answer(200, "", "X-A", "c", "X-A", "d"), `header_mismatch: got X-A: c, d; want X-A that matches "^b$"`},
		{"header, one of two", Expect{Headers: map[string]string{"X-A": "^b$"}}, answer(200, "", "X-A", "c", "X-A", "b"), ""},

		{"fast", Expect{MaxDuration: time.Second}, answer(200, ""), ""},
		{"slow", Expect{MaxDuration: 100 * time.Millisecond}, answer(200, ""), "slow: got 200ms; want at most 100ms"},
		{"plain HTTP has no certificate", Expect{CertValidFor: 24 * time.Hour}, answer(200, ""), ""},

		{"via ESA", Expect{ViaESA: "true"}, answer(200, "", "X-Site-Cache-Status", "HIT"), ""},
		{"possibly via ESA", Expect{ViaESA: "true"}, answer(200, "", "Server", "ESA"), ""},
		{"not via ESA", Expect{ViaESA: "true"}, answer(200, "", "Server", "nginx"), "not_via_esa: got no trace of ESA in the headers, Server: nginx; want an answer through ESA"},
		{"via ESA, unwanted", Expect{ViaESA: "false"}, answer(200, "", "X-Site-Cache-Status", "HIT"), "not_via_esa: got an answer through ESA; want one that is not"},
		{"not via ESA, wanted", Expect{ViaESA: "false"}, answer(200, "", "Server", "nginx"), ""},
		{"stale", Expect{}, answer(200, "", "X-Site-Cache-Status", "stale", "Age", "90"), "stale: got cache status STALE, Age: 90; want a fresh answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := one(t, tt.expect, tt.r); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTruncatedBodyIsSaid(t *testing.T) {
	r := answer(200, strings.Repeat("a", 100))
	r.BodyTruncated = true
	for _, e := range []Expect{{BodyContains: []string{"z"}}, {BodyMatches: []string{"z"}}, {JSON: map[string]any{"$.a": 1}}} {
		if got := one(t, e, r); !strings.Contains(got, "first 100 bytes, where reading stopped (max_body_bytes)") &&
			!strings.Contains(got, "longer than 100 bytes, where reading stopped (max_body_bytes)") {
			t.Errorf("got %s", got)
		}
	}
}

func TestCertValidFor(t *testing.T) {
	r := answer(200, "")
	const day = 24 * time.Hour
	for _, tt := range []struct {
		left time.Duration
		want string
	}{
		{14 * day, ""},
		{10*day + time.Hour, "tls_expiring: got expires on 2026-12-03T16:00:00Z, in 10 days; want valid for at least 14 days"},
		{30 * time.Hour, "tls_expiring: got expires on 2026-11-24T21:00:00Z, in 30 hours; want valid for at least 14 days"},
		{90 * time.Minute, "tls_expiring: got expires on 2026-11-23T16:30:00Z, in 1h30m0s; want valid for at least 14 days"},
		{-3 * day, "tls_expiring: got expired on 2026-11-20T15:00:00Z, 3 days ago; want valid for at least 14 days"},
	} {
		r.TLS = &probe.TLSState{NotAfter: r.StartedAt.Add(-90 * day), ValidUntil: r.StartedAt.Add(tt.left)}
		if got := one(t, Expect{CertValidFor: 14 * day}, r); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	r.TLS = &probe.TLSState{ValidUntil: r.StartedAt.Add(3 * day), EndsWith: "intermediate certificate CN=R11"}
	want := "tls_expiring: got intermediate certificate CN=R11 expires on 2026-11-26T15:00:00Z, in 3 days; want valid for at least 14 days"
	if got := one(t, Expect{CertValidFor: 14 * day}, r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNothingToJudge holds that no assertion adds noise to an answer that did
// not come, or not whole.
func TestNothingToJudge(t *testing.T) {
	l := build(t, full())
	none := &probe.Response{Condition: catalog.ConnectRefused, Detail: "refused", TLS: &probe.TLSState{}}
	if got := l.Check(none); len(got) != 0 {
		t.Errorf("no answer: got %+v", got)
	}
	half := answer(500, "half a bo")
	half.Condition = catalog.ConnectionReset
	got := l.Check(half)
	if len(got) != 3 || got[0].Condition != "500" || got[1].Condition != catalog.HeaderMismatch || got[2].Condition != catalog.NotViaESA {
		t.Errorf("half an answer: got %+v", got)
	}
}

// full expects something of everything.
func full() Expect {
	return Expect{
		Status: []string{"200"}, BodyContains: []string{"a"}, BodyNotContain: []string{"b"}, BodyMatches: []string{"a"}, BodyNotMatch: []string{"b"},
		Headers: map[string]string{"A": "a"}, JSON: map[string]any{"$.a": 1}, Expr: []string{"status == 200"},
		MaxDuration: 1, CertValidFor: time.Hour, ViaESA: "true", Challenge: "fail",
	}
}

func TestOrder(t *testing.T) {
	r := answer(503, "<title>滑动验证页面</title>b", "Set-Cookie", "__aliwaitingroom_x=1", "Refresh", "5")
	r.TLS = &probe.TLSState{ValidUntil: r.StartedAt.Add(time.Minute)}
	r.Edge.CacheStatus = "STALE"
	var got []catalog.Condition
	for _, f := range build(t, full()).Check(r) {
		got = append(got, f.Condition)
	}
	want := []catalog.Condition{"503", catalog.Challenge, catalog.WaitingRoom,
		catalog.BodyMismatch, catalog.BodyMismatch, catalog.BodyMismatch, catalog.BodyMismatch,
		catalog.HeaderMismatch, catalog.JSONMismatch, catalog.ExprMismatch, catalog.NotViaESA,
		catalog.Slow, catalog.TLSExpiring, catalog.Stale}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestBuildFindsEveryError(t *testing.T) {
	_, err := Build(Expect{
		Status: []string{"2yx"}, BodyContains: []string{"ok", ""}, BodyMatches: []string{"["}, BodyNotMatch: []string{"a", "(?=b)"},
		Headers: map[string]string{"A b": ".", "C": "*"}, JSON: map[string]any{"$.a[": 1, "b": 2}, Expr: []string{"status == 200", "statu == 200", "status ==", "status"},
		MaxDuration: -1, CertValidFor: -1, ViaESA: "yes", Challenge: "no",
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`status: "2yx" (want a code like 200, a class like 2xx or a range like 400-404)`,
		`challenge: "no" (want fail or allow)`,
		`body_contains[1]: the empty text is in every body`,
		"body_matches[0]: \"[\": error parsing regexp: missing closing ]: `[`",
		"body_not_matches[1]: \"(?=b)\": error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
		`headers.A b: is no header name`,
		"headers.C: \"*\": error parsing regexp: missing argument to repetition operator: `*`",
		`json.$.a[: column 5: not terminated`,
		`json.b: column 1: a path begins with $`,
		`expr[1]: column 1: unknown name statu; there are status, status_code, url, http_version, remote_address, redirects, duration_seconds, phases, phases_seconds, headers, body, body_bytes, json, tls, edge`,
		`expr[2]: column 9: unexpected token EOF`,
		`expr[3]: expected bool, but got int`,
		`via_esa: "yes" (want any, true or false)`,
		`max_duration: -1ns is negative`,
		`cert_valid_for: -1ns is negative`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		if _, ok := e.(*probe.FieldError); !ok {
			t.Errorf("%T is no FieldError", e)
		}
	}
}

// TestBounded holds that whatever a server sends, texts stay short and printable.
func TestBounded(t *testing.T) {
	nasty := strings.Repeat("\x1b]0;\u202e<!channel>\xff\n", 10_000)
	r := answer(200, nasty, "A", nasty, "X-Tengine-Error", "denied by "+nasty, "Server", nasty)
	r.Body = append([]byte("<title>滑动验证页面</title>"), r.Body...)
	failures := build(t, Expect{BodyContains: []string{"zz"}, BodyNotMatch: []string{"(?s)channel.*"}, Headers: map[string]string{"A": "^b$"},
		JSON: map[string]any{"$.a": nasty}, Expr: []string{`headers["A"] == "b"`}, ViaESA: "true"}).Check(r)
	if len(failures) != 7 {
		t.Errorf("got %d failures", len(failures))
	}
	for _, f := range failures {
		for _, s := range []string{f.Got, f.Want} {
			if len(s) > textLimit || s != probe.Printable(s, textLimit) {
				t.Errorf("%s: %q", f.Condition, s)
			}
		}
	}
}
