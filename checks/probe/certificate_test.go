package probe

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// again is another certificate of the same authority, for the same key, signed by
// another one or, if that is nil, by itself.
func (a *authority) again(t *testing.T, by *authority, until time.Time) *authority {
	t.Helper()
	template := *a.cert
	template.NotBefore, template.NotAfter, template.AuthorityKeyId = until.Add(-1000*time.Hour), until, nil
	if by == nil {
		by = &authority{&template, a.key}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, by.cert, a.key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, a.key}
}

// TestTrustEndsWithWhatIsNeeded presents certificates that old clients may need
// and others do not: only what ends the last valid chain counts. Without
// verification all of them may be needed, but for copies of roots.
func TestTrustEndsWithWhatIsNeeded(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	past, soon, later := now.Add(-30*24*time.Hour), now.Add(48*time.Hour), now.Add(40*24*time.Hour)
	until := func(at time.Time) func(*x509.Certificate) { return func(c *x509.Certificate) { c.NotAfter = at } }
	root, older := newAuthority(t, "root"), newAuthority(t, "older root")
	weak := newAuthority(t, "weak root").again(t, nil, soon)
	middle, brief := root.under(t, "middle", nil), root.under(t, "brief", until(soon))
	both := []*authority{root, older}
	for _, tt := range []struct {
		name     string
		leaf     tls.Certificate
		chain    []*authority
		roots    []*authority
		until    time.Time
		with     string
		insecure time.Time
	}{
		{"old copy of the root", middle.leaf(t, until(later)), []*authority{middle, root.again(t, nil, past)}, both, later, "", later},
		{"expired cross-signed root", middle.leaf(t, until(later)), []*authority{middle, root.again(t, older, past)}, both, later, "", past},
		{"cross-signed root that expires", middle.leaf(t, until(later)), []*authority{middle, root.again(t, older, soon)}, both, later, "", soon},
		{"cross-signed root that is needed", middle.leaf(t, until(later)), []*authority{middle, root.again(t, older, soon)}, both[1:], soon, "intermediate certificate CN=root", soon},
		{"intermediate", brief.leaf(t, until(later)), []*authority{brief}, both, soon, "intermediate certificate CN=brief", soon},
		{"root that is trusted", weak.leaf(t, until(later)), nil, []*authority{weak}, soon, "root certificate CN=weak root", later},
		{"leaf", brief.leaf(t, until(now.Add(time.Hour))), []*authority{brief}, both, now.Add(time.Hour), "", now.Add(time.Hour)},
	} {
		earliest := tt.leaf.Leaf.NotAfter
		for _, a := range tt.chain {
			tt.leaf.Certificate = append(tt.leaf.Certificate, a.cert.Raw)
			if a.cert.NotAfter.Before(earliest) {
				earliest = a.cert.NotAfter
			}
		}
		var trusted []byte
		for _, a := range tt.roots {
			trusted = append(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
		}
		ca, handler := writeFile(t, "ca.pem", trusted), func(http.ResponseWriter, *http.Request) {}
		tcp, _ := serveTLS(t, handler, func(s *httptest.Server) { s.TLS.Certificates[0] = tt.leaf })
		quic := serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{tt.leaf}}, handler)
		for version, url := range map[string]string{"auto": tcp, "3": quic} {
			r := do(t, Request{URL: url, HTTPVersion: version, TLS: TLSOptions{CAFile: ca}})
			wantCondition(t, r, "", "")
			if !r.TLS.ValidUntil.Equal(tt.until) || r.TLS.EndsWith != tt.with || !r.TLS.NotAfter.Equal(earliest) {
				t.Errorf("%s, http %s: until %v with %q, earliest %v; want %v with %q, %v",
					tt.name, version, r.TLS.ValidUntil, r.TLS.EndsWith, r.TLS.NotAfter, tt.until, tt.with, earliest)
			}
			r = do(t, Request{URL: url, HTTPVersion: version, TLS: TLSOptions{InsecureSkipVerify: true}})
			if !r.TLS.ValidUntil.Equal(tt.insecure) || !r.TLS.NotAfter.Equal(earliest) {
				t.Errorf("%s, http %s, not verified: until %v, earliest %v; want %v, %v",
					tt.name, version, r.TLS.ValidUntil, r.TLS.NotAfter, tt.insecure, earliest)
			}
		}
	}
}

// TestTrustIsJudgedAnew: what the same certificates are worth changes with the
// roots, also within what is remembered of them.
func TestTrustIsJudgedAnew(t *testing.T) {
	soon := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	root, older := newAuthority(t, "root"), newAuthority(t, "older root")
	pair := root.leaf(t, nil)
	pair.Certificate = append(pair.Certificate, root.again(t, older, soon).cert.Raw)
	url, _ := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) { s.TLS.Certificates[0] = pair })
	ca := root.file(t)
	p, err := New(Request{URL: url, TLS: TLSOptions{CAFile: ca}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, trusted := range []struct {
		*authority
		with string
	}{{root, ""}, {older, "intermediate certificate CN=root"}, {root, ""}} {
		pem, err := os.ReadFile(trusted.file(t))
		if err == nil {
			err = os.WriteFile(ca, pem, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time from memory
			if r := p.Do(t.Context()); r.Condition != "" || r.TLS.EndsWith != trusted.with {
				t.Errorf("with %s: %q %s, ends with %q, want %q", trusted.cert.Subject, r.Condition, r.Detail, r.TLS.EndsWith, trusted.with)
			}
		}
	}
}
