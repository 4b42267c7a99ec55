package probe

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// relay copies both ways until one side ends.
func relay(a, b net.Conn) {
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(a, b); a.Close(); b.Close() })
	io.Copy(b, a)
	a.Close()
	b.Close()
	wg.Wait()
}

// httpProxy is a forward proxy that knows one user. It keeps what it was asked.
type httpProxy struct{ recorder }

func (p *httpProxy) serve(c net.Conn) {
	br := bufio.NewReader(c)
	req, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.visits = append(p.visits, visit{req.Method, req.Host, req.RequestURI, "", req.Header})
	p.mu.Unlock()
	if got := req.Header.Get("Proxy-Authorization"); got != "Basic bWU6cHJveHktc2VjcmV0" {
		io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	if req.Method != http.MethodConnect {
		resp, err := http.DefaultTransport.RoundTrip(stripped(req))
		if err != nil {
			io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
			return
		}
		defer resp.Body.Close()
		resp.Close = true
		resp.Write(c)
		return
	}
	up, err := net.Dial("tcp", local(req.Host))
	if err != nil {
		io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		return
	}
	io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	relay(c, up)
}

// stripped is a request as a proxy passes it on.
func stripped(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	out.RequestURI = ""
	out.URL.Host = local(req.Host)
	out.Close = true
	out.Header.Del("Proxy-Authorization")
	return out
}

// local is the address of a name that only the proxy knows.
func local(hostPort string) string {
	return strings.Replace(hostPort, "site.test", "127.0.0.1", 1)
}

// socksServer is a SOCKS5 server of few words: user and password, CONNECT.
func socksServer(asked *recorder, reply byte) func(net.Conn) {
	return func(c net.Conn) {
		b := make([]byte, 512)
		read := func(n byte) []byte { io.ReadFull(c, b[:n]); return b[:n] }
		read(read(2)[1])
		c.Write([]byte{5, 2})
		read(1)
		user := string(read(read(1)[0]))
		password := string(read(read(1)[0]))
		if user != "me" || password != "proxy-secret" {
			c.Write([]byte{1, 1})
			return
		}
		c.Write([]byte{1, 0})
		var host string
		switch read(4)[3] {
		case 1:
			host = net.IP(read(4)).String()
		case 3:
			host = string(read(read(1)[0]))
		case 4:
			host = net.IP(read(16)).String()
		}
		address := net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(read(2))))
		asked.mu.Lock()
		asked.visits = append(asked.visits, visit{host: address})
		asked.mu.Unlock()
		if reply != 0 {
			c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		up, err := net.Dial("tcp", local(address))
		if err != nil {
			c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		relay(c, up)
	}
}

func TestProxies(t *testing.T) {
	root := newAuthority(t, "root")
	proxyCert := root.leaf(t, nil)
	site := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Proto, r.Host, r.Header.Get("Proxy-Authorization"))
	}
	plain := serve(t, site)
	secure, _ := serveTLS(t, site, func(s *httptest.Server) { s.TLS.Certificates[0] = root.leaf(t, nil) })
	named := func(url string) string { return strings.Replace(url, "127.0.0.1", "site.test", 1) }

	var web, tunnel httpProxy
	var socks recorder
	proxies := map[string]string{
		"http":   "http://me:proxy-secret@" + serveConn(t, web.serve),
		"https":  "https://me:proxy-secret@" + serveConn(t, func(c net.Conn) { tunnel.serve(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{proxyCert}})) }),
		"socks5": "socks5://me:proxy-secret@" + serveConn(t, socksServer(&socks, 0)),
	}
	for kind, proxyURL := range proxies {
		for name, tt := range map[string]struct{ url, version, want string }{
			"plain":  {plain, "auto", "HTTP/1.1"},
			"TLS":    {secure, "auto", "HTTP/2.0"},
			"TLS1.1": {secure, "1.1", "HTTP/1.1"},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				r := do(t, Request{URL: named(tt.url), ProxyURL: proxyURL, HTTPVersion: tt.version, TLS: TLSOptions{CAFile: root.file(t)}})
				wantCondition(t, r, "", "")
				host := strings.TrimPrefix(strings.TrimPrefix(named(tt.url), "http://"), "https://")
				if want := tt.want + " " + host + " "; string(r.Body) != want {
					t.Errorf("got %q, want %q", r.Body, want)
				}
				if (r.TLS != nil) != (tt.url == secure) {
					t.Errorf("got TLS %+v", r.TLS)
				}
				if !strings.HasSuffix(proxyURL, r.RemoteAddr) || r.Phases.Resolve != 0 {
					t.Errorf("got remote address %s, phases %+v", r.RemoteAddr, r.Phases)
				}
			})
		}
	}
	if got := socks.last(t).host; !strings.HasPrefix(got, "site.test:") {
		t.Errorf("the SOCKS proxy was given %q, not the name", got)
	}
}

func TestProxyAndConnectTo(t *testing.T) {
	root := newAuthority(t, "root")
	secure, _ := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.TLS.ServerName) },
		func(s *httptest.Server) { s.TLS.Certificates[0] = root.leaf(t, nil) })
	var web httpProxy
	var socks recorder
	for _, proxyURL := range []string{"http://me:proxy-secret@" + serveConn(t, web.serve), "socks5://me:proxy-secret@" + serveConn(t, socksServer(&socks, 0))} {
		r := do(t, Request{URL: "https://site.test", ConnectTo: strings.TrimPrefix(secure, "https://"), ProxyURL: proxyURL, TLS: TLSOptions{CAFile: root.file(t)}})
		wantCondition(t, r, "", "")
		if string(r.Body) != "site.test" {
			t.Errorf("got %q", r.Body)
		}
	}
}

