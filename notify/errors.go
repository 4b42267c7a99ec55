package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"
)

// MisconfiguredPause is how long a misconfigured receiver is left alone between
// two attempts: long enough not to hammer a server with a refused token, short
// enough that a mended one is noticed without a reload.
const MisconfiguredPause = 5 * time.Minute

// Permanent marks err as one that trying again will not mend.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent tells whether err, or one that it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks err as one after which the receiver asked for a pause of d.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, d}
}

// RetryDelay is the pause to make after err: the one that the receiver asked
// for, MisconfiguredPause when err was marked by Misconfigured, else 0.
func RetryDelay(err error) time.Duration {
	var r *retryAfterError
	if errors.As(err, &r) {
		return r.after
	}
	if IsMisconfigured(err) {
		return MisconfiguredPause
	}
	return 0
}

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// Misconfigured marks err as one that only the operator can mend: a refused
// token, a channel that is gone. The notification stays owed, since mending is
// expected; it is tried again every MisconfiguredPause, and at once after a
// reload. The text of err says what to do.
func Misconfigured(err error) error {
	if err == nil {
		return nil
	}
	return &misconfiguredError{err}
}

// IsMisconfigured tells whether err, or one that it wraps, was marked by Misconfigured.
func IsMisconfigured(err error) bool {
	var m *misconfiguredError
	return errors.As(err, &m)
}

type misconfiguredError struct{ err error }

func (e *misconfiguredError) Error() string { return e.err.Error() }
func (e *misconfiguredError) Unwrap() error { return e.err }

// Reason is why an attempt failed, from a list short enough for a metric's label.
type Reason string

// The reasons.
const (
	ReasonRefused       Reason = "refused"       // the receiver will never take this notification
	ReasonMisconfigured Reason = "misconfigured" // the operator has to mend something
	ReasonThrottled     Reason = "throttled"     // asked to come back later
	ReasonTimeout       Reason = "timeout"       // no whole answer in time
	ReasonTLS           Reason = "tls"           // no trustworthy connection
	ReasonUnreachable   Reason = "unreachable"   // no connection, or a broken one
	ReasonServer        Reason = "server_error"  // the receiver is broken: 5xx
	ReasonAnswer        Reason = "bad_answer"    // not an answer of this kind of receiver
	ReasonCanceled      Reason = "canceled"      // we stopped it ourselves
	ReasonOther         Reason = "other"
)

// Because gives err a reason that cannot be seen from its type.
func Because(reason Reason, err error) error {
	if err == nil {
		return nil
	}
	return &reasonError{err, reason}
}

type reasonError struct {
	err    error
	reason Reason
}

func (e *reasonError) Error() string { return e.err.Error() }
func (e *reasonError) Unwrap() error { return e.err }

// ReasonOf is why err came about, "" for nil.
func ReasonOf(err error) Reason {
	var marked *reasonError
	var throttled *retryAfterError
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &marked):
		return marked.reason
	case IsPermanent(err):
		return ReasonRefused
	case IsMisconfigured(err):
		return ReasonMisconfigured
	case errors.As(err, &throttled):
		return ReasonThrottled
	case errors.Is(err, context.Canceled):
		return ReasonCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return ReasonTimeout
	case isTLS(err):
		return ReasonTLS
	case network != nil:
		return ReasonUnreachable
	}
	return ReasonOther
}

// isTLS tells whether err is about the handshake or the certificate.
func isTLS(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
