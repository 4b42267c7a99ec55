package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// quiet takes the complaints of servers about the handshakes that tests break.
var quiet = log.New(io.Discard, "", 0)

// TestBroken breaks a plain connection at each stage.
func TestBroken(t *testing.T) {
	reset := func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }
	tests := []struct {
		name   string
		serve  func(net.Conn)
		want   catalog.Condition
		phase  string
		status int
		detail string
	}{
		{"closed at once", func(c net.Conn) {}, catalog.ConnectionReset, phaseProcessing, 0, ""},
		{"closed before the answer", func(c net.Conn) { readRequest(c) }, catalog.ConnectionReset, phaseProcessing, 0, "closed before the answer"},
		{"reset before the answer", func(c net.Conn) { readRequest(c); reset(c) }, catalog.ConnectionReset, phaseProcessing, 0, "reset"},
		{"closed in the header", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le")
		}, catalog.ConnectionReset, phaseTransfer, 0, "in the middle"},
		{"closed in the status line", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 20")
		}, catalog.ConnectionReset, phaseTransfer, 0, "in the middle"},
		{"closed in the body", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		}, catalog.ConnectionReset, phaseTransfer, 200, "in the middle"},
		{"reset in the body", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf")
			time.Sleep(20 * time.Millisecond) // a reset discards what was not read yet
			reset(c)
		}, catalog.ConnectionReset, phaseTransfer, 503, ""},
		{"closed in a chunk", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf")
		}, catalog.ConnectionReset, phaseTransfer, 200, ""},
		{"broken chunk", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n")
		}, catalog.ProtocolError, phaseTransfer, 200, "chunk"},
		{"garbage", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n\r\n")
		}, catalog.ProtocolError, phaseTransfer, 0, "malformed"},
		{"header without colon", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nnonsense\r\nA: b\r\n\r\n")
		}, catalog.ProtocolError, phaseTransfer, 0, "malformed MIME header"},
		{"status 007", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 007 Bond\r\nContent-Length: 0\r\n\r\n")
		}, catalog.ProtocolError, phaseTransfer, 0, "007"},
		{"two lengths", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
		}, catalog.ProtocolError, phaseTransfer, 0, "Content-Length"},
		{"huge header", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("a", headerLimit)+"\r\n\r\n")
		}, catalog.ProtocolError, phaseTransfer, 0, "exceeded"},
		{"endless header", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for _, err := c.Write([]byte("A: b\r\n")); err == nil; _, err = c.Write([]byte("A: b\r\n")) {
			}
		}, catalog.ProtocolError, phaseTransfer, 0, "exceeded"},
		{"endless interim answers", func(c net.Conn) {
			readRequest(c)
			for _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n"); err == nil; _, err = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n") {
			}
		}, catalog.ProtocolError, phaseProcessing, 0, "interim"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := do(t, Request{URL: "http://" + serveConn(t, tt.serve), Timeout: 5 * time.Second})
			wantCondition(t, r, tt.want, tt.phase)
			if r.StatusCode != tt.status || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("got status %d, detail %q; want %d, …%q…", r.StatusCode, r.Detail, tt.status, tt.detail)
			}
		})
	}
}

// TestTimeout lets time run out in each phase after connecting.
func TestTimeout(t *testing.T) {
	tests := []struct {
		name, scheme string
		serve        func(net.Conn)
		phase        string
		status       int
		note         string
	}{
		{"handshake", "https", func(c net.Conn) { io.Copy(io.Discard, c) }, phaseTLS, 0, ""},
		{"answer", "http", func(c net.Conn) { io.Copy(io.Discard, c) }, phaseProcessing, 0, "limit: ESA waits 30s"},
		{"after early hints", "http", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
			io.Copy(io.Discard, c)
		}, phaseProcessing, 0, "limit: "},
		{"dripping body", "http", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for _, err := io.WriteString(c, "."); err == nil; _, err = io.WriteString(c, ".") {
				time.Sleep(5 * time.Millisecond)
			}
		}, phaseTransfer, 200, "received: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const timeout = 300 * time.Millisecond
			r := do(t, Request{URL: tt.scheme + "://" + serveConn(t, tt.serve), Timeout: timeout})
			wantCondition(t, r, catalog.Timeout, tt.phase)
			if r.StatusCode != tt.status {
				t.Errorf("got status %d, want %d", r.StatusCode, tt.status)
			}
			if r.Duration < timeout || r.Duration > timeout+2*time.Second {
				t.Errorf("took %s, want about %s", r.Duration, timeout)
			}
			if tt.note != "" {
				wantNote(t, r, tt.note, "")
			}
		})
	}
}

