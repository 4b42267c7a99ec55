package alertmanager

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

const testPassword = "password-test-only"

func TestContract(t *testing.T) {
	notifytest.Run(t, notifytest.Kind{
		New: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
			n, err := New(Options{URLs: []string{strings.Replace(url, "://", "://probe:"+testPassword+"@", 1)}, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			return n
		},
		Server:  func() http.Handler { return &fake{} },
		Secrets: []string{testPassword, "cHJvYmU6cGFzc3dvcmQtdGVzdC1vbmx5"},
		// Alertmanager says nothing beside its 200. What is no Alertmanager is
		// found out by what it says: see TestErrors.
		AnyBody: true,
	})
}

func TestErrors(t *testing.T) {
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		reason notify.Reason
		want   string
	}{
		{"a portal's page", answer(200, "text/html; charset=utf-8", "<html>Welcome"), notify.ReasonAnswer, "this is not Alertmanager"},
		{"a refusal", answer(400, "application/json", `"bad \u001b[31m alert"`), notify.ReasonRefused, `HTTP status 400: "bad alert"`},
		{"a refusal as an object", answer(422, "application/json", `{"code":601,"message":"labels is required"}`), notify.ReasonRefused, "labels is required"},
		{"not found", answer(404, "text/plain", "404 page not found"), notify.ReasonMisconfigured, "check the URL"},
		{"the old API", answer(410, "application/json", `{"error":"deprecated"}`), notify.ReasonMisconfigured, "check the URL"},
		{"moved", answer(301, "text/html", ""), notify.ReasonAnswer, "set the final URL"},
		{"too much", answer(413, "text/plain", ""), notify.ReasonRefused, "HTTP status 413"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, url := startFake(t)
			f.set(test.answer)
			n := newNotifier(t, Options{URLs: []string{url}})
			_, err := n.Notify(t.Context(), notifytest.Story()[0])
			if err == nil || notify.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v of reason %q, want one of %q with %q", err, notify.ReasonOf(err), test.reason, test.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		urls []string
		want string
	}{
		{nil, "at least one URL"},
		{[]string{"http://am:9093", "am:9093"}, "urls[1]"},
		{[]string{"http://"}, "urls[0]"},
		{[]string{"ftp://x:" + testPassword + "@am"}, "urls[0]"},
	} {
		_, err := New(Options{URLs: test.urls})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), testPassword) {
			t.Errorf("%q: error %v, want %q", test.urls, err, test.want)
		}
	}
}
