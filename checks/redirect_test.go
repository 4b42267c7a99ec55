package checks_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestRedirectedElsewhere holds that what fails behind a redirect to another host
// or port is explained with that, and not with the URL that answered well; nor
// with the origin, which was not asked for it.
func TestRedirectedElsewhere(t *testing.T) {
	to := "" // where the request is sent on
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	t.Cleanup(first.Close)
	missing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(missing.Close)
	expired, err := edgetest.New(edgetest.Options{TLS: true, CertExpires: time.Now().Add(-50 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(expired.Close)

	address := first.URL + "/"
	for _, tt := range []struct {
		name, to  string
		condition catalog.Condition
		says      string // in the summary
		step      string // in one
	}{
		{"no such name", "http://sso.invalid/login", catalog.DNSFailure, "No address was found for sso.invalid", "dig sso.invalid @8.8.8.8"},
		{"expired certificate", expired.URL() + "/x", catalog.TLSExpired, "presents for 127.0.0.1", "-connect " + expired.Addr()},
		{"nothing listens", "http://127.0.0.1:1/", catalog.ConnectRefused, "refused the connection", "http://127.0.0.1:1/"},
		{"not found", missing.URL + "/gone", "404", "redirect that led to " + missing.URL + "/gone", missing.URL + "/gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to = tt.to
			p, err := probe.New(probe.Request{URL: address})
			if err != nil {
				t.Fatal(err)
			}
			expect, err := assert.Build(assert.Expect{ViaESA: "any"})
			if err != nil {
				t.Fatal(err)
			}
			c := &checks.Check{Site: "shop", Name: "home", URL: address, Method: "GET", Edge: p, Expect: expect,
				Origin: answering{}, OriginAddr: "192.0.2.1:80", Catalog: catalog.Default()}
			r := c.Run(t.Context())
			if r.Condition() != tt.condition || r.RedirectedTo != tt.to {
				t.Fatalf("got %s, redirected to %q", r.Condition(), r.RedirectedTo)
			}
			d := r.Diagnosis
			if !strings.Contains(d.Summary, tt.says) || !strings.Contains(d.Summary, address+" answered, with a redirect") {
				t.Errorf("summary: %s", d.Summary)
			}
			steps := strings.Join(d.Steps, "\n")
			if d.Verdict != "" || strings.Contains(steps, "192.0.2.1") {
				t.Errorf("the origin is spoken of: %q\n%s", d.Verdict, steps)
			}
			if !strings.Contains(d.Steps[0], "-D - "+address) || !strings.Contains(steps, tt.step) {
				t.Errorf("steps:\n%s", steps)
			}
			zh := c.In("zh", r).Diagnosis
			if !strings.Contains(zh.Summary, "重定向到了 "+tt.to) || zh.Verdict != "" {
				t.Errorf("in Chinese: %s, %q", zh.Summary, zh.Verdict)
			}
		})
	}

	to = "/here" // which stays at the same server
	p, err := probe.New(probe.Request{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	c := &checks.Check{Site: "shop", Name: "home", URL: address, Method: "GET", Edge: p,
		Origin: answering{}, OriginAddr: "192.0.2.1:80", Catalog: catalog.Default()}
	if c.Expect, err = assert.Build(assert.Expect{ViaESA: "any"}); err != nil {
		t.Fatal(err)
	}
	if r := c.Run(t.Context()); r.Condition() != "404" || r.RedirectedTo != "" || r.Diagnosis.Verdict == "" {
		t.Errorf("redirected within the server: %s, %q, verdict %q", r.Condition(), r.RedirectedTo, r.Diagnosis.Verdict)
	}
}

// TestLongRedirect holds that a result does not grow with what a server makes up.
func TestLongRedirect(t *testing.T) {
	first := httptest.NewServer(http.RedirectHandler("http://sso.invalid/?"+strings.Repeat("x", 20_000), http.StatusFound))
	t.Cleanup(first.Close)
	p, err := probe.New(probe.Request{URL: first.URL})
	if err != nil {
		t.Fatal(err)
	}
	c := &checks.Check{URL: first.URL, Method: "GET", Edge: p, Catalog: catalog.Default()}
	if r := c.Run(t.Context()); r.RedirectedTo != "http://sso.invalid/" || len(r.Diagnosis.Summary) > 1000 {
		t.Errorf("redirected to %.100q, summary %.300q", r.RedirectedTo, r.Diagnosis.Summary)
	}
}

// answering is an origin that answers well.
type answering struct{}

func (answering) Do(context.Context) *probe.Response {
	return &probe.Response{StartedAt: time.Now(), Duration: time.Millisecond, StatusCode: http.StatusOK, Edge: probe.Edge{ViaESA: "no"}}
}
