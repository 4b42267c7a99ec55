package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

const (
	testPath   = "/hooks/webhook-test-only-secret"
	testToken  = "token-test-only"
	testSecret = "hmac-test-only"
)

func text(s string) func() (string, error) {
	return func() (string, error) { return s, nil }
}

// take is a server that takes what is signed and well-formed.
func take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != testPath || r.Header.Get("Authorization") != "Bearer "+testToken {
		http.NotFound(w, r)
		return
	}
	if r.Header.Get(SignatureHeader) != Sign([]byte(testSecret), body) {
		http.Error(w, "bad signature", http.StatusForbidden)
		return
	}
	var m message
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || m.Version != "4" || len(m.Alerts) == 0 || m.GroupKey == "" {
		http.Error(w, "bad payload", http.StatusBadRequest)
	}
}

func newTestNotifier(t *testing.T, url string, timeout time.Duration) *Notifier {
	t.Helper()
	n, err := New(Options{
		URL: text(url + testPath + "\n"), Secret: text(testSecret), Timeout: timeout,
		Headers: map[string]string{"Authorization": "Bearer " + testToken},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestContract(t *testing.T) {
	notifytest.Run(t, notifytest.Kind{
		New: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
			return newTestNotifier(t, url, timeout)
		},
		Server:  func() http.Handler { return http.HandlerFunc(take) },
		Secrets: []string{testPath, "webhook-test-only-secret", testToken, testSecret},
		AnyBody: true,
	})
}

// serve runs a server for the test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		reason notify.Reason
		want   string
	}{
		{"refused with a reason", 400, "bad\npayload", notify.ReasonRefused, `HTTP status 400: "bad payload"`},
		{"the secrets as a reason", 400, "no " + testPath + " with " + testToken, notify.ReasonRefused, "no <secret> with <secret>"},
		{"no such hook", 404, "", notify.ReasonMisconfigured, "check the URL"},
		{"gone", 410, "", notify.ReasonMisconfigured, "check the URL"},
		{"busy", 408, "", notify.ReasonServer, "HTTP status 408"},
		{"moved", 308, "", notify.ReasonAnswer, "set the final URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := newTestNotifier(t, url, 0).Notify(t.Context(), notifytest.Story()[0])
			if err == nil || notify.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v of reason %q, want one of %q with %q", err, notify.ReasonOf(err), test.reason, test.want)
			}
		})
	}
}

// TestSecretsThatCannotBeRead: the operator is told which; nothing is sent.
func TestSecretsThatCannotBeRead(t *testing.T) {
	fails := func() (string, error) { return "", errors.New("open /etc/hook: permission denied") }
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{URL: fails}, "webhook: read url: open /etc/hook"},
		{Options{URL: text(" ")}, "webhook: url is empty"},
		{Options{URL: text(url), Secret: fails}, "webhook: read secret: open /etc/hook"},
		{Options{URL: text(url), Secret: text("")}, "webhook: secret is empty"},
		{Options{URL: text("ftp://x.invalid/y")}, "webhook: the URL is not an http or https URL"},
		{Options{URL: text("http://x.invalid/%zz")}, "webhook: the URL is not valid"},
	} {
		n, err := New(test.options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Notify(t.Context(), notifytest.Story()[0]); !notify.IsMisconfigured(err) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no URL is no error")
	}
}

// TestHeaders: ours can be set, and Host names the virtual server.
func TestHeaders(t *testing.T) {
	var got *http.Request
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
	n, err := New(Options{URL: text(url), Headers: map[string]string{"host": "hooks.example.com", "content-type": "application/vnd.x+json", "x-team": "web"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	if _, err := n.Notify(t.Context(), notifytest.Story()[0]); err != nil {
		t.Fatal(err)
	}
	if got.Host != "hooks.example.com" || got.Header.Get("Content-Type") != "application/vnd.x+json" || got.Header.Get("X-Team") != "web" ||
		got.Header.Get("User-Agent") != "esawatch" || got.Header.Get(SignatureHeader) != "" {
		t.Errorf("host %q, headers %v", got.Host, got.Header)
	}
}

// TestSignature holds the signature to one made by openssl:
// printf %s '{"a":1}' | openssl dgst -sha256 -hmac key
func TestSignature(t *testing.T) {
	const want = "sha256=88a67f24bbcdaed0e6c997404bb79a743baf44c6bab2f4c27328e3009d22e342"
	if got := Sign([]byte("key"), []byte(`{"a":1}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestDoesNotWaitForTheBody: who has sent a 200 has taken it.
func TestDoesNotWaitForTheBody(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if _, err := newTestNotifier(t, url, 2*time.Second).Notify(t.Context(), notifytest.Story()[0]); err != nil {
		t.Error(err)
	}
}
