package web

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pretended is a listener that says it listens elsewhere.
type pretended struct {
	net.Listener
	addr net.Addr
}

func (p pretended) Addr() net.Addr { return p.addr }

func TestMayChange(t *testing.T) {
	auth, open := file(t, "auth.yml", basicAuth), file(t, "open.yml", "http_server_config: {http2: true}\n")
	broken := file(t, "broken.yml", "basic_auth_users: [\n")
	clients := file(t, "clients.yml", "tls_server_config: {client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}\n")
	strangers := file(t, "strangers.yml", "tls_server_config: {client_auth_type: RequireAndVerifyClientCert}\n")
	anyone := file(t, "anyone.yml", "tls_server_config: {client_auth_type: VerifyClientCertIfGiven}\n")
	for _, tt := range []struct {
		name, addr, file, want string // want: "" = allowed, else in the reason
	}{
		{"loopback", "127.0.0.1:9522", "", ""},
		{"all of loopback", "127.9.8.7:9522", "", ""},
		{"loopback of IPv6", "[::1]:9522", "", ""},
		{"loopback with an open file", "127.0.0.1:9522", open, ""},
		{"any address", "0.0.0.0:9522", "", "loopback"},
		{"any address of IPv6", "[::]:9522", "", "loopback"},
		{"a private address", "10.0.0.5:9522", "", "loopback"},
		{"open file", "0.0.0.0:9522", open, "loopback"},
		{"passwords", "0.0.0.0:9522", auth, ""},
		{"client certificates", "0.0.0.0:9522", clients, ""},
		{"client certificates of any authority", "0.0.0.0:9522", strangers, "loopback"},
		{"client certificates if they like", "0.0.0.0:9522", anyone, "loopback"},
		{"file that is gone", "0.0.0.0:9522", filepath.Join(t.TempDir(), "none.yml"), "web.config_file"},
		{"file that is broken", "0.0.0.0:9522", broken, "web.config_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr, err := net.ResolveTCPAddr("tcp", tt.addr)
			if err != nil {
				t.Fatal(err)
			}
			s := &Server{listener: pretended{addr: addr}, opts: Options{ConfigFile: tt.file}}
			err = s.mayChange()
			if tt.want == "" && err != nil {
				t.Errorf("got %v, want it allowed", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want a reason with %q", err, tt.want)
			}
		})
	}
}

// TestMayChangeFollowsTheFile: the toolkit stops asking for passwords as soon as
// its file holds none, so nothing may be changed from then on.
func TestMayChangeFollowsTheFile(t *testing.T) {
	path := file(t, "web.yml", basicAuth)
	s := &Server{listener: pretended{addr: &net.TCPAddr{IP: net.IPv4zero}}, opts: Options{ConfigFile: path}}
	if err := s.mayChange(); err != nil {
		t.Fatalf("with passwords: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.mayChange(); err == nil {
		t.Error("without passwords: allowed")
	}
}

func TestGuard(t *testing.T) {
	reloads := 0
	opts := options()
	opts.Reload = func() error { reloads++; return nil }
	s, _ := start(t, opts)
	s.Show(Content{ExternalURL: "https://Watch.example.com:8443/esa/"})
	addr := s.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	for _, tt := range []struct {
		name string
		edit func(*http.Request)
		want int
	}{
		{"curl", nil, 200},
		{"own page", header("Sec-Fetch-Site", "same-origin"), 200},
		{"typed into the address bar", header("Sec-Fetch-Site", "none"), 200},
		{"another site's page", header("Sec-Fetch-Site", "cross-site"), 403},
		{"another port's page", header("Sec-Fetch-Site", "same-site"), 403},
		{"old browser, own page", header("Origin", "http://"+addr), 200},
		{"old browser, another site's page", header("Origin", "https://evil.example"), 403},
		{"old browser, a page with no origin", header("Origin", "null"), 403},
		{"localhost", host("localhost:" + port), 200},
		{"LOCALHOST", host("LOCALHOST"), 200},
		{"IPv6", host("[::1]:" + port), 200},
		{"IPv6 with no port", host("[::1]"), 200},
		{"localhost as the root of names has it", host("localhost."), 200},
		{"external URL", host("watch.example.com"), 200},
		{"external URL, with a dot", host("WATCH.example.com.:8443"), 200},
		{"external URL, with port", host("watch.example.com:8443"), 200},
		{"a name that was made to point here", host("evil.example:" + port), 403},
		{"an address in a name", host("127.0.0.1.evil.example"), 403},
		{"localhost in a name", host("localhost.evil.example"), 403},
		{"below the external URL", host("x.watch.example.com"), 403},
		{"below localhost", host("evil.localhost"), 403},
		{"two dots", host("localhost..:80"), 403},
		{"an address and a dot", host("127.0.0.1."), 403},
		{"an address with no dots", host("2130706433"), 403},
		{"an address in hexadecimal", host("0x7f.1"), 403},
		{"a name in brackets", host("[localhost]"), 403},
		{"IPv6 in no brackets", host("::1"), 403},
		{"IPv6 with no end", host("[::1"), 403},
		{"a user before localhost", host("evil.example@localhost"), 403},
		{"no port", host("localhost:"), 200},
		{"another port", host("localhost:1"), 200},
		{"no number for a port", host("localhost:evil"), 403},
		{"page of the external URL, the name not passed on", func(r *http.Request) {
			r.Header.Set("Origin", "https://watch.example.com:8443")
		}, 200},
		{"the same, over another scheme", header("Origin", "http://watch.example.com:8443"), 403},
		{"the same, on another port", header("Origin", "https://watch.example.com"), 403},
		{"page of the external URL, as a cross-site one", func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Sec-Fetch-Site", "same-site")
			r.Host = "watch.example.com:8443"
		}, 403},
		{"another site's page, by a proxy's word", func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("X-Forwarded-Host", "evil.example")
			r.Header.Set("Forwarded", "host=evil.example;proto=https")
		}, 403},
		{"a name made to point here, by a proxy's word", func(r *http.Request) {
			r.Host = "evil.example"
			r.Header.Set("X-Forwarded-Host", "localhost")
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
			r.Header.Set("Forwarded", "for=127.0.0.1;host=localhost")
			r.Header.Set("X-Original-Host", "localhost")
		}, 403},
		{"rebinding in one origin", func(r *http.Request) {
			r.Host = "evil.example:" + port
			r.Header.Set("Origin", "http://evil.example:"+port)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}, 403},
		{"a form", func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, 403},
		{"a web socket", func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
		}, 403},
		{"another kind of HTTP", func(r *http.Request) {
			r.Header.Set("Connection", "Upgrade, HTTP2-Settings")
			r.Header.Set("Upgrade", "h2c")
			r.Header.Set("HTTP2-Settings", "AAMAAABkAAQAAP__")
			r.Host = "evil.example"
		}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := reloads
			got := do(t, request(t, "POST", s.Addr(), "/-/reload", tt.edit))
			if got.StatusCode != tt.want {
				t.Errorf("got %d %q, want %d", got.StatusCode, got.body, tt.want)
			}
			if done := reloads > before; done != (tt.want == 200) {
				t.Errorf("reloaded: %v", done)
			}
		})
	}
}

