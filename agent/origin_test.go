package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestOriginIsAskedAsESAWould: what a check wants of the edge's protocols must
// not make a healthy origin look down.
func TestOriginIsAskedAsESAWould(t *testing.T) {
	for _, test := range []struct {
		name        string
		version     string
		scheme      string
		origin      config.Origin
		wantVersion string
		wantServer  string
	}{
		{"auto", "auto", "https", config.Origin{}, "auto", "www.example.com"},
		{"2 to an origin that may speak 1.1 only", "2", "https", config.Origin{}, "auto", "www.example.com"},
		{"3", "3", "https", config.Origin{}, "auto", "www.example.com"},
		{"1.1", "1.1", "https", config.Origin{}, "1.1", "www.example.com"},
		{"plain", "2", "http", config.Origin{}, "1.1", "www.example.com"},
		{"another host", "auto", "https", config.Origin{Host: "origin.example.com"}, "auto", ""},
		{"another server name", "auto", "https", config.Origin{Host: "a.example.com", ServerName: "b.example.com"}, "auto", "b.example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.origin.Address = "203.0.113.10:443"
			req := probe.Request{HTTPVersion: test.version, IPFamily: "6", ProxyURL: "http://127.0.0.1:3128",
				Header: http.Header{"Accept": {"*/*"}}, TLS: probe.TLSOptions{ServerName: "www.example.com"}}
			got := originRequest(req, &test.origin, test.scheme)
			if got.HTTPVersion != test.wantVersion || got.TLS.ServerName != test.wantServer {
				t.Errorf("version %q, server name %q; want %q, %q", got.HTTPVersion, got.TLS.ServerName, test.wantVersion, test.wantServer)
			}
			if got.IPFamily != "any" || got.ProxyURL != "" || got.ConnectTo != test.origin.Address {
				t.Errorf("family %q, proxy %q, to %q; want any, none, the origin's address", got.IPFamily, got.ProxyURL, got.ConnectTo)
			}
			if got.Header.Get("Host") != test.origin.Host || req.Header.Get("Host") != "" {
				t.Errorf("Host %q of the origin, %q of the edge", got.Header.Get("Host"), req.Header.Get("Host"))
			}
		})
	}
}

func TestOriginIsNotJudgedByWhatTheEdgeAdds(t *testing.T) {
	e := originExpect(assert.Expect{Status: []string{"301"}, Headers: map[string]string{"X-Site-Cache-Status": "HIT"},
		Expr: []string{`edge.pop == "de7"`}, ViaESA: "true", BodyContains: []string{"shop"}})
	if len(e.Headers) != 0 || len(e.Expr) != 0 || e.ViaESA != "any" || len(e.BodyContains) != 1 {
		t.Errorf("got %+v, want the body and no marks of the edge", e)
	}
	list, err := assert.Build(assert.Expect{Status: e.Status})
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]int{200: 0, 301: 0, 404: 1, 502: 1} {
		if got := list.Check(&probe.Response{StatusCode: status}); len(got) != want {
			t.Errorf("status %d: %d failures, want %d", status, len(got), want)
		}
	}
}

func TestOriginIsOnlyOfTheSitesHost(t *testing.T) {
	site := &config.Site{Name: "shop", URL: "https://shop.example.com", Origin: &config.Origin{Address: "203.0.113.10:443"}}
	for url, want := range map[string]bool{
		"https://shop.example.com/login":  true,
		"https://SHOP.example.com:8443/":  true,
		"https://login.example.com/login": false,
	} {
		c, err := config.DefaultCheck(url)
		if err != nil {
			t.Fatal(err)
		}
		check, err := BuildCheck(site, &c, catalog.Default(), Identity{Location: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if (check.Origin != nil) != want {
			t.Errorf("%s: origin leg %t, want %t", url, check.Origin != nil, want)
		}
		closeCheck(check)
	}
}

// TestOriginThatSendsElsewhere: an origin that redirects to the public address, as
// from HTTP to HTTPS, answers. To follow it would be to ask the edge twice, and to
// find that the origin gives the edge's own error.
func TestOriginThatSendsElsewhere(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer edge.Close()
	edge.Set(edgetest.Status(502))
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/start", http.StatusFound) // is followed: it is the origin's
		default:
			http.Redirect(w, r, strings.Replace(edge.URL(), "127.0.0.1", "localhost", 1), http.StatusMovedPermanently)
		}
	}))
	defer origin.Close()
	r := runFirst(t, fmt.Sprintf("sites: [{name: shop, url: %q, origin: {address: %q}, checks: [{name: home, expect: {body_contains: [Welcome]}}]}]",
		edge.URL(), strings.TrimPrefix(origin.URL, "http://")))
	if o := r.Origin; o == nil || !o.Success || o.StatusCode != 301 {
		t.Errorf("origin %+v, want its 301", o)
	}
	if d := r.Diagnosis; d == nil || d.Condition != "502" || !strings.Contains(d.Verdict, "(301 in ") {
		t.Errorf("diagnosis %+v, want that the origin answers directly", d)
	}
	if n := edge.Requests(); n != 1 {
		t.Errorf("the edge was asked %d times", n)
	}
	// Where no redirect is to be followed it is the answer that is judged.
	r = runFirst(t, fmt.Sprintf("sites: [{name: shop, url: %q, origin: {address: %q}, checks: [{name: home, path: /start, follow_redirects: false, expect: {body_contains: [Welcome]}}]}]",
		edge.URL(), strings.TrimPrefix(origin.URL, "http://")))
	if o := r.Origin; o == nil || o.Success || o.StatusCode != 301 || o.Condition != catalog.BodyMismatch {
		t.Errorf("origin %+v, want that its 301 is not as expected", o)
	}
}
