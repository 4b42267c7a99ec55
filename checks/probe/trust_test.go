package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"
)

// issued is a certificate and the key it is for.
type issued struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// issue makes a certificate that is valid for some hours, signed by the parent
// or, if that is nil, an authority signed by itself.
func issue(t testing.TB, parent *issued, name string, from time.Time, hours int) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &issued{&x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: from, NotAfter: from.Add(time.Duration(hours) * time.Hour),
	}, key}
	if parent == nil {
		c.IsCA, c.KeyUsage, parent = true, x509.KeyUsageCertSign, c
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c.Certificate, parent.Certificate, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	if c.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func poolOf(authority *issued) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(authority.Certificate)
	return pool
}

// TestTrustedChainHoldsForNothingElse asks of everything that a chain was found
// good for what another one brings: whoever remembers too much lets a stranger in.
func TestTrustedChainHoldsForNothingElse(t *testing.T) {
	began := time.Now().Truncate(time.Second)
	ours, theirs := issue(t, nil, "ours", began, 24), issue(t, nil, "theirs", began, 24)
	roots, otherRoots := poolOf(ours), poolOf(theirs)
	shop := []*x509.Certificate{issue(t, ours, "shop.example", began, 5).Certificate}
	forged := []*x509.Certificate{issue(t, theirs, "shop.example", began, 5).Certificate}
	renewed := []*x509.Certificate{issue(t, ours, "shop.example", began, 9).Certificate}

	for name, at := range map[string]struct {
		presented []*x509.Certificate
		host      string
		roots     *x509.CertPool
		after     time.Duration
		bad       bool
	}{
		"the same":                {shop, "shop.example", roots, time.Minute, false},
		"the same, much later":    {shop, "shop.example", roots, 4 * time.Hour, false},
		"renewed":                 {renewed, "shop.example", roots, time.Minute, false},
		"of another authority":    {forged, "shop.example", roots, time.Minute, true},
		"for another name":        {shop, "mail.example", roots, time.Minute, true},
		"roots that do not vouch": {shop, "shop.example", otherRoots, time.Minute, true},
		"expired meanwhile":       {shop, "shop.example", roots, 5*time.Hour + time.Second, true},
		"the clock was set back":  {shop, "shop.example", roots, -time.Second, true},
		"with more behind it":     {append(shop[:1:1], forged...), "shop.example", roots, time.Minute, false},
	} {
		k := &knownTLS{}
		if _, err := k.verify(shop, "shop.example", roots, began); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a refusal is not to be forgotten by having been looked at
			_, err := k.verify(at.presented, at.host, at.roots, began.Add(at.after))
			if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); (err != nil) != at.bad || at.bad && (!ok || len(refused.UnverifiedCertificates) != len(at.presented)) {
				t.Errorf("%s: %v, want an error: %t", name, err, at.bad)
			}
		}
	}
}

// TestTrustEndsWithTheChain looks for how long a chain is trusted unseen: to the
// end of the first of its certificates, and never for longer than an hour.
func TestTrustEndsWithTheChain(t *testing.T) {
	began := time.Now().Truncate(time.Second)
	for authorityHours, want := range map[int]time.Duration{1: 30 * time.Minute, 24: trustedFor} {
		authority := issue(t, nil, "authority", began, authorityHours)
		leaf := issue(t, authority, "shop.example", began, 12)
		k, now := &knownTLS{}, began.Add(30*time.Minute)
		if _, err := k.verify([]*x509.Certificate{leaf.Certificate}, "shop.example", poolOf(authority), now); err != nil {
			t.Fatal(err)
		}
		if got := k.trusted.Load().until.Sub(now); got != want {
			t.Errorf("authority of %d h: trusted for %v, want %v", authorityHours, got, want)
		}
	}
}

// BenchmarkVerify is what a run spends on certificates that it knows, and on
// others.
func BenchmarkVerify(b *testing.B) {
	now := time.Now()
	authority := issue(b, nil, "authority", now, 24)
	presented := []*x509.Certificate{issue(b, authority, "shop.example", now, 12).Certificate}
	roots := poolOf(authority)
	for _, known := range []bool{true, false} {
		b.Run(map[bool]string{true: "known", false: "new"}[known], func(b *testing.B) {
			k := &knownTLS{}
			b.ReportAllocs()
			for b.Loop() {
				if !known {
					k = &knownTLS{}
				}
				if _, err := k.verify(presented, "shop.example", roots, now.Add(time.Second)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
