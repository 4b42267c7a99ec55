package checks_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestAuthorOfAnError holds which marks tell who made an error, and that none
// is believed against ESA's own word.
func TestAuthorOfAnError(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string // after "made by: "; "" = no such line
	}{
		{"nginx", page(502, "<hr><CENTER>nginx/1.24.0</CENTER>"), "most likely the origin's web server; the page is nginx's own"},
		{"OpenResty", page(503, "<hr><center>openresty</center>"), "most likely the origin's web server; the page is OpenResty's own"},
		{"Apache", page(404, "<address>Apache/2.4 Server</address>"), "most likely the origin's web server; the page is Apache's own"},
		{"PHP", page(500, "oops", "X-Powered-By", "PHP/8.3"), "most likely the origin's application, which sends X-Powered-By"},
		{"API", page(500, ` {"error":"oops"}`, "Content-Type", "application/problem+json"), "an application, or ESA with a page that is set to JSON"},
		{"ESA's word", page(502, "", "X-Swift-Error", "orig response 5XX error"), "the origin; X-Swift-Error says that it answered so"},
		{"bare", page(502, ""), ""},
		{"mark too deep", page(502, strings.Repeat(" ", 5000)+"<center>nginx"), ""},
		{"ESA made it", page(502, "<center>nginx", "Proxy-Status", "esa; error=dns_error"), ""},
		{"ESA's code", page(522, "<center>nginx"), ""},
		{"ESA's firewall", page(403, `{"a":1}`, "X-Tengine-Error", "denied by http_custom", "Content-Type", "application/json"), ""},
		{"no error", page(302, "<center>nginx"), ""},
	}
	edge, err := edgetest.New(edgetest.Options{}) // for the Chinese label
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := httptest.NewServer(test.handler)
			defer s.Close()
			r := once(t, probe.Request{URL: s.URL}, assert.Expect{})
			got := ""
			for _, line := range r.Diagnosis.Evidence {
				if value, ok := strings.CutPrefix(line, "made by: "); ok {
					got = value
				}
			}
			if got != test.want {
				t.Errorf("made by %q, want %q", got, test.want)
			}
		})
	}
	// A page in JSON may be ESA's, so it decides nothing.
	for _, test := range []struct {
		body, contentType string
		origin            bool
	}{
		{"<hr><center>nginx</center>", "text/html", true},
		{`{"a":1}`, "application/json", false},
	} {
		s := httptest.NewServer(page(403, test.body, "Content-Type", test.contentType, "Server", "ESA"))
		d := once(t, probe.Request{URL: s.URL}, assert.Expect{}).Diagnosis
		s.Close()
		if got := d.Fault == "origin" && strings.Contains(d.Summary, "passes it on"); got != test.origin {
			t.Errorf("%s is taken for the origin's: %t; %s: %s", test.body, got, d.Fault, d.Summary)
		}
	}
	edge.Set(edgetest.OriginStatus(503))
	c := pair(t, edge)
	r := c.Run(t.Context())
	if en, zh := r.Diagnosis.Verdict, c.In("zh", r).Diagnosis.Verdict; !strings.Contains(en, "the marks of a web server") || !strings.Contains(zh, "源站服务器或应用的特征") {
		t.Errorf("the verdict does not say whose page it is: %q, %q", en, zh)
	}
	if zh := c.In("zh", r).Diagnosis.Evidence; !slices.ContainsFunc(zh, func(s string) bool { return strings.HasPrefix(s, "响应来源: ") }) {
		t.Errorf("the simulated origin's nginx page is not told in Chinese: %q", zh)
	}
}

// page is a handler that answers with a status, a body and headers.
func page(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}
