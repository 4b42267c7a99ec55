package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// servers are the three ways to speak HTTP, each of which must honour every option.
func servers(t *testing.T, h http.HandlerFunc) map[string]Request {
	t.Helper()
	plain := serve(t, h)
	url, ca := serveTLS(t, h, nil)
	root := newAuthority(t, "root")
	h3 := serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}}, h)
	return map[string]Request{
		"1.1": {URL: plain, HTTPVersion: "1.1"},
		"2":   {URL: url, HTTPVersion: "2", TLS: TLSOptions{CAFile: ca}},
		"3":   {URL: h3, HTTPVersion: "3", TLS: TLSOptions{CAFile: root.file(t)}},
	}
}

func TestAuth(t *testing.T) {
	var seen recorder
	for version, req := range servers(t, seen.handle(func(http.ResponseWriter, *http.Request) {})) {
		for name, tt := range map[string]struct {
			auth Auth
			want string
		}{
			"basic":  {Auth{BasicUser: "probe", BasicPassword: secret("pa:ss")}, "Basic cHJvYmU6cGE6c3M="},
			"bearer": {Auth{Bearer: secret(" tok.en\n")}, "Bearer tok.en"},
			"none":   {Auth{}, ""},
		} {
			t.Run(name+" "+version, func(t *testing.T) {
				req.Auth = tt.auth
				wantCondition(t, do(t, req), "", "")
				if got := seen.last(t).header.Get("Authorization"); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
		t.Run("user info "+version, func(t *testing.T) {
			req.Auth = Auth{}
			req.URL = strings.Replace(req.URL, "://", "://me:se%2Fcret@", 1)
			r := do(t, req)
			if got := seen.last(t).header.Get("Authorization"); got != "Basic bWU6c2UvY3JldA==" || strings.Contains(r.URL, "cret") {
				t.Errorf("got %q, URL %s", got, r.URL)
			}
		})
	}
}

func TestSecretsFollowTheirFiles(t *testing.T) {
	var seen recorder
	base := serve(t, seen.handle(func(http.ResponseWriter, *http.Request) {}))
	file := writeFile(t, "token", []byte("first"))
	p, err := New(Request{URL: base, Auth: Auth{Bearer: func() (string, error) {
		b, err := os.ReadFile(file)
		return string(b), err
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		wantCondition(t, p.Do(t.Context()), "", "")
		if got := seen.last(t).header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("got %q", got)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r := p.Do(t.Context())
	wantCondition(t, r, catalog.InternalError, "")
	if !strings.HasPrefix(r.Detail, "auth.bearer.token: open ") || seen.count() != 2 {
		t.Errorf("got %s", r.Detail)
	}
}

func TestSecretUnfitForHeader(t *testing.T) {
	r := do(t, Request{URL: "http://127.0.0.1:1", Auth: Auth{Bearer: secret("two\r\nlines")}})
	wantCondition(t, r, catalog.InternalError, "")
	if strings.Contains(r.Detail, "two") {
		t.Errorf("got %s", r.Detail)
	}
}

// TestEchoedSecrets has a server send back what it got, in every place that we
// show.
func TestEchoedSecrets(t *testing.T) {
	const password, key = "correct-horse", "battery-staple"
	req := Request{Auth: Auth{BasicUser: "u", BasicPassword: secret(password)}, Header: http.Header{"X-Api-Key": {key}}}
	const encoded = "dTpjb3JyZWN0LWhvcnNl"
	for _, answer := range []string{
		"HTTP/1.1 " + password + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" + key + " " + encoded + "\r\n\r\n",
		key + "\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: ftp://" + password + "/" + key + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: " + encoded + "\r\n\r\n",
	} {
		req.URL = serveRaw(t, answer)
		r := do(t, req)
		text := r.Detail + strings.Join(r.Notes, " ")
		if r.Condition != catalog.ProtocolError || strings.Contains(text, password) || strings.Contains(text, key) || strings.Contains(text, encoded) || !strings.Contains(text, redacted) {
			t.Errorf("%q: got %q: %s", answer, r.Condition, text)
		}
		if got := r.Redact("body " + password); got != "body <secret>" {
			t.Errorf("got %q", got)
		}
	}
}

// tokenServer issues tokens that name their number.
type tokenServer struct {
	issued  atomic.Int64
	lasting string // expires_in
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "a b" || id != "me" || secret != "s3cret" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"invalid_client","error_description":"wrong: %s"}`, secret)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":%s}`, s.issued.Add(1), s.lasting)
}

func oauth(url, secretText string) Auth {
	return Auth{OAuth2: &OAuth2{TokenURL: url, ClientID: "me", ClientSecret: secret(secretText), Scopes: []string{"a", "b"}}}
}

func TestOAuth2(t *testing.T) {
	for version, req := range servers(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-3" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		io.WriteString(w, r.Header.Get("Authorization"))
	}) {
		t.Run(version, func(t *testing.T) {
			tokens := &tokenServer{lasting: "3600"}
			url := serve(t, tokens.ServeHTTP)
			req.Auth = oauth(url, "s3cret")
			p, err := New(req)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var wg sync.WaitGroup
			for range 8 { // at once: one fetch
				wg.Go(func() {
					if r := p.Do(t.Context()); r.Condition != "" || string(r.Body) != "Bearer token-1" {
						t.Errorf("got %q %q: %s", r.Body, r.Condition, r.Detail)
					}
				})
			}
			wg.Wait()
			tokens.issued.Store(2)
			p.auth.refused()
			for _, want := range []string{"Bearer token-3", "Bearer token-4"} { // refused, so fetched anew
				if r := p.Do(t.Context()); string(r.Body) != want {
					t.Errorf("got %q, want %q", r.Body, want)
				}
			}
		})
	}
}

func TestOAuth2Expiry(t *testing.T) {
	tokens := &tokenServer{lasting: "1"} // sooner than the library's own margin
	base := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("Authorization")) })
	p, err := New(Request{URL: base, Auth: oauth(serve(t, tokens.ServeHTTP), "s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Bearer token-1", "Bearer token-2"} {
		if r := p.Do(t.Context()); string(r.Body) != want {
			t.Errorf("got %q, want %q", r.Body, want)
		}
	}
}

func TestOAuth2Failures(t *testing.T) {
	var seen recorder
	base := serve(t, seen.handle(func(http.ResponseWriter, *http.Request) {}))
	other, _ := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, nil)
	answer := func(status int, body string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status); io.WriteString(w, body) })
	}
	tests := []struct {
		name string
		auth Auth
		want catalog.Condition
		text string
	}{
		{"wrong secret", oauth(serve(t, (&tokenServer{}).ServeHTTP), "wrong-secret"), catalog.InternalError, "oauth2 token endpoint: answered 401 invalid_client"},
		{"secret gone", Auth{OAuth2: &OAuth2{TokenURL: base, ClientID: "me", ClientSecret: func() (string, error) { return "", errors.New("no such file") }}},
			catalog.InternalError, "auth.oauth2.client_secret: no such file"},
		{"refused", oauth("http://"+closedPort(t), "s"), catalog.InternalError, "oauth2 token endpoint: connect 127.0.0.1:"},
		{"no such name", oauth("http://token.invalid", "s"), catalog.InternalError, "oauth2 token endpoint: resolve token.invalid"},
		{"untrusted", oauth(other, "s"), catalog.InternalError, "oauth2 token endpoint: certificate is signed by an authority"},
		{"garbage", oauth(serveRaw(t, "garbage\r\n\r\n"), "s"), catalog.InternalError, "oauth2 token endpoint: "},
		{"closed", oauth("http://"+serveConn(t, func(net.Conn) {}), "s"), catalog.InternalError, "oauth2 token endpoint: "},
		{"proxy", oauth("http://token.invalid", "s"), catalog.InternalError, "oauth2 token endpoint: proxy 127.0.0.1:"},
		{"no JSON", oauth(answer(200, "<html>"), "s"), catalog.InternalError, "oauth2 token endpoint: answered with no token"},
		{"no token", oauth(answer(200, "{}"), "s"), catalog.InternalError, "oauth2 token endpoint: answered with no token"},
		{"broken", oauth(answer(503, "s3cret page"), "s"), catalog.InternalError, "oauth2 token endpoint: answered 503"},
		{"redirect", oauth(serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, base, http.StatusFound) }), "s"), catalog.InternalError, "oauth2 token endpoint: answered 302"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := Request{URL: base, Auth: tt.auth}
			if tt.name == "proxy" {
				req.ProxyURL = "http://" + closedPort(t)
			}
			p, err := New(req)
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "no such name" {
				p.auth.tokens.probe.nameServer = serveDNS(t, nil)
			}
			r := p.Do(t.Context())
			checkSane(t, r)
			if r.Condition != tt.want || !strings.HasPrefix(r.Detail, tt.text) || strings.Contains(r.Detail, "secret ") {
				t.Errorf("got %q: %s; want %q: %s", r.Condition, r.Detail, tt.want, tt.text)
			}
			if r.StatusCode != 0 || r.TLS != nil {
				t.Errorf("the site seems to have answered: %+v", r)
			}
		})
	}
	if seen.count() != 0 {
		t.Errorf("the site was asked %d times without a token", seen.count())
	}
}