// TestProxyFailures blames the proxy, never the site's certificate or answer.
// Only what the proxy says of the site is the site's.
func TestProxyFailures(t *testing.T) {
	root := newAuthority(t, "root")
	expired, _ := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, nil)
	var web httpProxy
	proxy := serveConn(t, web.serve)
	raw := func(answer string) string {
		return "http://" + serveConn(t, func(c net.Conn) {
			if readRequest(c) == nil {
				io.WriteString(c, answer)
			}
		})
	}
	socks := func(reply byte) string {
		return "socks5://me:proxy-secret@" + serveConn(t, socksServer(new(recorder), reply))
	}
	tests := []struct {
		name, proxy string
		want        catalog.Condition
		detail      string
	}{
		{"refused", "http://" + closedPort(t), catalog.InternalError, "connection refused"},
		{"dead", "http://proxy.invalid:3128", catalog.InternalError, "resolve proxy.invalid"},
		{"silent", "http://" + serveConn(t, func(c net.Conn) { io.Copy(io.Discard, c) }), catalog.ConnectTimeout, "no answer within"},
		{"closed", "http://" + serveConn(t, func(c net.Conn) { readRequest(c) }), catalog.InternalError, "closed"},
		{"garbage", raw("garbage\r\n\r\n"), catalog.InternalError, "malformed"},
		{"endless header", raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", headerLimit)), catalog.InternalError, ""},
		{"no credentials", "http://" + proxy, catalog.InternalError, "answered CONNECT with 407"},
		{"site refused", "http://me:proxy-secret@" + proxy, catalog.ConnectUnreachable, "answered CONNECT with 503"},
		{"site unreachable", raw("HTTP/1.1 502 Bad Gateway\r\n\r\n"), catalog.ConnectUnreachable, "answered CONNECT with 502"},
		{"site silent", raw("HTTP/1.1 504 Gateway Timeout\r\n\r\n"), catalog.ConnectTimeout, "answered CONNECT with 504"},
		{"forbidden", raw("HTTP/1.1 403 Forbidden\r\n\r\n"), catalog.InternalError, "answered CONNECT with 403"},
		{"no proxy", raw("HTTP/1.1 404 Not Found\r\n\r\n"), catalog.InternalError, "answered CONNECT with 404"},
		{"certificate", expired, catalog.InternalError, "certificate is signed by an authority"},
		{"no TLS", "https://" + proxy, catalog.InternalError, ""},
		{"SOCKS refused", socks(5), catalog.ConnectRefused, "connect 127.0.0.1:1: connection refused"},
		{"SOCKS no route", socks(3), catalog.ConnectUnreachable, "network unreachable"},
		{"SOCKS no host", socks(4), catalog.ConnectUnreachable, "host unreachable"},
		{"SOCKS failure", socks(1), catalog.ConnectUnreachable, "general SOCKS server failure"},
		{"SOCKS site silent", "socks5://" + serveConn(t, func(c net.Conn) { c.Write([]byte{5, 0}); io.Copy(io.Discard, c) }), catalog.ConnectTimeout, "connect 127.0.0.1:1: no answer within"},
		{"SOCKS no CONNECT", socks(7), catalog.InternalError, "command not supported"},
		{"SOCKS forbidden", socks(2), catalog.InternalError, "not allowed by ruleset"},
		{"SOCKS credentials", strings.Replace(socks(0), "me:", "you:", 1), catalog.InternalError, ""},
		{"SOCKS garbage", "socks5://" + serveConn(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad\r\n\r\n") }), catalog.InternalError, "unexpected protocol version"},
		{"SOCKS silent", "socks5://" + serveConn(t, func(c net.Conn) { io.Copy(io.Discard, c) }), catalog.InternalError, "no answer within"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := New(Request{URL: "https://127.0.0.1:1", ProxyURL: tt.proxy, Timeout: 500 * time.Millisecond, TLS: TLSOptions{CAFile: root.file(t)}})
			if err != nil {
				t.Fatal(err)
			}
			phase := phaseConnect
			if tt.name == "dead" {
				phase, p.nameServer = phaseResolve, serveDNS(t, nil)
			}
			r := p.Do(t.Context())
			checkSane(t, r)
			wantCondition(t, r, tt.want, phase)
			if !strings.HasPrefix(r.Detail, "proxy "+p.proxy.address+": ") || !strings.Contains(r.Detail, tt.detail) || strings.Contains(r.Detail, "proxy-secret") {
				t.Errorf("got %s; want proxy …: …%s…", r.Detail, tt.detail)
			}
			if r.TLS != nil {
				t.Errorf("got TLS %+v of the proxy", r.TLS)
			}
		})
	}
}

// TestProxyRefusesToForward tells a proxy's own answer from the site's.
func TestProxyRefusesToForward(t *testing.T) {
	var web httpProxy
	address := serveConn(t, web.serve)
	r := do(t, Request{URL: "http://site.test", ProxyURL: "http://" + address})
	wantCondition(t, r, catalog.InternalError, phaseTransfer)
	if want := "proxy " + address + ": answered 407"; !strings.HasPrefix(r.Detail, want) || r.StatusCode != 0 {
		t.Errorf("got %d, %s; want %s…", r.StatusCode, r.Detail, want)
	}
}