func TestTimeoutLongEnoughFor524(t *testing.T) {
	r := (&run{p: &Probe{manner: &manner{req: Request{Timeout: 35 * time.Second}}}}).lateness(phaseProcessing)
	if len(r.notes) != 0 {
		t.Errorf("got notes %q", r.notes)
	}
}

func TestConnectRefused(t *testing.T) {
	r := do(t, Request{URL: "http://" + closedPort(t)})
	wantCondition(t, r, catalog.ConnectRefused, phaseConnect)
	if address := strings.TrimSuffix(strings.TrimPrefix(r.URL, "http://"), "/"); r.Detail != "connect "+address+": connection refused" || r.RemoteAddr != address {
		t.Errorf("got %s; %s", r.Detail, r.RemoteAddr)
	}
	if r.Phases.Resolve != 0 || r.Phases.Connect == 0 {
		t.Errorf("got phases %+v", r.Phases)
	}
}

// closedPort is an address that refuses connections for as long as the test
// runs: a socket that is bound and does not listen, so that no other program can
// get the port meanwhile.
func closedPort(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) }) // the test is over
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*syscall.SockaddrInet4).Port))
}

// TestConnectTimeout fills the queue of a listener that accepts nothing, so
// that Linux drops further SYNs.
func TestConnectTimeout(t *testing.T) {
	address := deafListener(t)
	r := do(t, Request{URL: "http://" + address, Timeout: 300 * time.Millisecond})
	wantCondition(t, r, catalog.ConnectTimeout, phaseConnect)
}

