package probe

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/esawatch/esawatch/checks/catalog"
)

// visit is a request as a server saw it.
type visit struct {
	method, host, path, body string
	header                   http.Header
}

// recorder keeps the visits of a server.
type recorder struct {
	mu     sync.Mutex
	visits []visit
}

func (r *recorder) handle(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.visits = append(r.visits, visit{req.Method, req.Host, req.URL.RequestURI(), string(body), req.Header.Clone()})
		r.mu.Unlock()
		h(w, req)
	}
}

func (r *recorder) last(t *testing.T) visit {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.visits) == 0 {
		t.Fatal("nobody came")
	}
	return r.visits[len(r.visits)-1]
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.visits)
}

// TestRedirectMethods holds the method and the body after each kind of redirect.
func TestRedirectMethods(t *testing.T) {
	tests := []struct {
		method string
		status int
		want   string
		body   bool
	}{
		{"GET", 301, "GET", false}, {"HEAD", 302, "HEAD", false}, {"HEAD", 303, "HEAD", false},
		{"POST", 301, "GET", false}, {"POST", 302, "GET", false}, {"POST", 303, "GET", false},
		{"PUT", 301, "PUT", true}, {"PUT", 302, "PUT", true}, {"PUT", 303, "GET", false}, {"DELETE", 303, "GET", false},
		{"POST", 307, "POST", true}, {"POST", 308, "POST", true}, {"PATCH", 308, "PATCH", true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.method, tt.status), func(t *testing.T) {
			var seen recorder
			base := serve(t, seen.handle(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/" {
					w.Header().Set("Location", "end?a=b")
					w.WriteHeader(tt.status)
				}
			}))
			req := Request{URL: base, Method: tt.method, Header: http.Header{"Content-Type": {"text/plain"}}}
			if tt.method != "GET" && tt.method != "HEAD" {
				req.Body = []byte("data")
			}
			r := do(t, req)
			wantCondition(t, r, "", "")
			got := seen.last(t)
			if got.method != tt.want || got.path != "/end?a=b" || (got.body == "data") != tt.body || (got.header.Get("Content-Type") != "") != (tt.body || tt.method == "GET" || tt.method == "HEAD") {
				t.Errorf("got %+v, want %s, body %v", got, tt.want, tt.body)
			}
			if r.Redirects != 1 || r.URL != base+"/end?a=b" || r.StatusCode != 200 {
				t.Errorf("got %d redirects to %s, status %d", r.Redirects, r.URL, r.StatusCode)
			}
		})
	}
}

func TestRedirectLoop(t *testing.T) {
	var seen recorder
	base := serve(t, seen.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("EagleId", "a3b54e9817588532784852695e")
		http.Redirect(w, r, "/again?token=x", http.StatusFound)
	}))
	for _, limit := range []int{0, 3} {
		before := seen.count()
		r := do(t, Request{URL: base, MaxRedirects: limit})
		wantCondition(t, r, catalog.RedirectLoop, phaseTransfer)
		want := limit
		if limit == 0 {
			want = DefaultMaxRedirects
		}
		if n := seen.count() - before; n != want+1 || r.Redirects != want {
			t.Errorf("asked %d times, %d redirects, want %d", n, r.Redirects, want)
		}
		if r.StatusCode != 302 || r.Header.Get("Location") == "" || r.Edge.NodeIP != "163.181.78.152" {
			t.Errorf("lost the last answer: %d %v %+v", r.StatusCode, r.Header, r.Edge)
		}
		if strings.Contains(r.Detail, "token") {
			t.Errorf("the query is shown: %s", r.Detail)
		}
		wantNote(t, r, "redirected to: "+base+"/again", "")
	}
}

// TestRedirectAsAnswer takes what is no redirect to follow as the answer.
func TestRedirectAsAnswer(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/nowhere":
			w.WriteHeader(302)
		case "/unchanged":
			w.Header().Set("Location", "/")
			w.WriteHeader(304)
		default:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(301)
			io.WriteString(w, "moved")
		}
	})
	for path, want := range map[string]int{"/nowhere": 302, "/unchanged": 304} {
		if r := do(t, Request{URL: base + path}); r.StatusCode != want || r.Condition != "" || r.Redirects != 0 {
			t.Errorf("%s: got %d %q", path, r.StatusCode, r.Condition)
		}
	}
	r := do(t, Request{URL: base, NoRedirects: true})
	if r.StatusCode != 301 || string(r.Body) != "moved" || r.Condition != "" {
		t.Errorf("got %d %q %q", r.StatusCode, r.Body, r.Condition)
	}
}

