package assert

import (
	"fmt"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

type maxDuration time.Duration

// MaxDuration expects the whole answer within a time; a slower one is degraded.
func MaxDuration(d time.Duration) Assertion { return maxDuration(d) }

func (m maxDuration) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || r.Condition != "" || r.Duration <= time.Duration(m) {
		return nil
	}
	return mismatch(r, catalog.Slow, r.Duration.Round(time.Millisecond).String(), "at most "+time.Duration(m).String())
}

type certValidFor time.Duration

// CertValidFor expects that for at least d more clients have a valid chain from the
// server's certificate up to one that they trust, whatever else the server
// presents. It says nothing of plain HTTP.
func CertValidFor(d time.Duration) Assertion { return certValidFor(d) }

func (c certValidFor) Check(r *probe.Response) *Failure {
	if r.TLS == nil || r.Condition != "" || r.TLS.ValidUntil.IsZero() {
		return nil
	}
	left := r.TLS.ValidUntil.Sub(r.StartedAt)
	if left >= time.Duration(c) {
		return nil
	}
	got := fmt.Sprintf("expires on %s, in %s", r.TLS.ValidUntil.UTC().Format(time.RFC3339), days(left))
	if left < 0 {
		got = fmt.Sprintf("expired on %s, %s ago", r.TLS.ValidUntil.UTC().Format(time.RFC3339), days(-left))
	}
	if r.TLS.EndsWith != "" {
		got = probe.Printable(r.TLS.EndsWith, textLimit/2) + " " + got // which one to renew, and still the date
	}
	return mismatch(r, catalog.TLSExpiring, got, "valid for at least "+days(time.Duration(c)))
}

// days words a long time.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.Round(time.Second).String()
}
