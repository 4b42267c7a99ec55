package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/esawatch/esawatch/checks/edgetest"
)

func writeText(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// swap makes a new generation of the files in a folder of the configuration, as
// the kubelet does with a Secret or a ConfigMap.
func (h *home) swap(folder string, files map[string]string) {
	h.t.Helper()
	dir := filepath.Join(h.dir, "config", folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	generation, err := os.MkdirTemp(dir, "..gen-")
	if err != nil {
		h.t.Fatal(err)
	}
	for name, text := range files {
		writeText(h.t, filepath.Join(generation, name), text)
		_ = os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)) // there already, but for the first time
	}
	tmp := filepath.Join(dir, "..data_tmp")
	if err := errors.Join(os.Symlink(filepath.Base(generation), tmp), os.Rename(tmp, filepath.Join(dir, "..data"))); err != nil {
		h.t.Fatal(err)
	}
}

// untilResult waits until the latest results hold a text.
func (d *daemon) untilResult(part string) {
	d.t.Helper()
	d.until("a result has "+part, func() bool {
		_, _, body := d.page("GET", "/api/v1/results", nil)
		return strings.Contains(strings.ReplaceAll(body, `": "`, `":"`), part)
	})
}

// TestSecretsReplacedUnderARunningAgent replaces every file that a check or a
// receiver reads, in the ways in which that is done. The next check and the next
// notification use the new one, with neither a restart nor a reload.
func TestSecretsReplacedUnderARunningAgent(t *testing.T) {
	t.Parallel()
	var token, secret atomic.Value
	token.Store("token-1")
	secret.Store("signing-1")
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	newTLSEdge := func() *edgetest.Edge {
		return newEdge(t, edgetest.Options{TLS: true, Origin: site})
	}
	edge, stranger := newTLSEdge(), newTLSEdge()

	var signed, unsigned [2]atomic.Int64 // notifications, by address
	hooks := [2]*httptest.Server{}
	for i := range hooks {
		hooks[i] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mac := hmac.New(sha256.New, []byte(secret.Load().(string)))
			mac.Write(body)
			if r.Header.Get("X-Esawatch-Signature") == "sha256="+hex.EncodeToString(mac.Sum(nil)) {
				signed[i].Add(1)
				return
			}
			unsigned[i].Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		t.Cleanup(hooks[i].Close)
	}

	h := newHome(t, `
sites:
  - name: shop
    url: `+edge.URL()+`
    checks:
      - {name: home, auth: {bearer: {token_file: secrets/token}}, tls: {ca_file: ca/ca.pem}}
receivers:
  - name: hook
    webhook: {url_file: hook-url, secret_file: hook-secret}
`)
	h.swap("secrets", map[string]string{"token": "token-1\n"})
	h.swap("ca", map[string]string{"ca.pem": string(stranger.CAPEM())})
	h.write("hook-url", hooks[0].URL)
	h.write("hook-secret", "signing-1")
	d := h.start()

	// The wrong authority, then the right one.
	d.untilResult(`"condition":"tls_untrusted"`)
	d.until("the alert", func() bool { return signed[0].Load() > 0 })
	h.swap("ca", map[string]string{"ca.pem": string(edge.CAPEM())})
	d.untilResult(`"outcome":"pass"`)
	d.until("the end of it", func() bool { return signed[0].Load() > 1 })

	// The receiver wants another signature from now on, at another address.
	h.write("hook-secret.new", "signing-2")
	h.write("hook-url", hooks[1].URL)
	secret.Store("signing-2")
	if err := os.Rename(filepath.Join(h.dir, "config/hook-secret.new"), filepath.Join(h.dir, "config/hook-secret")); err != nil {
		t.Fatal(err)
	}

	// The site takes another token from now on.
	token.Store("token-2")
	d.untilResult(`"condition":"401"`)
	d.until("the alert at the other address", func() bool { return signed[1].Load() > 0 })
	h.swap("secrets", map[string]string{"token": "token-2\n"})
	d.untilResult(`"outcome":"pass"`)

	if n := unsigned[0].Load() + unsigned[1].Load(); n != 0 {
		t.Errorf("%d notifications bear the signature of an old secret", n)
	}
	for _, noise := range []string{"configuration loaded", "configuration not loaded", "level=WARN"} {
		if d.log.has(noise) {
			t.Errorf("the log has %q", noise)
		}
	}
	for _, s := range []string{"token-1", "token-2", "signing-1", "signing-2"} {
		if d.log.has(s) {
			t.Errorf("the log has the secret %q", s)
		}
	}
}

// TestSlackTokenReplaced begins with a token that Slack refuses.
func TestSlackTokenReplaced(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, botReceiver)
	right, err := os.ReadFile(filepath.Join(h.dir, "config/slack-token"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("slack-token", "xoxb-expired\n")
	d := h.start()
	h.edge.Set(edgetest.Status(521))
	d.untilLogged("receiver=oncall", "invalid_auth")
	h.write("slack-token", string(right))
	d.until("Slack is told", func() bool { return len(h.slack.Tops()) == 1 })
	if d.log.has("configuration loaded") {
		t.Error("the configuration was loaded again")
	}
}

// TestConfigMapChange swaps the whole configuration for another, as the kubelet
// does, and nobody sends a signal.
func TestConfigMapChange(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.swap("", map[string]string{"50.yaml": homeSite})
	d := h.start()
	h.swap("", map[string]string{"50.yaml": blogSite})
	d.untilLogged("configuration loaded", "path=", "50.yaml", "checks=1")
	d.until("the new site is watched, and it alone", func() bool {
		body := d.metrics()
		return !hasSeries(body, "shop", "home") && hasSeries(body, "blog", "home")
	})
	h.swap("", map[string]string{"50.yaml": brokenSite})
	d.untilMetric(reloadOK, 0)
	d.untilLogged("level=ERROR", "the old one stays in force", brokenReason)
}

// TestStartWithNoSites is a freshly installed agent: it waits for its first site,
// and does not let go of it again by mistake.
func TestStartWithNoSites(t *testing.T) {
	t.Parallel()
	h := newHome(t, "#sites: later\nreceivers: []\n")
	h.flags = []string{"--allow-no-sites"}
	d := h.start()
	d.untilLogged("level=WARN", "nothing to watch")
	for _, page := range []string{"/", "/-/healthy", "/-/ready"} {
		d.until(page, func() bool { status, _, _ := d.page("GET", page, nil); return status == http.StatusOK })
	}
	h.write("10.yaml", homeSite)
	d.untilAsked(h.edge, 2)
	h.write("10.yaml", "sites: []\n")
	d.untilMetric(reloadOK, 0)
	d.untilAsked(h.edge, 2)
}
