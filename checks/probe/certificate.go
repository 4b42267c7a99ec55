package probe

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

const (
	nameLimit = 256 // bytes of a certificate's subject or issuer
	namesKept = 32  // host names of a certificate
)

// newTLSState is what a finished handshake showed; ends is the certificate with
// which trust in the leaf ends, nil when nobody looked whether there is any.
func newTLSState(cs *tls.ConnectionState, ends *x509.Certificate) *TLSState {
	s := presented(cs.PeerCertificates)
	if s == nil {
		s = &TLSState{}
	} else if ends != nil {
		s.endWith(ends, cs.PeerCertificates[0])
	}
	s.Version = tls.VersionName(cs.Version)
	s.Cipher = tls.CipherSuiteName(cs.CipherSuite)
	return s
}

// presented is the part of a TLSState that lies in the certificates, nil when
// there are none.
func presented(chain []*x509.Certificate) *TLSState {
	if len(chain) == 0 {
		return nil
	}
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	s := &TLSState{
		NotBefore:   leaf.NotBefore,
		NotAfter:    leaf.NotAfter,
		Issuer:      Printable(leaf.Issuer.String(), nameLimit),
		Subject:     Printable(leaf.Subject.String(), nameLimit),
		DNSNames:    certificateNames(leaf),
		Fingerprint: hex.EncodeToString(sum[:]),
	}
	for _, c := range chain[1:] {
		if c.NotAfter.Before(s.NotAfter) {
			s.NotAfter = c.NotAfter
		}
	}
	s.endWith(firstToEnd(withoutRoots(chain)), leaf)
	return s
}

// endWith notes the certificate with which trust in the leaf ends.
func (s *TLSState) endWith(c, leaf *x509.Certificate) {
	s.ValidUntil, s.EndsWith = c.NotAfter, ""
	if !c.Equal(leaf) {
		s.EndsWith = authorityText(c)
	}
}

// lasting is the certificate with which trust ends: of the verified chains the
// one that lasts longest counts, for a client needs only one, and servers present
// old certificates for the sake of old clients. The root counts too, as to verify
// is to look at its dates. nil when there is no chain.
func lasting(verified [][]*x509.Certificate) (ends *x509.Certificate) {
	for _, chain := range verified {
		if first := firstToEnd(chain); ends == nil || first.NotAfter.After(ends.NotAfter) {
			ends = first
		}
	}
	return ends
}

// firstToEnd is the certificate of a chain that expires first.
func firstToEnd(chain []*x509.Certificate) *x509.Certificate {
	return slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
}

// certificateNames lists the hosts that a certificate is for.
func certificateNames(c *x509.Certificate) []string {
	names := make([]string, 0, min(len(c.DNSNames)+len(c.IPAddresses), namesKept))
	for _, n := range c.DNSNames[:min(len(c.DNSNames), namesKept)] {
		names = append(names, Printable(n, nameLimit))
	}
	for _, ip := range c.IPAddresses {
		if len(names) == namesKept {
			break
		}
		names = append(names, ip.String())
	}
	return names
}

// refusal explains why a certificate was refused: err is what verification said,
// host the name that was asked for. The first fault found decides the condition,
// in the order date, name, trust; the notes tell the others too.
func refusal(err error, chain []*x509.Certificate, host string, now time.Time) failure {
	if len(chain) == 0 {
		return failure{condition: catalog.TLSUntrusted, detail: err.Error()}
	}
	leaf := chain[0]
	f := failure{notes: []string{
		"certificate: " + leaf.Subject.String(),
		"issuer: " + leaf.Issuer.String(),
		fmt.Sprintf("valid: %s to %s", date(leaf.NotBefore), date(leaf.NotAfter)),
	}}
	lapsed := outdated(chain, now)
	misnamed := leaf.VerifyHostname(host) != nil
	switch {
	case is[x509.SystemRootsError](err):
		f.condition, f.detail = catalog.InternalError, "load the trusted certificates of this machine: "+err.Error()
		return f
	case lapsed == leaf, is[x509.CertificateInvalidError](err) && lapsed != nil,
		is[x509.UnknownAuthorityError](err) && lapsed != nil:
		f.condition, f.detail = catalog.TLSExpired, lapse(lapsed, leaf, now)
	case is[x509.HostnameError](err):
		f.condition, f.detail = catalog.TLSWrongHost, "certificate is not for "+host
	default:
		f.condition = catalog.TLSUntrusted
		f.detail = distrust(err, chain)
	}
	if misnamed {
		f.notes = append(f.notes, "asked for: "+host, "names: "+nameList(leaf))
	}
	if f.condition != catalog.TLSUntrusted && selfSigned(leaf) {
		f.notes = append(f.notes, "chain: the certificate is self-signed")
	} else if f.condition == catalog.TLSUntrusted {
		f.notes = append(f.notes, "chain: "+chainNote(chain))
	}
	return f
}

