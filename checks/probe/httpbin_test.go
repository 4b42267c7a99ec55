package probe

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"github.com/esawatch/esawatch/checks/catalog"
)

// TestHTTPBin asks a server that nobody here wrote.
func TestHTTPBin(t *testing.T) {
	s := httptest.NewServer(httpbin.New(httpbin.WithMaxDuration(2 * time.Second)))
	t.Cleanup(s.Close)
	tests := []struct {
		path      string
		req       Request
		status    int
		condition catalog.Condition
		body      string // contained
	}{
		{"/get?a=b", Request{}, 200, "", `"a": [`},
		{"/status/522", Request{}, 522, "", ""},
		{"/status/418", Request{}, 418, "", "teapot"},
		{"/status/204", Request{}, 204, "", ""},
		{"/status/304", Request{}, 304, "", ""},
		{"/gzip", Request{}, 200, "", `"gzipped": true`},
		{"/deflate", Request{}, 200, "", `"deflated": true`},
		{"/encoding/utf8", Request{}, 200, "", "∮"},
		{"/post", Request{Method: "POST", Body: []byte("hello"), Header: http.Header{"Content-Type": {"text/plain"}}}, 200, "", "hello"},
		{"/head", Request{Method: "HEAD"}, 200, "", ""},
		{"/redirect/3", Request{}, 200, "", ""},
		{"/relative-redirect/2", Request{}, 200, "", ""},
		{"/absolute-redirect/2", Request{}, 200, "", ""},
		{"/redirect/11", Request{}, 302, catalog.RedirectLoop, ""},
		{"/redirect/3", Request{MaxRedirects: 2}, 302, catalog.RedirectLoop, ""},
		{"/redirect/1", Request{NoRedirects: true}, 302, "", ""},
		{"/cookies/set?sid=42", Request{}, 200, "", `"sid": "42"`},
		{"/basic-auth/me/pw", Request{Auth: Auth{BasicUser: "me", BasicPassword: secret("pw")}}, 200, "", `"authenticated": true`},
		{"/basic-auth/me/pw", Request{}, 401, "", ""},
		{"/bearer", Request{Auth: Auth{Bearer: secret("tok")}}, 200, "", "tok"},
		{"/delay/1", Request{Timeout: 200 * time.Millisecond}, 0, catalog.Timeout, ""},
		{"/drip?duration=2s&numbytes=5&delay=0s", Request{Timeout: 300 * time.Millisecond}, 200, catalog.Timeout, ""},
		{"/stream/5", Request{}, 200, "", `"id":4`},
		{"/stream-bytes/2000", Request{MaxBodyBytes: 100}, 200, "", ""},
		{"/bytes/0", Request{}, 200, "", ""},
		{"/trailers?a=b", Request{}, 200, "", ""},
		{"/unstable?failure_rate=1", Request{}, 500, "", ""},
		{"/image/png", Request{}, 200, "", "PNG"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			tt.req.URL = s.URL + tt.path
			r := do(t, tt.req)
			if r.StatusCode != tt.status || r.Condition != tt.condition || !strings.Contains(string(r.Body), tt.body) {
				t.Errorf("got %d %q (%s), body %.200q", r.StatusCode, r.Condition, r.Detail, r.Body)
			}
		})
	}
	t.Run("headers", func(t *testing.T) {
		r := do(t, Request{URL: s.URL + "/headers", UserAgent: "esawatch/1.2"})
		var got struct{ Headers map[string][]string }
		if err := json.Unmarshal(r.Body, &got); err != nil || got.Headers["User-Agent"][0] != "esawatch/1.2" || len(got.Headers["Connection"]) != 0 {
			t.Errorf("got %s, %v", r.Body, err)
		}
	})
}