func TestGuardRefusesWhereAnyoneCanReach(t *testing.T) {
	opts := options()
	opts.Listen = "0.0.0.0:0"
	opts.Reload = func() error { t.Error("reloaded"); return nil }
	s, _ := start(t, opts)
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// Even from here: who asks is not known.
	local, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	got := do(t, request(t, "POST", local, "/-/reload", nil))
	if got.StatusCode != 403 || !strings.Contains(got.body, "web.config_file") {
		t.Errorf("got %d %q, want 403 with the reason", got.StatusCode, got.body)
	}
}

// TestGuardTakesNoPretence: a method in a header or in the query is none.
func TestGuardTakesNoPretence(t *testing.T) {
	opts := options()
	opts.Reload = func() error { t.Error("reloaded"); return nil }
	s, _ := start(t, opts)
	for _, edit := range []func(*http.Request){
		func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "POST") },
		func(r *http.Request) { r.Header.Set("X-Method-Override", "POST") },
		func(r *http.Request) { r.URL.RawQuery = "_method=POST" },
	} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			if got := do(t, request(t, method, s.Addr(), "/-/reload", edit)); got.StatusCode != 405 {
				t.Errorf("%s: got %d, want 405", method, got.StatusCode)
			}
		}
	}
}

// TestGuardOnTheWire sends what no well-behaved client does.
func TestGuardOnTheWire(t *testing.T) {
	opts := options()
	reloads := 0
	opts.Reload = func() error { reloads++; return nil }
	s, _ := start(t, opts)
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"to a proxy, by another name", "POST http://evil.example/-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n", 403},
		{"to a proxy, by our name", "POST http://localhost/-/reload HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200},
		{"to a proxy, with a user", "POST http://localhost@evil.example/-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n", 403},
		{"no host", "POST /-/reload HTTP/1.0\r\n\r\n", 403},
		{"no host where one is due", "POST /-/reload HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "POST /-/reload HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400},
		{"two origins", "POST /-/reload HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nOrigin: http://localhost\r\n\r\n", 403},
		{"an empty origin and a foreign one", "POST /-/reload HTTP/1.1\r\nHost: localhost\r\nOrigin:\r\nOrigin: http://evil.example\r\n\r\n", 403},
		{"two sites", "POST /-/reload HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n\r\n", 403},
		{"a method in small letters", "post /-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
		{"an address of the moment", "POST /-/reload HTTP/1.1\r\nHost: 0.0.0.0\r\nOrigin: http://evil.example\r\n\r\n", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := reloads
			c, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if _, err := c.Write([]byte(tt.text)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close() // it is not read
			if done := reloads > before; resp.StatusCode != tt.want || done != (tt.want == 200) {
				t.Errorf("got %d, want %d; reloaded: %v", resp.StatusCode, tt.want, done)
			}
		})
	}
}

