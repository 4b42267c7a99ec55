package probe

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// TestOptionsInEveryVersion sends the same request over HTTP/1.1, 2 and 3.
func TestOptionsInEveryVersion(t *testing.T) {
	var seen recorder
	h := seen.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("EagleId", "a3b54e9817588532784852695e")
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(521)
		w.Write(encode(t, "gzip", []byte("down"), 1))
	})
	proto := map[string]string{"1.1": "1.1", "2": "2.0", "3": "3.0"}
	for version, req := range servers(t, h) {
		t.Run(version, func(t *testing.T) {
			address := req.URL[strings.Index(req.URL, "://")+3:]
			req.URL = strings.Replace(req.URL, address, "site.test/a?b=c", 1)
			req.ConnectTo = address
			req.Method, req.Body, req.UserAgent = "POST", []byte("payload"), "esawatch/1"
			req.Header = http.Header{"host": {"shop.test"}, "X-Probe": {"one", "two"}}
			req.TLS.ServerName = "site.test"
			req.IPFamily = "4"
			r := do(t, req)
			wantCondition(t, r, "", "")
			got := seen.last(t)
			if got.method != "POST" || got.host != "shop.test" || got.path != "/a?b=c" || got.body != "payload" {
				t.Errorf("got %+v", got)
			}
			if got.header.Get("User-Agent") != "esawatch/1" || fmt.Sprint(got.header["X-Probe"]) != "[one two]" ||
				got.header.Get("Accept") != "*/*" || got.header.Get("Accept-Encoding") != acceptEncoding || got.header.Get("Connection") != "" {
				t.Errorf("got %v", got.header)
			}
			if r.StatusCode != 521 || r.HTTPVersion != proto[version] || string(r.Body) != "down" || r.RemoteAddr != address || r.Edge.NodeIP != "163.181.78.152" {
				t.Errorf("got %+v", r)
			}
			if (r.TLS != nil) != (version != "1.1") || r.TLS != nil && r.TLS.Version != "TLS 1.3" {
				t.Errorf("got TLS %+v", r.TLS)
			}
			if p := r.Phases; p.Connect == 0 || p.Processing == 0 || (p.TLS != 0) != (version == "2") || p.Resolve != 0 {
				t.Errorf("got phases %+v", p)
			}
		})
	}
}

func TestHostHeaderSetsServerName(t *testing.T) {
	root := newAuthority(t, "root")
	url, _ := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS.ServerName, " ", r.Host) },
		func(s *httptest.Server) { s.TLS.Certificates[0] = root.leaf(t, nil) })
	for _, tt := range []struct {
		req  Request
		want string
	}{
		{Request{}, " " + strings.TrimPrefix(url, "https://")},
		{Request{Header: http.Header{"Host": {"site.test"}}}, "site.test site.test"},
		{Request{Header: http.Header{"Host": {"site.test:8443"}}}, "site.test site.test:8443"},
		{Request{Header: http.Header{"Host": {"shop.test"}}, TLS: TLSOptions{ServerName: "site.test"}}, "site.test shop.test"},
	} {
		tt.req.URL, tt.req.TLS.CAFile = url, root.file(t)
		if r := do(t, tt.req); string(r.Body) != tt.want || r.Condition != "" {
			t.Errorf("%+v: got %q, %s", tt.req.Header, r.Body, r.Detail)
		}
	}
	r := do(t, Request{URL: url, Header: http.Header{"Host": {"shop.test"}}, TLS: TLSOptions{CAFile: root.file(t)}})
	wantCondition(t, r, catalog.TLSWrongHost, phaseTLS)
	wantNote(t, r, "asked for: shop.test", "")
	wantNote(t, r, "names: site.test, localhost, 127.0.0.1, ::1", "")
}

