package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// benchServer is a TLS server with a page of 8 KiB and the headers of an edge.
func benchServer(b *testing.B) (url, ca string) {
	b.Helper()
	page := strings.Repeat("<p>in stock</p>\n", 512)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Server", "ESA")
		h.Set("EagleId", "a3b54e9817588532784852695e")
		h.Set("Via", "ens-cache1.l2sg7[68,0,DP], ens-cache32.l2vn4[96,0,DP], ens-cache14.vn37[97,0,DP], ens-cache14.vn37[97,0]")
		h.Set("X-Site-Cache-Status", "HIT")
		io.WriteString(w, page)
	}))
	b.Cleanup(s.Close)
	ca = b.TempDir() + "/ca.pem"
	if err := os.WriteFile(ca, pemOf(s.Certificate()), 0o600); err != nil {
		b.Fatal(err)
	}
	return s.URL, ca
}

// BenchmarkProbe is one check over TLS with a fresh connection.
func BenchmarkProbe(b *testing.B) {
	url, ca := benchServer(b)
	p, err := New(Request{URL: url, TLS: TLSOptions{CAFile: ca}, HTTPVersion: "1.1"})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		if r := p.Do(b.Context()); r.Condition != "" || len(r.Body) != 8192 {
			b.Fatal(r.Detail)
		}
	}
}

// BenchmarkBare is the same by nothing but net/http.
func BenchmarkBare(b *testing.B) {
	url, ca := benchServer(b)
	roots, err := readRoots(ca, false)
	if err != nil {
		b.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || len(body) != 8192 {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