// TestPrivateOnLoopback: nothing but the health is shown under a name that
// somebody else made to point here.
func TestPrivateOnLoopback(t *testing.T) {
	sc := newScene(t, nil)
	evil := func(r *http.Request) { r.Host = "evil.example" }
	for path, want := range map[string]int{
		"/": 403, "/sites/shop": 403, "/metrics": 403, "/events": 403, "/static/style.css": 403, "/api/v1/results": 403, "/api/": 403,
		"/-/healthy": 200, "/-/ready": 200,
	} {
		if got := do(t, request(t, "GET", sc.Addr(), path, evil)); got.StatusCode != want || strings.Contains(got.body, "shop") {
			t.Errorf("%s: got %d %q, want %d", path, got.StatusCode, got.body, want)
		}
	}
}

// TestHeadersOfTheOperator: what web.config_file sets is not overruled.
func TestHeadersOfTheOperator(t *testing.T) {
	opts := options()
	opts.ConfigFile = file(t, "web.yml", "http_server_config: {headers: {X-Frame-Options: sameorigin}}\n")
	s, _ := start(t, opts)
	got := get(t, s, "/")
	if got.Header.Get("X-Frame-Options") != "sameorigin" || got.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("got %v", got.Header)
	}
}

// TestGuardByPasswordAndCertificate asks a listener that anyone can reach, over
// real TLS and HTTP/2.
func TestGuardByPasswordAndCertificate(t *testing.T) {
	ca := newAuthority(t)
	conf := ca.serverConfig(t)
	ours, strangers := ca.client(t), newAuthority(t).client(t)
	for _, tt := range []struct {
		name, file  string
		certificate *tls.Certificate
		password    string
		want        int // 0: no connection
	}{
		{"password", "tls_server_config: {" + conf + "}\n" + basicAuth, nil, password, 200},
		{"another password", "tls_server_config: {" + conf + "}\n" + basicAuth, nil, "incorrect", 401},
		{"no password", "tls_server_config: {" + conf + "}\n" + basicAuth, nil, "", 401},
		{"certificate", "tls_server_config: {" + conf + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: " + ca.path + "}\n", &ours, "", 200},
		{"another authority's", "tls_server_config: {" + conf + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: " + ca.path + "}\n", &strangers, "", 0},
		{"no certificate", "tls_server_config: {" + conf + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: " + ca.path + "}\n", nil, "", 0},
		{"nobody asks", "tls_server_config: {" + conf + "}\n", nil, password, 403},
		{"a certificate that nobody verifies", "tls_server_config: {" + conf + ", client_auth_type: RequireAnyClientCert}\n", &strangers, "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := options()
			opts.Listen, opts.ConfigFile, opts.HealthListen = "0.0.0.0:0", file(t, "web.yml", tt.file), "127.0.0.1:0"
			s, _ := start(t, opts)
			ask := ca.asker(t, s, tt.certificate)
			got, err := ask("POST", func(r *http.Request) {
				if tt.password != "" {
					r.SetBasicAuth("admin", tt.password)
				}
			})
			if tt.want == 0 {
				if err == nil {
					t.Errorf("got %d, want no connection", got.StatusCode)
				}
			} else if err != nil || got.StatusCode != tt.want || got.ProtoMajor != 2 {
				t.Errorf("got %+v, %v, want %d over HTTP/2", got, err, tt.want)
			}
			if tt.want == 200 {
				got, err := ask("POST", func(r *http.Request) {
					r.SetBasicAuth("admin", tt.password)
					r.Header.Set("Origin", "https://evil.example")
				})
				if err != nil || got.StatusCode != 403 {
					t.Errorf("another site's page, with the browser's password: %+v, %v, want 403", got, err)
				}
				got, err = ask("POST", func(r *http.Request) {
					r.SetBasicAuth("admin", tt.password)
					r.Host = "evil.example"
					r.Header.Set("X-Forwarded-Host", "127.0.0.1")
				})
				if err != nil || got.StatusCode != 403 {
					t.Errorf("by another name: %+v, %v, want 403", got, err)
				}
			}
			if got := do(t, request(t, "GET", s.health.Addr(), "/-/ready", nil)); got.StatusCode != 200 {
				t.Errorf("health: got %d", got.StatusCode)
			}
		})
	}
}

// TestGuardKnowsOldConnections: who came in before the file asked for a
// certificate changes nothing, though the file asks now.
func TestGuardKnowsOldConnections(t *testing.T) {
	ca := newAuthority(t)
	conf := ca.serverConfig(t)
	opts := options()
	opts.Listen, opts.ConfigFile = "0.0.0.0:0", file(t, "web.yml", "tls_server_config: {"+conf+"}\n")
	opts.Reload = func() error { t.Error("reloaded"); return nil }
	s, _ := start(t, opts)
	ask := ca.asker(t, s, nil)
	if got, err := ask("GET", nil); err != nil || got.StatusCode != 405 {
		t.Fatalf("got %+v, %v", got, err)
	}
	strict := "tls_server_config: {" + conf + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: " + ca.path + "}\n"
	if err := os.WriteFile(opts.ConfigFile, []byte(strict), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ask("POST", nil); err != nil || got.StatusCode != 403 {
		t.Errorf("got %+v, %v, want 403", got, err)
	}
}
