package web

import (
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
	clients := file(t, "clients.yml", "tls_server_config: {client_auth_type: RequireAndVerifyClientCert}\n")
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
		{"external URL", host("watch.example.com"), 200},
		{"external URL, with port", host("watch.example.com:8443"), 200},
		{"a name that was made to point here", host("evil.example:" + port), 403},
		{"an address in a name", host("127.0.0.1.evil.example"), 403},
		{"localhost in a name", host("localhost.evil.example"), 403},
		{"below the external URL", host("x.watch.example.com"), 403},
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