func TestHTTPVersions(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }
	both, ca := serveTLS(t, h, nil)
	old, oldCA := serveTLS(t, h, func(s *httptest.Server) { s.EnableHTTP2 = false })
	only2, only2CA := serveTLS(t, h, func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP2(true)
		s.TLS.NextProtos = []string{"h2"}
	})
	h2c := httptest.NewUnstartedServer(http.HandlerFunc(h))
	h2c.Config.Protocols = new(http.Protocols)
	h2c.Config.Protocols.SetUnencryptedHTTP2(true)
	h2c.Start()
	t.Cleanup(h2c.Close)
	for _, tt := range []struct{ url, ca, version, want string }{
		{both, ca, "auto", "HTTP/2.0"}, {both, ca, "1.1", "HTTP/1.1"}, {both, ca, "2", "HTTP/2.0"},
		{old, oldCA, "auto", "HTTP/1.1"}, {only2, only2CA, "auto", "HTTP/2.0"}, {only2, only2CA, "2", "HTTP/2.0"},
		{serve(t, h), "", "auto", "HTTP/1.1"}, {h2c.URL, "", "2", "HTTP/2.0"},
	} {
		r := do(t, Request{URL: tt.url, HTTPVersion: tt.version, TLS: TLSOptions{CAFile: tt.ca}})
		if string(r.Body) != tt.want || r.Condition != "" || "HTTP/"+r.HTTPVersion != tt.want {
			t.Errorf("%s: got %q, %s", tt.version, r.Body, r.Detail)
		}
	}
	r := do(t, Request{URL: only2, HTTPVersion: "1.1", TLS: TLSOptions{CAFile: only2CA}})
	wantCondition(t, r, catalog.ConnectionReset, phaseProcessing)
	r = do(t, Request{URL: serve(t, h), HTTPVersion: "2"})                              // HTTP/1.1's answer to HTTP/2's preface
	if r.Condition != catalog.ProtocolError && r.Condition != catalog.ConnectionReset { // whichever is seen first
		t.Errorf("got %q: %s", r.Condition, r.Detail)
	}
}

func TestHTTP3Failures(t *testing.T) {
	root := newAuthority(t, "root")
	config := &tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}}
	ca := TLSOptions{CAFile: root.file(t)}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	closed := udp.LocalAddr().String()
	udp.Close()
	mute, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	release := make(chan struct{})
	site := serveHTTP3(t, config, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/half":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
		case "/header":
			w.Header().Set("X", strings.Repeat("a", headerLimit))
		case "/hang":
			<-release
		case "/drip":
			io.WriteString(w, "drip")
			w.(http.Flusher).Flush()
			<-release
		case "/down":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}
	})
	defer close(release)
	for _, tt := range []struct {
		url    string
		want   catalog.Condition
		phase  string
		status int
	}{
		{"https://" + closed, catalog.ConnectRefused, phaseConnect, 0},
		{"https://" + mute.LocalAddr().String(), catalog.ConnectTimeout, phaseConnect, 0},
		{site + "/abort", catalog.ConnectionReset, phaseProcessing, 0},
		{site + "/half", catalog.ConnectionReset, phaseTransfer, 200},
		{site + "/header", catalog.ProtocolError, "", 0},
		{site + "/hang", catalog.Timeout, phaseProcessing, 0},
		{site + "/drip", catalog.Timeout, phaseTransfer, 200},
		{site + "/down", catalog.ProtocolError, phaseConnect, 0},
	} {
		r := do(t, Request{URL: tt.url, HTTPVersion: "3", TLS: ca, Timeout: time.Second})
		if r.Condition != tt.want || tt.phase != "" && r.Phase != tt.phase || r.StatusCode != tt.status {
			t.Errorf("%s: got %q in %q, status %d: %s", tt.url, r.Condition, r.Phase, r.StatusCode, r.Detail)
		}
		if r.Condition == catalog.ConnectRefused || r.Condition == catalog.ConnectTimeout {
			wantNote(t, r, "HTTP/3: asked over UDP only", "")
		}
	}
}