// is tells whether err is, or wraps, an error of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// withoutRoots is a presented chain without what is self-signed after the leaf:
// that is only a copy of a root, and whether that one holds is not for the server
// to say.
func withoutRoots(chain []*x509.Certificate) []*x509.Certificate {
	kept := chain[:1:1]
	for _, c := range chain[1:] {
		if !selfSigned(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// outdated is the certificate of the chain that is not valid now, nil when all
// are.
func outdated(chain []*x509.Certificate, now time.Time) *x509.Certificate {
	for _, c := range withoutRoots(chain) {
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return c
		}
	}
	return nil
}

// lapse says since when, or until when, a certificate is not valid.
func lapse(c, leaf *x509.Certificate, now time.Time) string {
	which := "certificate"
	if c != leaf {
		which = authorityText(c)
	}
	if now.Before(c.NotBefore) {
		return fmt.Sprintf("%s is not yet valid: it starts on %s, in %s", which, date(c.NotBefore), span(c.NotBefore.Sub(now)))
	}
	return fmt.Sprintf("%s expired on %s, %s ago", which, date(c.NotAfter), span(now.Sub(c.NotAfter)))
}

// authorityText names a certificate that is not the leaf.
func authorityText(c *x509.Certificate) string {
	kind := "intermediate"
	if selfSigned(c) {
		kind = "root"
	}
	return kind + " certificate " + Printable(c.Subject.String(), nameLimit)
}

// distrust says in a few words why nobody vouches for a chain.
func distrust(err error, chain []*x509.Certificate) string {
	if !is[x509.UnknownAuthorityError](err) {
		return err.Error()
	}
	switch {
	case selfSigned(chain[0]):
		return "certificate is self-signed"
	case missingIntermediate(chain):
		return "certificate chain is incomplete: an intermediate certificate is missing"
	}
	return "certificate is signed by an authority that this machine does not trust"
}

// chainNote says what was presented and what that suggests.
func chainNote(chain []*x509.Certificate) string {
	last := chain[len(chain)-1]
	switch {
	case selfSigned(chain[0]):
		return "the certificate is self-signed"
	case missingIntermediate(chain):
		return fmt.Sprintf("%s presented, the certificate of %s is missing; install the full chain", count(len(chain)), last.Issuer)
	case selfSigned(last):
		return fmt.Sprintf("%s presented, up to %s, which this machine does not trust", count(len(chain)), last.Subject)
	}
	return fmt.Sprintf("%s presented; the issuer %s is a private authority, or its certificate is missing", count(len(chain)), last.Issuer)
}

// missingIntermediate tells whether a chain breaks off: its last certificate
// says where its issuer's can be had, as public authorities do, so the issuer
// is itself signed by someone and was to be presented.
func missingIntermediate(chain []*x509.Certificate) bool {
	last := chain[len(chain)-1]
	return !selfSigned(last) && len(last.IssuingCertificateURL) > 0
}

// selfSigned tells whether a certificate is its own issuer.
func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// nameList is a certificate's host names in one line.
func nameList(c *x509.Certificate) string {
	names := certificateNames(c)
	if len(names) == 0 {
		return "none"
	}
	more := ""
	if rest := len(c.DNSNames) + len(c.IPAddresses) - len(names); rest > 0 {
		more = fmt.Sprintf(" and %d more", rest)
	}
	return strings.Join(names, ", ") + more
}

func count(n int) string {
	if n == 1 {
		return "1 certificate"
	}
	return fmt.Sprintf("%d certificates", n)
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span words a time between two dates.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.Round(time.Second).String()
}