func deafListener(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 16 {
		c, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the listener's queue does not fill")
	return ""
}

// TestConnectUnreachable dials an address that the system itself refuses.
func TestConnectUnreachable(t *testing.T) {
	r := do(t, Request{URL: "http://255.255.255.255:9"})
	wantCondition(t, r, catalog.ConnectUnreachable, phaseConnect)
}

// TestMostTellingAddress holds that a refusal on one address outweighs the lack
// of a route to another.
func TestMostTellingAddress(t *testing.T) {
	unreachable := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	r := &run{p: &Probe{manner: &manner{}}, resp: &Response{}, dialTarget: "shop.test:443"}
	r.tried("[2001:db8::1]:443", unreachable)
	r.tried("192.0.2.1:443", refused)
	f := r.explain(t.Context(), t.Context(), unreachable, phaseConnect)
	if f.condition != catalog.ConnectRefused || len(f.notes) != 2 || f.notes[1] != "address: 192.0.2.1:443: connection refused" ||
		f.detail != "connect shop.test:443: connection refused" || r.resp.RemoteAddr != "192.0.2.1:443" {
		t.Errorf("got %q, notes %q", f.condition, f.notes)
	}
}

func TestCancelled(t *testing.T) {
	p, err := New(Request{URL: serve(t, func(http.ResponseWriter, *http.Request) {})})
	if err != nil {
		t.Fatal(err)
	}
	if r := p.Do(canceled(t)); r.Condition != catalog.InternalError || r.Detail != "the run was cancelled" {
		t.Errorf("got %q: %s", r.Condition, r.Detail)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	slow, err := New(Request{URL: "http://" + serveConn(t, func(c net.Conn) { io.Copy(io.Discard, c) })})
	if err != nil {
		t.Fatal(err)
	}
	if r := slow.Do(ctx); r.Condition != catalog.Timeout {
		t.Errorf("got %q: %s", r.Condition, r.Detail)
	}
}

// TestCertificates refuses each kind of bad certificate by its own name, and
// keeps what the certificate says.
func TestCertificates(t *testing.T) {
	root, other := newAuthority(t, "root"), newAuthority(t, "other")
	middle := root.under(t, "middle", nil)
	oldMiddle := root.under(t, "old middle", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	past := time.Now().Add(-72 * time.Hour)
	future := time.Now().Add(30 * time.Minute)
	chain := func(leaf tls.Certificate, more ...*authority) tls.Certificate {
		for _, a := range more {
			leaf.Certificate = append(leaf.Certificate, a.cert.Raw)
		}
		return leaf
	}
	_, selfSigned := sign(t, nil, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)} })
	fetchable := func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.invalid/middle.crt"} }
	tests := []struct {
		name   string
		cert   tls.Certificate
		want   catalog.Condition
		detail string
		note   string
	}{
		{"good", root.leaf(t, nil), "", "", ""},
		{"good chain", chain(middle.leaf(t, nil), middle), "", "", ""},
		{"expired", root.leaf(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = past.Add(-time.Hour), past }),
			catalog.TLSExpired, "expired on " + date(past) + ", 3 days ago", "valid: "},
		{"not yet valid", root.leaf(t, func(c *x509.Certificate) { c.NotBefore = future }),
			catalog.TLSExpired, "not yet valid: it starts on " + date(future), "valid: " + date(future)},
		{"expired and wrong host", root.leaf(t, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter, c.DNSNames, c.IPAddresses = past.Add(-time.Hour), past, []string{"else.test"}, nil
		}), catalog.TLSExpired, "expired on", "names: else.test"},
		{"expired intermediate", chain(oldMiddle.leaf(t, nil), oldMiddle), catalog.TLSExpired, "intermediate certificate CN=old middle expired", ""},
		{"wrong host", root.leaf(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"else.test", "*.else.test"}, nil }),
			catalog.TLSWrongHost, "not for 127.0.0.1", "names: else.test, *.else.test"},
		{"self-signed", selfSigned, catalog.TLSUntrusted, "self-signed", "chain: the certificate is self-signed"},
		{"unknown authority", chain(other.leaf(t, nil), other), catalog.TLSUntrusted, "authority that this machine does not trust", "chain: 2 certificates presented, up to CN=other"},
		{"unknown issuer", other.leaf(t, nil), catalog.TLSUntrusted, "does not trust", "chain: 1 certificate presented; the issuer CN=other is a private"},
		{"missing intermediate", middle.leaf(t, fetchable), catalog.TLSUntrusted, "an intermediate certificate is missing",
			"chain: 1 certificate presented, the certificate of CN=middle is missing; install the full chain"},
	}
	ca := root.file(t)
	for _, version := range []string{"auto", "3"} {
		for _, tt := range tests {
			t.Run(tt.name+"/http "+version, func(t *testing.T) {
				var url string
				if version == "3" {
					url = serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{tt.cert}}, func(http.ResponseWriter, *http.Request) {})
				} else {
					url, _ = serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) { s.TLS.Certificates[0] = tt.cert })
				}
				r := do(t, Request{URL: url, HTTPVersion: version, TLS: TLSOptions{CAFile: ca}})
				phase := ""
				if tt.want != "" {
					phase = phaseTLS
				}
				wantCondition(t, r, tt.want, phase)
				if !strings.Contains(r.Detail, tt.detail) {
					t.Errorf("got detail %q, want …%q…", r.Detail, tt.detail)
				}
				if tt.note != "" {
					wantNote(t, r, tt.note, "")
				}
				leaf, err := x509.ParseCertificate(tt.cert.Certificate[0])
				if err != nil {
					t.Fatal(err)
				}
				if r.TLS == nil || !r.TLS.NotBefore.Equal(leaf.NotBefore) || len(r.TLS.Fingerprint) != 64 || (r.TLS.Version == "") != (tt.want != "") {
					t.Errorf("got TLS %+v", r.TLS)
				}
				if r.RemoteAddr != strings.TrimPrefix(url, "https://") {
					t.Errorf("got remote address %q", r.RemoteAddr)
				}

				insecure := do(t, Request{URL: url, HTTPVersion: version, TLS: TLSOptions{InsecureSkipVerify: true}})
				wantCondition(t, insecure, "", "")
				if insecure.TLS.Fingerprint != r.TLS.Fingerprint || !insecure.TLS.NotAfter.Equal(r.TLS.NotAfter) || insecure.TLS.Version != "TLS 1.3" {
					t.Errorf("got TLS %+v without verification, %+v with", insecure.TLS, r.TLS)
				}
			})
		}
	}
}

func TestEarliestOfChain(t *testing.T) {
	root := newAuthority(t, "root")
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	middle := root.under(t, "middle", func(c *x509.Certificate) { c.NotAfter = soon })
	pair := middle.leaf(t, nil)
	pair.Certificate = append(pair.Certificate, middle.cert.Raw)
	url, _ := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) { s.TLS.Certificates[0] = pair })
	r := do(t, Request{URL: url, TLS: TLSOptions{CAFile: root.file(t)}})
	wantCondition(t, r, "", "")
	if !r.TLS.NotAfter.Equal(soon) {
		t.Errorf("got %s, want the intermediate's %s", r.TLS.NotAfter, soon)
	}
	if r.TLS.Subject != "CN=site" || r.TLS.Issuer != "CN=middle" || r.TLS.Cipher == "" {
		t.Errorf("got %+v", r.TLS)
	}
}