// TestClientCertificate shows a client certificate, whose files may change.
func TestClientCertificate(t *testing.T) {
	root := newAuthority(t, "clients")
	for _, version := range []string{"auto", "3"} {
		t.Run(version, func(t *testing.T) {
			name := make(chan string, 1)
			h := func(w http.ResponseWriter, r *http.Request) { name <- r.TLS.PeerCertificates[0].Subject.CommonName }
			var url, ca string
			if version == "3" {
				server := newAuthority(t, "root")
				url = serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{server.leaf(t, nil)}, ClientAuth: tls.RequireAnyClientCert}, h)
				ca = server.file(t)
			} else {
				url, ca = serveTLS(t, h, func(s *httptest.Server) { s.TLS.ClientAuth = tls.RequireAnyClientCert })
			}
			cert, key := pairFiles(t, root.leaf(t, nil))
			p, err := New(Request{URL: url, HTTPVersion: version, TLS: TLSOptions{CAFile: ca, CertFile: cert, KeyFile: key}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			wantCondition(t, p.Do(t.Context()), "", "")
			if got := <-name; got != "site" {
				t.Errorf("got %q", got)
			}

			renewedCert, renewedKey := pairFiles(t, renamed(t, root, "renewed"))
			later := time.Now().Add(time.Minute)
			for from, to := range map[string]string{renewedCert: cert, renewedKey: key} {
				if err := errors.Join(os.Rename(from, to), os.Chtimes(to, later, later)); err != nil {
					t.Fatal(err)
				}
			}
			wantCondition(t, p.Do(t.Context()), "", "")
			if got := <-name; got != "renewed" {
				t.Errorf("got %q after the files changed", got)
			}

			if err := os.Remove(key); err != nil {
				t.Fatal(err)
			}
			r := p.Do(t.Context())
			if r.Condition != catalog.InternalError || !strings.Contains(r.Detail, "tls.key_file: ") {
				t.Errorf("got %q: %s", r.Condition, r.Detail)
			}
		})
	}
}

func renamed(t *testing.T, a *authority, name string) tls.Certificate {
	t.Helper()
	return a.leaf(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
}