func TestHosts(t *testing.T) {
	var seen recorder
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: seen.handle(func(http.ResponseWriter, *http.Request) {})}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	defer func() { s.Close(); <-done }()
	address := l.Addr().String()
	for _, tt := range []struct{ url, host, shown string }{
		{"http://" + address, address, "http://" + address + "/"},
		{"http://bücher.test/straße", "xn--bcher-kva.test", "http://xn--bcher-kva.test/stra%C3%9Fe"},
		{"HTTP://Site.TEST:80/#top", "site.test:80", "http://site.test:80/"},
		{"http://例え.テスト:8080?q=ü", "xn--r8jz45g.xn--zckzah:8080", "http://xn--r8jz45g.xn--zckzah:8080/?q=%C3%BC"},
		{"http://under_score.test", "under_score.test", "http://under_score.test/"},
	} {
		r := do(t, Request{URL: tt.url, ConnectTo: address})
		wantCondition(t, r, "", "")
		if got := seen.last(t).host; got != tt.host || r.URL != tt.shown {
			t.Errorf("%s: got host %q, URL %s", tt.url, got, r.URL)
		}
	}
}

func TestWireURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://bücher.test:8443/straße?q=ü": "https://xn--bcher-kva.test:8443/stra%C3%9Fe?q=ü",
		"https://Shop.test":                   "https://Shop.test",
		"http://[::1]:80/":                    "http://[::1]:80/",
		"https://-ü.test/":                    "https://-ü.test/",
		"http://%zz":                          "http://%zz",
		"":                                    "",
	} {
		if got := WireURL(raw); got != want {
			t.Errorf("WireURL(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestFamily(t *testing.T) {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(serve(t, func(http.ResponseWriter, *http.Request) {}), "http://"))
	server := serveDNS(t, map[string]zone{"both.invalid": {v4: true, v6: true}})
	ask := func(family string) *Response {
		p, err := New(Request{URL: "http://both.invalid:" + port, IPFamily: family})
		if err != nil {
			t.Fatal(err)
		}
		p.nameServer = server
		return p.Do(t.Context())
	}
	for _, family := range []string{"any", "4"} { // nothing listens on ::1
		r := ask(family)
		checkSane(t, r)
		wantCondition(t, r, "", "")
		if r.RemoteAddr != "127.0.0.1:"+port {
			t.Errorf("%s: got %s", family, r.RemoteAddr)
		}
	}
	r := ask("6")
	wantCondition(t, r, catalog.ConnectRefused, phaseConnect)
}

// TestEarlyHints measures to the real first byte and not to that of an interim
// answer.
func TestEarlyHints(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		time.Sleep(50 * time.Millisecond)
		io.WriteString(w, "page")
	})
	r := do(t, Request{URL: base})
	wantCondition(t, r, "", "")
	if r.StatusCode != 200 || r.Phases.Processing < 50*time.Millisecond {
		t.Errorf("got %d, phases %+v", r.StatusCode, r.Phases)
	}
}

// TestPhasesOverRedirects sums the phases of all requests.
func TestPhasesOverRedirects(t *testing.T) {
	url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	}, nil)
	r := do(t, Request{URL: url, TLS: TLSOptions{CAFile: ca}})
	wantCondition(t, r, "", "")
	if p := r.Phases; p.Processing < 40*time.Millisecond || p.Connect == 0 || p.TLS == 0 {
		t.Errorf("got %+v", p)
	}
	if sum := r.Phases.Connect + r.Phases.TLS + r.Phases.Processing + r.Phases.Transfer; r.Duration-sum > 20*time.Millisecond {
		t.Errorf("phases %+v leave out much of %s", r.Phases, r.Duration)
	}
}

func TestReuse(t *testing.T) {
	for version, req := range servers(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/end", http.StatusFound)
			return
		}
		io.WriteString(w, r.RemoteAddr)
	}) {
		t.Run(version, func(t *testing.T) {
			addresses := map[bool]map[string]bool{true: {}, false: {}}
			for _, reuse := range []bool{true, false} {
				req.Reuse = reuse
				p, err := New(req)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				for i := range 3 {
					r := p.Do(t.Context())
					checkSane(t, r)
					wantCondition(t, r, "", "")
					addresses[reuse][string(r.Body)] = true
					if reuse && i > 0 && (r.Phases.Connect != 0 || r.Phases.TLS != 0 || r.Phases.Processing == 0) {
						t.Errorf("got phases %+v of a kept connection", r.Phases)
					}
					if r.RemoteAddr == "" || (r.TLS != nil) != (version != "1.1") {
						t.Errorf("got %s, %+v", r.RemoteAddr, r.TLS)
					}
				}
			}
			if len(addresses[true]) != 1 || len(addresses[false]) != 3 {
				t.Errorf("reused: from %d addresses; fresh: from %d", len(addresses[true]), len(addresses[false]))
			}
		})
	}
}

