package checks_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

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
		{"not found", missing.URL + "/gone?ticket=s3cr3t", "404", "redirect that led to " + missing.URL + "/gone", missing.URL + "/gone"},
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
				Origin: &checks.OriginLeg{Prober: answering{}, Addr: "192.0.2.1:80"}, Catalog: catalog.Default()}
			r := c.Run(t.Context())
			bare, _, _ := strings.Cut(tt.to, "?")
			if r.Condition() != tt.condition || r.RedirectedTo != bare {
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
			if !strings.Contains(zh.Summary, "重定向到了 "+bare) || zh.Verdict != "" {
				t.Errorf("in Chinese: %s, %q", zh.Summary, zh.Verdict)
			}
			if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), "s3cr3t") {
				t.Errorf("%v: the query is shown: %s", err, text)
			}
		})
	}

	to = "/here" // which stays at the same server
	p, err := probe.New(probe.Request{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	c := &checks.Check{Site: "shop", Name: "home", URL: address, Method: "GET", Edge: p,
		Origin: &checks.OriginLeg{Prober: answering{}, Addr: "192.0.2.1:80"}, Catalog: catalog.Default()}
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

// TestRedirectIsNotBlamed holds that where a redirect led is left out of what does
// not say anything of that address.
func TestRedirectIsNotBlamed(t *testing.T) {
	const address = "https://shop.example.com/"
	to := probe.Response{StartedAt: time.Now(), Duration: time.Second, Redirects: 1, Elsewhere: true,
		URL: "https://sso.example.com/login", StatusCode: 200, Edge: probe.Edge{ViaESA: "no"}}
	down := ending{probe.Response{StartedAt: time.Now(), Condition: catalog.ConnectRefused, Detail: "refused"}}
	for _, tt := range []struct {
		name      string
		edge      func(*probe.Response)
		condition catalog.Condition
		blamed    bool
	}{
		{"all is well, the origin is down", func(*probe.Response) {}, catalog.OriginDown, false},
		{"slow, the origin is down", func(r *probe.Response) { r.Duration = time.Minute }, catalog.OriginDown, false},
		{"this agent's own fault", func(r *probe.Response) { r.Condition = catalog.InternalError }, catalog.InternalError, false},
		{"a circle", func(r *probe.Response) { r.Condition = catalog.RedirectLoop }, catalog.RedirectLoop, false},
		{"it fails there", func(r *probe.Response) { r.StatusCode = 503 }, "503", true},
		{"it takes too long there", func(r *probe.Response) { r.Condition = catalog.Timeout }, catalog.Timeout, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			edge := to
			tt.edge(&edge)
			expect, err := assert.Build(assert.Expect{ViaESA: "any", MaxDuration: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			c := &checks.Check{Site: "shop", Name: "home", URL: address, Edge: ending{edge}, Expect: expect,
				Origin: &checks.OriginLeg{Prober: down, Addr: "192.0.2.1:443"}, Catalog: catalog.Default()}
			r := c.Run(t.Context())
			d := r.Diagnosis
			if r.Condition() != tt.condition || (r.RedirectedTo != "") != tt.blamed {
				t.Errorf("got %s, redirected to %q", r.Condition(), r.RedirectedTo)
			}
			if blamed := strings.Contains(d.Summary+strings.Join(d.Steps, "\n"), "sso.example.com"); blamed != tt.blamed {
				t.Errorf("%s\n%s", d.Summary, strings.Join(d.Steps, "\n"))
			}
		})
	}
	c := &checks.Check{URL: address, Edge: ending{to}, Catalog: catalog.Default()}
	if r := c.Run(t.Context()); r.Outcome != checks.Pass || r.RedirectedTo != "" {
		t.Errorf("a pass: %s, redirected to %q", r.Outcome, r.RedirectedTo)
	}
}

// TestRedirectIsPrintable holds that what a server makes of a URL cannot work on a terminal.
func TestRedirectIsPrintable(t *testing.T) {
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Location"] = []string{"http://127.0.0.1:1/a\u202eb\u009b31m?q=\u009b31m\u200b\xff"}
		w.WriteHeader(http.StatusFound)
	}))
	t.Cleanup(first.Close)
	p, err := probe.New(probe.Request{URL: first.URL})
	if err != nil {
		t.Fatal(err)
	}
	c := &checks.Check{URL: first.URL, Edge: p, Catalog: catalog.Default()}
	r := c.Run(t.Context())
	if r.RedirectedTo == "" || r.Diagnosis == nil {
		t.Fatalf("%s, redirected to %q", r.Condition(), r.RedirectedTo)
	}
	for _, text := range append([]string{r.RedirectedTo, r.Diagnosis.Summary}, slices.Concat(r.Diagnosis.Steps, r.Diagnosis.Evidence)...) {
		if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
	}
}

