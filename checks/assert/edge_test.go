package assert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestSimulatedEdge asks a simulated ESA edge, over TLS, in each of its moods.
func TestSimulatedEdge(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{ReadTimeout: 100 * time.Millisecond, ConnectTimeout: 100 * time.Millisecond, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, edge.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Request{URL: edge.URL(), TLS: probe.TLSOptions{CAFile: ca}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	list := build(t, Expect{ViaESA: "true", BodyNotContain: []string{"nginx"}, Expr: []string{`edge.pop != ""`}})
	tests := []struct {
		mood edgetest.Behaviour
		want []catalog.Condition
	}{
		{edgetest.Healthy(), nil},
		{edgetest.Status(521), []catalog.Condition{"521"}},
		{edgetest.ProxyStatusTLS(), []catalog.Condition{"525"}},
		{edgetest.FunctionError(594), []catalog.Condition{"594"}},
		{edgetest.OriginStatus(503), []catalog.Condition{"503", catalog.BodyMismatch}},
		{edgetest.Blocked(), []catalog.Condition{"403", catalog.Challenge}},
		{edgetest.RateLimited(), []catalog.Condition{"403", catalog.Challenge}},
		{edgetest.Challenge(200), []catalog.Condition{catalog.Challenge}},
		{edgetest.Challenge(403), []catalog.Condition{"403", catalog.Challenge}},
		{edgetest.JSChallenge(), []catalog.Condition{catalog.Challenge}},
		{edgetest.WaitingRoom(200), []catalog.Condition{catalog.WaitingRoom}},
		{edgetest.WaitingRoom(202), []catalog.Condition{catalog.WaitingRoom}},
		{edgetest.WaitingRoom(429), []catalog.Condition{"429", catalog.WaitingRoom}},
		{edgetest.StaleCopy(), []catalog.Condition{catalog.Stale}},
		{edgetest.NotESA(), []catalog.Condition{catalog.ExprMismatch, catalog.NotViaESA}},
	}
	for _, tt := range tests {
		t.Run(tt.mood.String(), func(t *testing.T) {
			edge.Set(tt.mood)
			r := p.Do(t.Context())
			if r.Condition != "" {
				t.Fatalf("got %q: %s", r.Condition, r.Detail)
			}
			var got []string
			for _, f := range list.Check(r) {
				got = append(got, string(f.Condition))
			}
			var want []string
			for _, c := range tt.want {
				want = append(want, string(c))
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// BenchmarkCheck is what each expectation adds to a check of a page of 64 KiB.
func BenchmarkCheck(b *testing.B) {
	page := answer(200, `{"status":"ok","items":[`+strings.Repeat(`{"name":"item","lag":3},`, 2700)+`{"name":"last","lag":1}]}`, "Content-Type", "application/json")
	for name, e := range map[string]Expect{
		"status and challenge": {},
		"body_contains":        {BodyContains: []string{`"last"`}},
		"body_matches":         {BodyMatches: []string{`"name":"la.t"`}},
		"headers":              {Headers: map[string]string{"Content-Type": "^application/json"}},
		"json":                 {JSON: map[string]any{"$.status": "ok", "$.items[-1].name": "last"}},
		"expr":                 {Expr: []string{`status == 200 && headers["Content-Type"] contains "json"`}},
		"expr over json":       {Expr: []string{`json.status == "ok" && all(json.items, .lag < 10)`}},
	} {
		b.Run(name, func(b *testing.B) {
			l, err := Build(e)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if f := l.Check(page); len(f) != 0 {
					b.Fatal(f)
				}
			}
		})
	}
}