// TestRootsFollowTheirFile trusts another authority as soon as its file says so.
func TestRootsFollowTheirFile(t *testing.T) {
	url, ca := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, nil)
	roots := newAuthority(t, "other").file(t)
	p, err := New(Request{URL: url, TLS: TLSOptions{CAFile: roots}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	wantCondition(t, p.Do(t.Context()), catalog.TLSUntrusted, phaseTLS)
	right, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := errors.Join(os.WriteFile(roots, right, 0o600), os.Chtimes(roots, later, later)); err != nil {
		t.Fatal(err)
	}
	wantCondition(t, p.Do(t.Context()), "", "")
}

// TestReuseAfterServerClosed asks once more when a kept connection turns out
// to be dead, and takes no failure of the new one for that.
func TestReuseAfterServerClosed(t *testing.T) {
	var served atomic.Int32
	base := "http://" + serveConn(t, func(c net.Conn) {
		if n := served.Add(1); readRequest(c) == nil && n < 3 {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			readRequest(c) // and closes instead of answering
		}
	})
	p, err := New(Request{URL: base, Reuse: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i, want := range []catalog.Condition{"", "", catalog.ConnectionReset} {
		if r := p.Do(t.Context()); r.Condition != want {
			t.Errorf("run %d: got %q: %s", i, r.Condition, r.Detail)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	ca := newAuthority(t, "root")
	cert, _ := pairFiles(t, ca.leaf(t, nil))
	_, otherKey := pairFiles(t, ca.leaf(t, nil))
	missing := "/does/not/exist.pem"
	for _, tt := range []struct {
		req  Request
		want string // prefix of one of the errors
	}{
		{Request{URL: ""}, `url: scheme ""`},
		{Request{URL: "shop.test"}, `url: scheme "" (want http or https)`},
		{Request{URL: "ftp://shop.test"}, `url: scheme "ftp" (want http or https)`},
		{Request{URL: "http://"}, "url: no host"},
		{Request{URL: "http://u:hunter2@sh op.test"}, `url: invalid character " " in host name`},
		{Request{URL: "http://a.test:0"}, `url: port "0"`},
		{Request{URL: "http://a.test:70000"}, `url: port "70000"`},
		{Request{URL: "http://-ü.test"}, "url: host "},
		{Request{Method: "G ET"}, `method: "G ET" is no HTTP method`},
		{Request{Method: "CONNECT"}, "method: CONNECT"},
		{Request{Method: "HEAD", Body: []byte("a")}, "body: HEAD carries none"},
		{Request{Timeout: -1}, "timeout: -1ns is negative"},
		{Request{MaxRedirects: -1}, "max_redirects: -1 is negative"},
		{Request{MaxBodyBytes: -1}, "max_body_bytes: -1 is negative"},
		{Request{IPFamily: "5"}, `ip_family: "5" (want any, 4 or 6)`},
		{Request{HTTPVersion: "1"}, `http_version: "1" (want auto, 1.1, 2 or 3)`},
		{Request{URL: "http://a.test", HTTPVersion: "3"}, "http_version: 3 needs an https URL"},
		{Request{ConnectTo: "203.0.113.10"}, `connect_to: "203.0.113.10" (want HOST:PORT)`},
		{Request{ConnectTo: "a.test:http"}, `connect_to: "a.test:http": port "http"`},
		{Request{ConnectTo: "203.0.113.10:443", IPFamily: "6"}, "ip_family: 6, but the address to dial is 203.0.113.10"},
		{Request{URL: "https://[::1]", IPFamily: "4"}, "ip_family: 4, but the address to dial is ::1"},
		{Request{Header: http.Header{"A b": {"c"}}}, "headers.A b: is no header name"},
		{Request{Header: http.Header{"A": {"hunter2\n"}}}, "headers.A: its value has a character that no header may have"},
		{Request{Header: http.Header{"Content-Length": {"3"}}}, "headers.Content-Length: is set by the body"},
		{Request{Header: http.Header{"connection": {"close"}}}, "headers.connection: is set by"},
		{Request{Header: http.Header{"Host": {"a/b"}}}, "headers.Host: is no host name"},
		{Request{UserAgent: "a\nb"}, "user_agent: has a character"},
		{Request{TLS: TLSOptions{MinVersion: "1.4"}}, `tls.min_version: "1.4" (want 1.0, 1.1, 1.2 or 1.3)`},
		{Request{TLS: TLSOptions{CertFile: cert}}, "tls.cert_file: and tls.key_file go together"},
		{Request{TLS: TLSOptions{CertFile: cert, KeyFile: otherKey}}, "tls.cert_file: tls: private key does not match"},
		{Request{TLS: TLSOptions{CAFile: missing}}, "tls.ca_file: stat " + missing},
		{Request{TLS: TLSOptions{CAFile: otherKey}}, "tls.ca_file: read "},
		{Request{ProxyURL: "ftp://a.test"}, `proxy_url: scheme "ftp" (want http, https or socks5)`},
		{Request{ProxyURL: "http://u:hunter2@:80"}, "proxy_url: no host"},
		{Request{ProxyURL: "http://u:hunter2@%zz"}, "proxy_url: is no URL"},
		{Request{ProxyURL: "http://a.test", HTTPVersion: "3"}, "proxy_url: no proxy carries http_version 3"},
		{Request{ProxyURL: "http://a.test", IPFamily: "4"}, "ip_family: 4 cannot be kept with a proxy_url"},
		{Request{URL: "http://b.test", ProxyURL: "http://a.test", ConnectTo: "c.test:80"}, "connect_to: cannot be kept"},
		{Request{URL: "http://b.test", ProxyURL: "http://a.test", HTTPVersion: "2"}, "http_version: 2 cannot be had"},
		{Request{Auth: Auth{Bearer: secret("a"), BasicPassword: secret("b")}}, "auth: 2 ways to authenticate"},
		{Request{URL: "https://u:hunter2@a.test", Auth: Auth{Bearer: secret("a")}}, "auth: 2 ways to authenticate"},
		{Request{Header: http.Header{"Authorization": {"hunter2"}}, Auth: Auth{Bearer: secret("a")}}, "auth: and a header Authorization"},
		{Request{Auth: Auth{OAuth2: &OAuth2{ClientID: "a", ClientSecret: secret("b")}}}, `auth.oauth2.token_url: url: scheme ""`},
		{Request{Auth: Auth{OAuth2: &OAuth2{TokenURL: "https://a.test", ClientSecret: secret("b")}}}, "auth.oauth2.client_id: is missing"},
	} {
		if tt.req.URL == "" && !strings.HasPrefix(tt.want, "url:") {
			tt.req.URL = "https://a.test"
		}
		_, err := New(tt.req)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
		if err != nil && !is[*FieldError](err) {
			t.Errorf("%v: no FieldError", err)
		}
	}
	_, err := New(Request{URL: "https://a.test", Timeout: -1, IPFamily: "5", TLS: TLSOptions{MinVersion: "9"}})
	if n := strings.Count(fmt.Sprint(err), "\n"); n != 2 {
		t.Errorf("got %v, want three errors", err)
	}
}

// TestQueryOnTheWire holds that a query goes out as a browser would send it.
func TestQueryOnTheWire(t *testing.T) {
	for in, want := range map[string]string{
		"https://shop.invalid/?q=好&x=\"<>\"":   "https://shop.invalid/?q=%E5%A5%BD&x=%22%3C%3E%22",
		"https://shop.invalid/?q=%e5+b&c=%22'": "https://shop.invalid/?q=%e5+b&c=%22'",
		"https://shop.invalid/路?":              "https://shop.invalid/%E8%B7%AF?",
	} {
		p, err := New(Request{URL: in})
		if err != nil {
			t.Fatal(err)
		}
		if p.url != want {
			t.Errorf("%s is asked as %s, want %s", in, p.url, want)
		}
	}
}