// answering is an origin that answers well.
type answering struct{}

func (answering) Do(context.Context) *probe.Response {
	return &probe.Response{StartedAt: time.Now(), Duration: time.Millisecond, StatusCode: http.StatusOK, Edge: probe.Edge{ViaESA: "no"}}
}

// ending is what always answers the same.
type ending struct{ r probe.Response }

func (e ending) Do(context.Context) *probe.Response { return &e.r }

// TestRedirectThatIsNotFollowed holds that it is told where it leads, but neither
// its query nor what the server echoes of the request's secrets.
func TestRedirectThatIsNotFollowed(t *testing.T) {
	for _, tt := range []struct {
		name, location, want string
		status               int
		expect               assert.Expect
	}{
		{"to another host", "https://login.example.com/sso?ticket=abc#x", "https://login.example.com/sso", 302, assert.Expect{}},
		{"within the site", "../en/", "BASE/en/", 301, assert.Expect{}},
		{"without a scheme", "//login.example.com", "http://login.example.com", 307, assert.Expect{}},
		{"with a secret", "/s3cr3t%2Fkey/s3cr3t%2fkey", "BASE/<secret>/<secret>", 302, assert.Expect{}},
		{"with a user", "https://me:s3cr3t@login.example.com/", "https://login.example.com/", 302, assert.Expect{}},
		{"of the wrong kind", "/en", "BASE/en", 302, assert.Expect{Status: []string{"301"}}},
		{"as expected, but for the page", "/en", "BASE/en", 302, assert.Expect{Status: []string{"3xx"}, BodyContains: []string{"moved"}}},
		{"long", "/" + strings.Repeat("a", 500), "BASE/aaa…", 302, assert.Expect{}},
		{"to nowhere", "", "", 302, assert.Expect{}},
		{"broken", "http://[::1/%zz", "", 302, assert.Expect{}},
		{"no address", "javascript:alert(1)", "", 302, assert.Expect{}},
		{"no redirect", "/made", "", 404, assert.Expect{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", tt.location)
				w.WriteHeader(tt.status)
			}))
			t.Cleanup(s.Close)
			p, err := probe.New(probe.Request{URL: s.URL + "/de/", NoRedirects: true, Header: http.Header{"X-Key": {"s3cr3t/key"}}})
			if err != nil {
				t.Fatal(err)
			}
			d := checkOf(t, p, nil, tt.expect).Run(t.Context()).Diagnosis
			if d == nil {
				t.Fatal("nothing wrong was found")
			}
			got := ""
			for _, line := range d.Evidence {
				if to, ok := strings.CutPrefix(line, "redirect: "); ok {
					got = strings.Replace(to, s.URL, "BASE", 1)
				}
			}
			if want, cut := strings.CutSuffix(tt.want, "…"); got != tt.want && !(cut && strings.HasPrefix(got, want) && strings.HasSuffix(got, "…") && len(got) < 300) {
				t.Errorf("got %q, want %q in %q", got, tt.want, d.Evidence)
			}
		})
	}
}
