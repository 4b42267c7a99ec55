package notify

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultTimeout bounds one request to a receiver, answer included.
	DefaultTimeout = 10 * time.Second
	// maxRetryAfter caps what a server may ask for, so that a broken clock or a
	// hostile header cannot silence a receiver for days.
	maxRetryAfter = time.Hour
)

// Transport makes the HTTP transport of one receiver: the system's proxies and
// roots, small bounds. Its owner closes its idle connections.
func Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 2
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// NoRedirect is a CheckRedirect that follows none: no receiver has a reason to
// send us elsewhere, and a captive portal must not be shown a secret.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ParseRetryAfter reads the Retry-After header in its two forms, seconds and
// date. It is 0 when the header is missing, broken or past, at most an hour.
func ParseRetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// TransportError makes err, of a request that got no whole answer, fit to be
// shown: without the URL, which may be a secret, and with its reason.
func TransportError(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		if u.Op == "parse" {
			// What is wrong with it quotes parts of it.
			return Misconfigured(errors.New("the URL is not valid"))
		}
		err = u.Err
	}
	if reason := ReasonOf(err); reason != ReasonOther {
		return err
	}
	// What is left of the transport's errors are broken connections: EOF, a
	// malformed answer, a reset.
	return Because(ReasonUnreachable, err)
}

// Redact is the last gate before an error leaves a receiver: one whose text
// holds a secret (a server may echo what we sent) is replaced by one of the
// same kind that does not.
func Redact(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := text
	for _, s := range secrets {
		if s != "" {
			clean = strings.ReplaceAll(clean, s, "<secret>")
		}
	}
	if clean == text {
		return err
	}
	redacted := Because(ReasonOf(err), errors.New(clean))
	switch {
	case IsPermanent(err):
		return Permanent(redacted)
	case IsMisconfigured(err):
		return Misconfigured(redacted)
	case RetryDelay(err) > 0:
		return RetryAfter(redacted, RetryDelay(err))
	}
	return redacted
}