// TestHandshake breaks the handshake by anything but the certificate.
func TestHandshake(t *testing.T) {
	root := newAuthority(t, "root")
	server := func(change func(*httptest.Server)) string {
		url, _ := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, change)
		return url
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	tests := []struct {
		name   string
		req    Request
		want   catalog.Condition
		detail string
		note   string
	}{
		{"plain HTTP on the port", Request{URL: "https" + strings.TrimPrefix(plain, "http")}, catalog.TLSHandshake, "does not speak TLS", "answer: plain HTTP"},
		{"version too old", Request{URL: server(func(s *httptest.Server) { s.TLS.MaxVersion = tls.VersionTLS12 }), TLS: TLSOptions{MinVersion: "1.3"}},
			catalog.TLSHandshake, "protocol version", "handshake: for 127.0.0.1: the server takes none of the TLS versions offered"},
		{"version too old for us", Request{URL: server(func(s *httptest.Server) { s.TLS.MinVersion, s.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 })},
			catalog.TLSHandshake, "protocol version", "handshake: for 127.0.0.1: the server takes none"},
		{"no cipher in common", Request{URL: server(func(s *httptest.Server) {
			s.EnableHTTP2 = false
			s.TLS.MaxVersion, s.TLS.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}
		})}, catalog.TLSHandshake, "handshake failure", "handshake: for 127.0.0.1: nothing in common; most likely no cipher"},
		{"no certificate for the name", Request{URL: server(func(s *httptest.Server) {
			s.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return &tls.Config{}, nil }
		})}, catalog.TLSHandshake, "unrecognized name", "handshake: for 127.0.0.1: the server does not know this name"},
		{"no certificate over HTTP/3", Request{HTTPVersion: "3", URL: serveHTTP3(t, &tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") },
		}, func(http.ResponseWriter, *http.Request) {})}, catalog.TLSHandshake, "internal error", "handshake: for 127.0.0.1: the server failed"},
		{"no HTTP/2", Request{URL: server(func(s *httptest.Server) { s.EnableHTTP2 = false }), HTTPVersion: "2", TLS: TLSOptions{InsecureSkipVerify: true}},
			catalog.TLSHandshake, "no application protocol", "handshake: for 127.0.0.1: the server does not speak the HTTP version"},
		{"no ALPN at all", Request{URL: "https://" + serveConn(t, func(c net.Conn) {
			tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}})
			io.Copy(io.Discard, tc)
		}), HTTPVersion: "2", TLS: TLSOptions{InsecureSkipVerify: true}}, catalog.TLSHandshake, "does not agree to speak HTTP/2", ""},
		{"closed", Request{URL: "https://" + serveConn(t, func(c net.Conn) { c.Read(make([]byte, 10)) })}, catalog.ConnectionReset, "during the TLS handshake", ""},
		{"garbage", Request{URL: "https://" + serveConn(t, func(c net.Conn) { io.WriteString(c, "\x00\x01\x02garbage"); io.Copy(io.Discard, c) })},
			catalog.TLSHandshake, "does not speak TLS", "answer: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := do(t, tt.req)
			if r.Condition != tt.want || r.Phase != phaseTLS || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("got %q in %q: %s; want %q, …%q…", r.Condition, r.Phase, r.Detail, tt.want, tt.detail)
			}
			if tt.note != "" {
				wantNote(t, r, tt.note, "")
			}
		})
	}
}

// TestClientCertificateMissing tells why, also when the server's own word about
// it is lost in the reset that follows.
func TestClientCertificateMissing(t *testing.T) {
	const note = "client certificate: the server asked for one"
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		url, ca := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
			s.TLS.ClientAuth, s.TLS.MaxVersion = tls.RequireAnyClientCert, version
		})
		r := do(t, Request{URL: url, TLS: TLSOptions{CAFile: ca}})
		if r.Condition != catalog.TLSHandshake && r.Condition != catalog.ConnectionReset {
			t.Errorf("got %q: %s", r.Condition, r.Detail)
		}
		wantNote(t, r, note, "")
	}
	asking, ca := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) { s.TLS.ClientAuth = tls.RequestClientCert })
	if r := do(t, Request{URL: asking, TLS: TLSOptions{CAFile: ca}}); r.Condition != "" || len(r.Notes) != 0 {
		t.Errorf("got %q, %q", r.Condition, r.Notes)
	}
}
