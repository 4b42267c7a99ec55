package incident

import (
	"maps"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// An edge has many nodes, and they take a new certificate at different times:
// for hours a check meets the old one and the new one in turns. The expiry of a
// certificate is therefore told once, and once more at half of the time that was
// left then; and a check that meets another one is not well for that, before
// the old one has not been met for a while.

// certificateGone is how long a certificate that expires must not have been met
// for the alert of it to end.
const certificateGone = time.Hour

// maxCertificates bounds those that are remembered of one check.
const maxCertificates = 8

// Certificate is one whose expiry was told.
type Certificate struct {
	NotAfter time.Time `json:"not_after"`
	ToldAt   time.Time `json:"told_at"`
	Again    bool      `json:"again,omitempty"` // told for the second time
}

// due tells whether the expiry is to be told for the second time.
func (c Certificate) due(at time.Time) bool {
	return !c.Again && !at.Before(c.ToldAt.Add(c.NotAfter.Sub(c.ToldAt)/2))
}

// expiring is the fingerprint of the certificate that an alert is about, "" when
// it is about something else.
func (a *Alert) expiring() string {
	if a.Result.Condition() != catalog.TLSExpiring || a.Result.TLS == nil {
		return ""
	}
	return a.Result.TLS.Fingerprint
}

// knowsCertificate tells whether the alert is about nothing but a certificate
// that was told of, and need not be told of now.
func (rec *Record) knowsCertificate(a *Alert, at time.Time) bool {
	fingerprint := a.expiring()
	if fingerprint == "" {
		return false
	}
	c, known := rec.Memory[a.Check].Certificates[fingerprint]
	return known && !c.due(at)
}

// certificateTold notes that the expiry of the certificate which the alert is
// about, if it is, is being told.
func (rec Record) certificateTold(a *Alert, at time.Time) Record {
	fingerprint := a.expiring()
	if fingerprint == "" {
		return rec
	}
	memory := rec.Memory[a.Check]
	c, known := memory.Certificates[fingerprint]
	switch {
	case !known:
		c = Certificate{NotAfter: a.Result.TLS.Ends().UTC().Round(0), ToldAt: at}
	case c.due(at):
		c.Again = true
	default:
		return rec
	}
	certificates := maps.Clone(memory.Certificates)
	if certificates == nil {
		certificates = make(map[string]Certificate, 1)
	}
	if !known && len(certificates) >= maxCertificates {
		delete(certificates, oldest(certificates))
	}
	certificates[fingerprint] = c
	memory.Certificates = certificates
	return rec.withMemory(a.Check, memory)
}

// oldest is the fingerprint of the certificate that was told of first.
func oldest(certificates map[string]Certificate) (fingerprint string) {
	for f, c := range certificates {
		if fingerprint == "" || c.ToldAt.Before(certificates[fingerprint].ToldAt) {
			fingerprint = f
		}
	}
	return fingerprint
}

// othersCertificate tells whether r passed only because it met another node
// than the one, or ones, with the certificate that the check's alert is about.
func (rec *Record) othersCertificate(r checks.Result) bool {
	if r.Outcome != checks.Pass || r.TLS == nil {
		return false
	}
	inc, _ := rec.open()
	a := inc.Alerts[r.Check]
	fingerprint := a.expiring()
	if !a.Firing || fingerprint == "" || fingerprint == r.TLS.Fingerprint {
		return false
	}
	since := r.StartedAt.Sub(a.Result.StartedAt)
	return since < certificateGone && since > -certificateGone
}