func TestRedirectToNonsense(t *testing.T) {
	for _, location := range []string{"ftp://site.test/", "mailto:a@b", "http://", "http://[::1", "http://host:99999/", "http://a b/", "%zz:", "http://xn--a\u0301\u200b.test/"} {
		base := serveRaw(t, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "+location+"\r\n\r\n")
		r := do(t, Request{URL: base})
		if r.Condition != catalog.ProtocolError || r.StatusCode != 302 || !strings.HasPrefix(r.Detail, "redirect 302 to ") {
			t.Errorf("%q: got %q, %d: %s", location, r.Condition, r.StatusCode, r.Detail)
		}
	}
}

// TestSecretsAcrossHosts sends everything secret to one host and follows it to
// another and back: nothing may arrive there, nor again at the first.
func TestSecretsAcrossHosts(t *testing.T) {
	var here, there recorder
	var hereURL, thereURL string
	hereURL = serve(t, here.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, thereURL+"/out", http.StatusTemporaryRedirect)
		}
	}))
	// The same address by another name is another host.
	thereURL = strings.Replace(serve(t, there.handle(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, hereURL+"/back", http.StatusTemporaryRedirect)
	})), "127.0.0.1", "localhost", 1)
	r := do(t, Request{
		URL: hereURL, Header: http.Header{"Cookie": {"sid=secret1"}, "X-Api-Key": {"secret2"}, "Proxy-Authorization": {"secret3"}, "Accept-Language": {"de"}},
		Auth: Auth{BasicUser: "u", BasicPassword: secret("secret4")}, Method: "PUT",
	})
	wantCondition(t, r, "", "")
	first := here.visits[0].header
	for _, name := range []string{"Cookie", "X-Api-Key", "Authorization"} {
		if first.Get(name) == "" {
			t.Errorf("%s did not arrive at all", name)
		}
	}
	for _, v := range []visit{there.last(t), here.last(t)} {
		if text := fmt.Sprint(v); strings.Contains(text, "secret") || v.header.Get("Authorization") != "" || v.header.Get("Accept-Language") != "de" {
			t.Errorf("got %s", text)
		}
	}
	if r.Redirects != 2 || r.URL != hereURL+"/back" {
		t.Errorf("got %d redirects to %s", r.Redirects, r.URL)
	}
}

func TestTrusted(t *testing.T) {
	tests := []struct {
		from, to string
		want     bool
	}{
		{"https://a.test/x", "https://A.test:443/y", true},
		{"http://a.test", "https://a.test", true},
		{"http://a.test:8080", "https://a.test", false},
		{"http://a.test", "https://a.test:8443", false},
		{"https://a.test", "http://a.test", false},
		{"https://a.test", "https://a.test:8443", false},
		{"https://a.test", "https://www.a.test", false},
		{"https://a.test", "https://a.test.evil.test", false},
		{"https://[::1]:1", "https://[::1]:1", true},
	}
	for _, tt := range tests {
		from, _ := parseURL(tt.from)
		to, _ := parseURL(tt.to)
		if got := trusted(from, to); got != tt.want {
			t.Errorf("trusted(%s, %s) = %v", tt.from, tt.to, got)
		}
	}
}

// TestCookies carries cookies over redirects, and not into the next run.
func TestCookies(t *testing.T) {
	var seen recorder
	base := serve(t, seen.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "new", Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "other", Value: "1", Path: "/elsewhere"})
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	}))
	p, err := New(Request{URL: base, Header: http.Header{"Cookie": {"sid=old; lang=de"}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wantCondition(t, p.Do(t.Context()), "", "")
		first, second := seen.visits[len(seen.visits)-2], seen.last(t)
		if got := first.header.Get("Cookie"); got != "sid=old; lang=de" {
			t.Errorf("first request: got %q", got)
		}
		if got := second.header.Get("Cookie"); got != "lang=de; sid=new" {
			t.Errorf("second request: got %q", got)
		}
	}
}

func TestDowngradeIsNoted(t *testing.T) {
	plain := serveRaw(t, "nonsense\r\n\r\n")
	url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain, http.StatusFound) }, nil)
	r := do(t, Request{URL: url, TLS: TLSOptions{CAFile: ca}})
	wantCondition(t, r, catalog.ProtocolError, phaseTransfer)
	wantNote(t, r, "redirect: from https down to http", "")
	wantNote(t, r, "redirected to: "+plain, "")
	if r.URL != plain+"/" || r.StatusCode != 0 || r.TLS != nil || r.Redirects != 1 {
		t.Errorf("got %s %d %v %d", r.URL, r.StatusCode, r.TLS, r.Redirects)
	}
}

// TestRedirectToMetadata refuses the addresses that only insiders may ask.
func TestRedirectToMetadata(t *testing.T) {
	for _, target := range []string{"http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/", "http://metadata.invalid/"} {
		p, err := New(Request{URL: serveRaw(t, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "+target+"\r\n\r\n")})
		if err != nil {
			t.Fatal(err)
		}
		p.nameServer = serveDNS(t, map[string]zone{"metadata.invalid": {linkLocal: true}})
		r := p.Do(t.Context())
		checkSane(t, r)
		wantCondition(t, r, catalog.ConnectUnreachable, phaseConnect)
		if !strings.Contains(r.Detail, errLinkLocal.Error()) {
			t.Errorf("%s: got %s", target, r.Detail)
		}
	}
}

// TestConnectToStaysPinned follows redirects: the same host and port stays at
// the pinned address, with Host and SNI of the URL, another goes its own way.
func TestConnectToStaysPinned(t *testing.T) {
	var pinned, other recorder
	otherURL := serve(t, other.handle(func(http.ResponseWriter, *http.Request) {}))
	var names []string
	var mu sync.Mutex
	url, ca := serveTLS(t, pinned.handle(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		names = append(names, r.TLS.ServerName)
		mu.Unlock()
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "https://SITE.test/two", http.StatusFound)
		case "/two":
			http.Redirect(w, r, otherURL, http.StatusFound)
		}
	}), nil)
	r := do(t, Request{URL: "https://site.test", ConnectTo: strings.TrimPrefix(url, "https://"), TLS: TLSOptions{CAFile: ca}})
	wantCondition(t, r, "", "")
	if pinned.count() != 2 || other.count() != 1 || r.Redirects != 2 {
		t.Errorf("%d visits, then %d", pinned.count(), other.count())
	}
	if pinned.last(t).host != "site.test" || fmt.Sprint(names) != "[site.test site.test]" {
		t.Errorf("got host %q, names %q", pinned.last(t).host, names)
	}
}
