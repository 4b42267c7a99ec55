package probe

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/checks/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority is a certificate authority made for one test.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newAuthority makes a self-signed authority.
func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a, _ := sign(t, nil, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	return a
}

// under makes an intermediate authority.
func (a *authority) under(t *testing.T, name string, change func(*x509.Certificate)) *authority {
	t.Helper()
	sub, _ := sign(t, a, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		if change != nil {
			change(c)
		}
	})
	return sub
}

// leaf makes a certificate for a server on loopback, presented alone.
func (a *authority) leaf(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	_, pair := sign(t, a, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "site"}
		c.DNSNames, c.IPAddresses = []string{"site.test", "localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		if change != nil {
			change(c)
		}
	})
	return pair
}

// sign makes a certificate under parent, self-signed when that is nil.
func sign(t *testing.T, parent *authority, change func(*x509.Certificate)) (*authority, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	change(template)
	issuer, signer := template, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}
}

// file writes the authority's certificate as PEM.
func (a *authority) file(t *testing.T) string {
	t.Helper()
	return writeFile(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// pairFiles writes a certificate and its key as PEM.
func pairFiles(t *testing.T, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		writeFile(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a plain server.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// serveTLS starts a server with a certificate of its own authority and gives
// its URL and the authority's file.
func serveTLS(t *testing.T, h http.HandlerFunc, change func(*httptest.Server)) (url, ca string) {
	t.Helper()
	root := newAuthority(t, "root")
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}}
	s.Config.ErrorLog = quiet
	if change != nil {
		change(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, root.file(t)
}

// serveConn starts a listener whose connections are handled by f and closed
// after it, at the latest at the end of the test.
func serveConn(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// serveRaw answers each request on a plain connection with the same bytes.
func serveRaw(t *testing.T, answer string) string {
	t.Helper()
	return "http://" + serveConn(t, func(c net.Conn) {
		if readRequest(c) == nil {
			io.WriteString(c, answer)
		}
	})
}

// readRequest reads a request's header.
func readRequest(r io.Reader) error {
	b := bufio.NewReader(r)
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			return nil
		}
	}
}

// do makes a probe and runs it once.
func do(t *testing.T, req Request) *Response {
	t.Helper()
	p, err := New(req)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	resp := p.Do(t.Context())
	checkSane(t, resp)
	return resp
}

// checkSane holds what is true of every response.
func checkSane(t *testing.T, r *Response) {
	t.Helper()
	sum := r.Phases.Resolve + r.Phases.Connect + r.Phases.TLS + r.Phases.Processing + r.Phases.Transfer
	if sum > r.Duration {
		t.Errorf("phases add up to %s, more than the whole, %s", sum, r.Duration)
	}
	if (r.Condition == "") != (r.Detail == "") || r.Condition == "" && r.Phase != "" {
		t.Errorf("condition %q, detail %q, phase %q", r.Condition, r.Detail, r.Phase)
	}
	for _, s := range append([]string{r.Detail}, r.Notes...) {
		if len(s) > detailLimit || s != Printable(s, detailLimit) {
			t.Errorf("not fit to be shown: %q", s)
		}
	}
	if r.Edge.ViaESA == "" || r.URL == "" || r.StartedAt.IsZero() {
		t.Errorf("incomplete: %+v", r)
	}
}

// wantCondition checks what broke, and in which phase.
func wantCondition(t *testing.T, r *Response, c catalog.Condition, phase string) {
	t.Helper()
	if r.Condition != c || r.Phase != phase {
		t.Fatalf("got %q in phase %q (%s; %q), want %q in %q", r.Condition, r.Phase, r.Detail, r.Notes, c, phase)
	}
}

// wantNote checks that a note begins with prefix and contains text.
func wantNote(t *testing.T, r *Response, prefix, text string) {
	t.Helper()
	for _, n := range r.Notes {
		if strings.HasPrefix(n, prefix) && strings.Contains(n, text) {
			return
		}
	}
	t.Errorf("no note %q with %q in %q", prefix, text, r.Notes)
}

func secret(s string) Secret { return func() (string, error) { return s, nil } }

// canceled is a context that has ended.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
