package checks_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestEvidence holds each line and their order: what was wrong, who answered,
// what the edge said, what the origin said, where the time went.
func TestEvidence(t *testing.T) {
	shows := func(r probe.Response) leg {
		return func(context.Context) *probe.Response { return &r }
	}
	phases := probe.Phases{Connect: 20 * time.Millisecond, TLS: 30 * time.Millisecond, Processing: 150 * time.Millisecond}
	tests := []struct {
		name         string
		edge, origin checks.Prober
		expect       assert.Expect
		want         []string
	}{
		{
			name: "all that an edge says",
			edge: shows(probe.Response{
				StatusCode: 522, Duration: 212 * time.Millisecond, Phases: phases, RemoteAddr: "163.181.78.152:443",
				Redirects: 1, URL: "https://shop.example.com/de",
				Edge: probe.Edge{ViaESA: "yes", RequestID: "a3b54e9817954442451234567e", NodeIP: "163.181.78.152", POP: "de7",
					CacheStatus: "MISS", ErrorToken: "http_custom", ProxyStatus: "esa; error=connection_timeout"},
			}),
			origin: shows(probe.Response{StatusCode: 200, Duration: 34 * time.Millisecond}),
			want: []string{
				"status: 522, want 2xx",
				"X-Tengine-Error: http_custom",
				"Proxy-Status: esa; error=connection_timeout",
				"origin: 200 in 34 ms",
				"ESA request id: a3b54e9817954442451234567e",
				"POP: de7, node 163.181.78.152",
				"cache status: MISS",
				"via ESA: yes",
				"address: 163.181.78.152:443",
				"redirects: 1, the last to https://shop.example.com/de",
				"time: 212 ms (connect 20 ms, tls 30 ms, processing 150 ms)",
			},
		},
		{
			name: "no answer",
			edge: shows(probe.Response{
				Condition: catalog.TLSExpired, Detail: "certificate expired 3 days ago", Phase: "tls",
				Notes: []string{"certificate: CN=shop.example.com"}, Duration: 2100 * time.Millisecond, Edge: probe.Edge{ViaESA: "no"},
			}),
			origin: shows(probe.Response{Condition: catalog.ConnectRefused, Detail: "connection refused", Duration: 400 * time.Microsecond}),
			want: []string{
				"cause: certificate expired 3 days ago",
				"phase: tls",
				"certificate: CN=shop.example.com",
				"origin: connect_refused in 0.4 ms: connection refused",
				"time: 2.1 s",
			},
		},
		{
			name: "a broken answer",
			edge: shows(probe.Response{StatusCode: 200, Condition: catalog.ConnectionReset, Detail: "connection reset by peer", Phase: "transfer"}),
			want: []string{"cause: connection reset by peer", "phase: transfer", "status: 200 OK", "time: 0.0 ms"},
		},
		{
			name:   "all that was not as expected",
			edge:   shows(probe.Response{StatusCode: 200, Body: []byte("sold out"), Edge: probe.Edge{ViaESA: "no", NodeIP: "163.181.78.152"}}),
			expect: assert.Expect{BodyContains: []string{"basket"}, ViaESA: "true"},
			want: []string{
				`body_mismatch: 8 bytes: "sold out", want body with "basket"`,
				"not_via_esa: ", // its words are those of checks/assert
				"status: 200 OK",
				"POP: node 163.181.78.152",
				"via ESA: no",
				"time: 0.0 ms",
			},
		},
		{
			name: "a status of no name",
			edge: shows(probe.Response{StatusCode: 299, Edge: probe.Edge{ViaESA: "possible", POP: "de7"}}),
			expect: assert.Expect{
				Status: []string{"200"},
			},
			want: []string{"status: 299, want 200", "POP: de7", "via ESA: possible", "time: 0.0 ms"},
		},
		{
			name:   "an origin that answers otherwise",
			edge:   shows(probe.Response{StatusCode: 502}),
			origin: shows(probe.Response{StatusCode: 200, Body: []byte("hello"), Duration: 20 * time.Second}),
			expect: assert.Expect{BodyContains: []string{"basket"}},
			want: []string{
				"status: 502 Bad Gateway, want 2xx",
				`body_mismatch: an empty body, want body with "basket"`,
				`origin: 200 in 20 s, body_mismatch: 5 bytes: "hello", want body with "basket"`,
				"time: 0.0 ms",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := checkOf(t, test.edge, test.origin, test.expect).Run(t.Context()).Diagnosis
			if d == nil {
				t.Fatal("nothing wrong was found")
			}
			got := d.Evidence
			// What an answer did not say is left out, but it is always said
			// whether it came through ESA.
			same := slices.EqualFunc(got, test.want, func(got, want string) bool {
				return got == want || strings.HasSuffix(want, ": ") && strings.HasPrefix(got, want)
			})
			if !same {
				t.Errorf("evidence\n got %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestEvidenceOfARealEdge holds the labels that a reader and the Chinese
// wording go by, from an answer that was really sent.
func TestEvidenceOfARealEdge(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{ConnectTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	edge.Set(edgetest.ConnectTimeout())
	d := pair(t, edge).Run(t.Context()).Diagnosis
	if d == nil {
		t.Fatal("nothing wrong was found")
	}
	want := []string{
		`status: 522, want 2xx`,
		`origin: 200 in [0-9.]+ m?s`,
		`ESA request id: [0-9a-f]{26}`,
		`POP: ` + edge.POP() + `, node ` + regexp.QuoteMeta(edge.NodeIP().String()),
		`cache status: [A-Z]+`,
		`via ESA: yes`,
		`address: ` + regexp.QuoteMeta(edge.Addr()),
		`time: [0-9.]+ m?s \(.*processing [0-9.]+ m?s.*\)`,
	}
	for _, pattern := range want {
		if !slices.ContainsFunc(d.Evidence, regexp.MustCompile(`^`+pattern+`$`).MatchString) {
			t.Errorf("no line like %s in %q", pattern, d.Evidence)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                         "0.0 ms",
		400 * time.Microsecond:    "0.4 ms",
		9_949 * time.Microsecond:  "9.9 ms",
		10 * time.Millisecond:     "10 ms",
		34_900 * time.Microsecond: "34 ms",
		999 * time.Millisecond:    "999 ms",
		time.Second:               "1.0 s",
		2_140 * time.Millisecond:  "2.1 s",
		10 * time.Second:          "10 s",
		90 * time.Second:          "90 s",
	} {
		if got := checks.Milliseconds(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}
