package notify_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

func TestLine(t *testing.T) {
	for _, test := range []struct {
		in    string
		limit int
		want  string
	}{
		{"", 10, ""},
		{"text", 0, ""},
		{"text", 4, "text"},
		{"texts", 4, "tex…"},
		{"text   ", 4, "text"},
		{"  a \t b\r\nc  ", 10, "a b c"},
		{"a\x1b[31mred\x1b[0m", 10, "a red"},
		{"a\x1b]0;title\x07b", 20, "a ]0;title b"},
		{"a\x1b[" + strings.Repeat("1", 100), 200, "a [" + strings.Repeat("1", 100)},
		{"a\u202eb\u2066c\u200bd\ufeffe\u00adf", 10, "abcdef"},
		{"line\u2028separator", 20, "line separator"},
		{"👩\u200d🚒 是", 10, "👩\u200d🚒 是"},
		{"\xff\xfeok", 10, "\ufffd\ufffdok"},
		{"火火火火", 3, "火火…"},
	} {
		if got := notify.Line(test.in, test.limit); got != test.want {
			t.Errorf("Line(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add(notifytest.HostileText(), 100)
	f.Add("\x1b[", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := notify.Line(s, limit)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > max(0, limit) || strings.ContainsAny(got, "\n\r\x1b\x00\u202e\u2028") {
			t.Errorf("Line(%q, %d) = %q", s, limit, got)
		}
		if again := notify.Line(got, limit); again != got {
			t.Errorf("Line of %q is %q", got, again)
		}
	})
}

func TestWebURL(t *testing.T) {
	for in, ok := range map[string]bool{
		"https://runbooks.example.com/x?a=b&c=d": true, "http://127.0.0.1:9522/incidents/1": true,
		"javascript:alert(1)": false, "": false, "https://x/|<!channel>": false, "https://x/\r\ny": false,
		"https://x/\u202ey": false, "https://x/a b": false, "https://x/\xff": false, "https://x/" + strings.Repeat("a", 3000): false,
	} {
		want := ""
		if ok {
			want = in
		}
		if got := notify.WebURL(in); got != want {
			t.Errorf("WebURL(%q) = %q", in, got)
		}
	}
}

func TestHeadline(t *testing.T) {
	for name, want := range map[string]string{
		"one-check":         "warning: shop: Slow answer on login (origin, origin team)",
		"severity":          "critical: shop: 522 Connection timed out on login, home (origin link, origin team)",
		"twelve-checks":     "critical: shop: 522 Connection timed out on page-01, page-02, page-03, 9 more (origin link, origin team)",
		"twelve-conditions": "critical: shop: 520 Condition number 1 on page-01; 521 Condition number 2 on page-02; 10 more (origin link, origin team)",
		"left":              "critical: shop: 522 Connection timed out on login (origin link, origin team)",
		"resolved":          "resolved: shop: 522 Connection timed out on login, home, after 4 h 19 min",
		"removed":           "no longer monitored: shop: 522 Connection timed out on login, after 1 h",
		"storm":             "critical: 23 incidents at once: 522 Connection timed out on shop-01/home, shop-02/home, shop-03/home, 19 more; Certificate expired on shop-06/login (origin link, TLS, origin team, platform team)",
		"storm-half":        "critical: 4 of 24 incidents still open: 522 Connection timed out on blog/home, shop-01/home, shop-02/home, 1 more (origin link, origin team)",
		"chinese":           "严重：shop：522 连接超时，检查项 login（回源链路、源站团队）",
	} {
		for _, s := range notifytest.Samples() {
			if s.Name != name {
				continue
			}
			if got := s.Notification.Headline(); got != want {
				t.Errorf("%s: headline\n%s, want\n%s", name, got, want)
			}
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "under 1 s", 999 * time.Millisecond: "under 1 s", 12 * time.Second: "12 s", 60 * time.Second: "1 min",
		250 * time.Second: "4 min 10 s", 3*time.Hour + 5*time.Minute + 9*time.Second: "3 h 5 min", 3*time.Hour + 9*time.Second: "3 h", 52 * time.Hour: "2 d 4 h",
	} {
		if got := notify.WordsFor("en").Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "soon": 0, "1.5": 0,
		"99999999": time.Hour, "9223372036854775807": time.Hour, "99999999999999999999": 0,
		"Mon, 23 Nov 2026 15:01:00 GMT": time.Minute, "Mon, 23 Nov 2026 14:01:00 GMT": 0, "Tue, 23 Nov 2027 15:01:00 GMT": time.Hour,
	} {
		if got := notify.ParseRetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q = %v, want %v", value, got, want)
		}
	}
}

func TestReasonOf(t *testing.T) {
	base := errors.New("cause")
	for _, test := range []struct {
		err  error
		want notify.Reason
	}{
		{nil, ""},
		{base, notify.ReasonOther},
		{notify.Permanent(base), notify.ReasonRefused},
		{fmt.Errorf("x: %w", notify.Misconfigured(base)), notify.ReasonMisconfigured},
		{notify.RetryAfter(base, time.Second), notify.ReasonThrottled},
		{notify.RetryAfter(notify.Because(notify.ReasonServer, base), time.Second), notify.ReasonServer},
		{fmt.Errorf("x: %w", context.Canceled), notify.ReasonCanceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), notify.ReasonTimeout},
		{&net.OpError{Op: "dial", Err: base}, notify.ReasonUnreachable},
		{&net.DNSError{IsTimeout: true}, notify.ReasonTimeout},
		{x509.UnknownAuthorityError{}, notify.ReasonTLS},
		{notify.TransportError(&url.Error{Op: "Post", URL: "https://secret", Err: io.EOF}), notify.ReasonUnreachable},
		{notify.TransportError(&url.Error{Op: "parse", URL: "https://secret", Err: base}), notify.ReasonMisconfigured},
	} {
		if got := notify.ReasonOf(test.err); got != test.want {
			t.Errorf("reason of %v is %q, want %q", test.err, got, test.want)
		}
		if test.err != nil && strings.Contains(test.err.Error(), "secret") {
			t.Errorf("%v holds the URL", test.err)
		}
	}
}

// TestRedactKeepsTheKind: an error that lost its secret is treated as before.
func TestRedactKeepsTheKind(t *testing.T) {
	base := errors.New("the server said token-1234")
	for _, err := range []error{
		base, notify.Permanent(base), notify.Misconfigured(base), notify.RetryAfter(base, time.Minute), notify.Because(notify.ReasonAnswer, base),
	} {
		got := notify.Redact(err, "", "token-1234")
		if got.Error() != "the server said <secret>" {
			t.Errorf("redacted: %v", got)
		}
		if notify.IsPermanent(got) != notify.IsPermanent(err) || notify.IsMisconfigured(got) != notify.IsMisconfigured(err) ||
			notify.RetryDelay(got) != notify.RetryDelay(err) || notify.ReasonOf(got) != notify.ReasonOf(err) {
			t.Errorf("redacting %#v changed its kind: %#v", err, got)
		}
	}
	if got := notify.Redact(base, "another"); got != base {
		t.Errorf("an error without the secret was changed: %v", got)
	}
	if notify.Redact(nil, "x") != nil || notify.Permanent(nil) != nil || notify.Misconfigured(nil) != nil || notify.RetryAfter(nil, 1) != nil || notify.Because("x", nil) != nil {
		t.Error("nil does not stay nil")
	}
}
