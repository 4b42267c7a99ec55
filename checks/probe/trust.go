package probe

import (
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"
)

// trustedFor is for how long a chain that was found good is not looked at again.
// A system may withdraw its trust in an authority meanwhile.
const trustedFor = time.Hour

// trustedChain is what a server presented when it was last found good, and for
// what that holds: the name, the roots, the time.
type trustedChain struct {
	presented   []*x509.Certificate
	name        string
	roots       *x509.CertPool
	from, until time.Time
	ends        *x509.Certificate // with which trust in it ends
}

// remember has a handshake by config verify the server's certificates only when
// they are new. Their signatures are a tenth of what a run costs, more with the
// keys that public authorities have, and a site shows the same ones for months.
// That the server has the key of its certificate, each handshake proves. The
// certificate with which trust in them ends is put into ends.
func (k *knownTLS) remember(config *tls.Config, ends **x509.Certificate) {
	if config.InsecureSkipVerify || fips140.Enabled() { // crypto/tls has more rules then
		return
	}
	name, roots := config.ServerName, config.RootCAs
	config.InsecureSkipVerify = true // as it is done below
	config.VerifyConnection = func(cs tls.ConnectionState) (err error) {
		*ends, err = k.verify(cs.PeerCertificates, name, roots, time.Now())
		return err
	}
}

// verify does what crypto/tls does, unless it is known how that ends.
func (k *knownTLS) verify(presented []*x509.Certificate, name string, roots *x509.CertPool, now time.Time) (ends *x509.Certificate, err error) {
	if t := k.trusted.Load(); t != nil && t.name == name && t.roots == roots &&
		!now.Before(t.from) && !now.After(t.until) && slices.EqualFunc(t.presented, presented, (*x509.Certificate).Equal) {
		return t.ends, nil
	}
	opts := x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: name, Intermediates: x509.NewCertPool()}
	for _, c := range presented[1:] {
		opts.Intermediates.AddCert(c)
	}
	chains, err := presented[0].Verify(opts)
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: presented, Err: err}
	}
	t := &trustedChain{presented: presented, name: name, roots: roots, from: now, until: now.Add(trustedFor), ends: lasting(chains)}
	for _, c := range chains[0] {
		if c.NotAfter.Before(t.until) {
			t.until = c.NotAfter
		}
	}
	k.trusted.Store(t)
	return t.ends, nil
}
