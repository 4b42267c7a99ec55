package probe

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"
)

// The defaults of a Request.
const (
	DefaultTimeout      = 10 * time.Second
	DefaultMaxRedirects = 10
	DefaultMaxBodyBytes = 1 << 20
	defaultUserAgent    = "esawatch"
)

// FieldError is a setting that cannot be used. Field is its name as the
// configuration spells it, below a check: "tls.ca_file".
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

func fieldErrorf(field, format string, args ...any) error {
	return &FieldError{field, fmt.Errorf(format, args...)}
}

// validate fills in a request's defaults and checks what can be checked without
// the network. It finds every error, not only the first; none holds a secret.
func validate(req *Request) (target *url.URL, err error) {
	setDefaults(req)
	target, err = parseURL(req.URL)
	if err != nil {
		return nil, &FieldError{"url", err}
	}
	var errs []error
	check := func(ok bool, field, format string, args ...any) {
		if !ok {
			errs = append(errs, fieldErrorf(field, format, args...))
		}
	}
	check(validToken(req.Method), "method", "%q is no HTTP method", req.Method)
	check(req.Method != http.MethodConnect, "method", "CONNECT asks a proxy, not a site")
	check(req.Method != http.MethodHead || len(req.Body) == 0, "body", "HEAD carries none")
	check(req.Timeout >= 0, "timeout", "%s is negative", req.Timeout)
	check(req.MaxRedirects >= 0, "max_redirects", "%d is negative", req.MaxRedirects)
	check(req.MaxBodyBytes >= 0, "max_body_bytes", "%d is negative", req.MaxBodyBytes)
	check(httpguts.ValidHeaderFieldValue(req.UserAgent), "user_agent", "has a character that no header may have")
	check(slices.Contains([]string{"any", "4", "6"}, req.IPFamily), "ip_family", "%q (want any, 4 or 6)", req.IPFamily)
	check(slices.Contains([]string{"auto", "1.1", "2", "3"}, req.HTTPVersion), "http_version", "%q (want auto, 1.1, 2 or 3)", req.HTTPVersion)
	errs = append(errs, checkHeader(req.Header)...)
	if req.ConnectTo != "" {
		if err := checkHostPort(req.ConnectTo); err != nil {
			errs = append(errs, &FieldError{"connect_to", err})
		}
	}
	check((req.TLS.CertFile == "") == (req.TLS.KeyFile == ""), "tls.cert_file", "and tls.key_file go together")
	if _, err := tlsVersion(req.TLS.MinVersion); err != nil {
		errs = append(errs, &FieldError{"tls.min_version", err})
	}
	errs = append(errs, checkCombinations(req, target)...)
	return target, errors.Join(errs...)
}

// checkCombinations finds settings that contradict each other, which would
// otherwise be ignored in silence.
func checkCombinations(req *Request, target *url.URL) (errs []error) {
	if req.HTTPVersion == "3" && target.Scheme != "https" {
		errs = append(errs, fieldErrorf("http_version", "3 needs an https URL"))
	}
	if host, want := dialHostOf(req, target), req.IPFamily; want != "any" {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is4() != (want == "4") {
			errs = append(errs, fieldErrorf("ip_family", "%s, but the address to dial is %s", want, ip))
		}
	}
	ways := 0
	for _, set := range []bool{req.Auth.BasicPassword != nil, req.Auth.Bearer != nil, req.Auth.OAuth2 != nil, target.User != nil} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		errs = append(errs, fieldErrorf("auth", "%d ways to authenticate (want one of basic, bearer, oauth2, or user info in the URL)", ways))
	}
	if ways > 0 && req.Header.Get("Authorization") != "" {
		errs = append(errs, fieldErrorf("auth", "and a header Authorization exclude each other"))
	}
	return errs
}

// dialHostOf is the host that a request's first connection goes to.
func dialHostOf(req *Request, target *url.URL) string {
	if host, _, err := net.SplitHostPort(req.ConnectTo); err == nil {
		return host
	}
	return target.Hostname()
}

func setDefaults(req *Request) {
	orDefault(&req.Method, http.MethodGet)
	orDefault(&req.UserAgent, defaultUserAgent)
	orDefault(&req.IPFamily, "any")
	orDefault(&req.HTTPVersion, "auto")
	orDefault(&req.Timeout, DefaultTimeout)
	orDefault(&req.MaxRedirects, DefaultMaxRedirects)
	orDefault(&req.MaxBodyBytes, DefaultMaxBodyBytes)
}

// orDefault sets what is zero.
func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// parseURL reads an absolute http or https URL and writes its host in ASCII.
// Its errors hold neither user info nor query.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err // without the URL, which may hold a password
		}
		return nil, err
	}
	if err := normalizeURL(u); err != nil {
		return nil, err
	}
	return u, nil
}

// normalizeURL checks that u can be asked and brings its host into the form
// that goes over the wire.
func normalizeURL(u *url.URL) error {
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("scheme %q (want http or https)", u.Scheme)
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return err
	}
	port := u.Port()
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("port %q (want 1 to 65535)", port)
		}
	}
	u.Host = joinHost(host, port)
	if u.Path == "" && u.Opaque == "" {
		u.Path = "/"
	}
	u.Fragment, u.RawFragment = "", ""
	u.RawQuery = escapeQuery(u.RawQuery)
	return nil
}

// escapeQuery escapes in a query what browsers do; servers may refuse it as it
// is. What is escaped already stays so.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// asciiHost is a host name in the form that DNS and TLS know.
func asciiHost(host string) (string, error) {
	if host == "" {
		return "", errors.New("no host")
	}
	if !isASCII(host) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("host %q: %w", host, err)
		}
		host = ascii
	}
	if len(host) > 255 || strings.ContainsAny(host, " \t\r\n/\\@?#<>\"") {
		return "", fmt.Errorf("host %q is no host name", Printable(host, 80))
	}
	return strings.ToLower(host), nil
}

// WireURL is rawURL with its host in the form that goes over the wire, which is
// the only one that every tool on a command line takes.
func WireURL(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || isASCII(u.Hostname()) {
		return rawURL
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return rawURL
	}
	u.Host = joinHost(host, u.Port())
	return u.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// joinHost puts a host and a port, which may be "", together for a URL.
func joinHost(host, port string) string {
	if port != "" {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// checkHostPort checks an address to dial.
func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return fmt.Errorf("%q (want HOST:PORT)", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q: port %q (want 1 to 65535)", s, port)
	}
	return nil
}

// checkHeader checks names and values; it never shows a value.
func checkHeader(h http.Header) (errs []error) {
	for name, values := range h {
		field := "headers." + Printable(name, 80)
		switch http.CanonicalHeaderKey(name) {
		case "Content-Length", "Transfer-Encoding", "Trailer":
			errs = append(errs, fieldErrorf(field, "is set by the body and cannot be chosen"))
		case "Connection", "Upgrade", "Proxy-Connection", "Keep-Alive":
			errs = append(errs, fieldErrorf(field, "is set by http_version and connection and cannot be chosen"))
		}
		if !httpguts.ValidHeaderFieldName(name) {
			errs = append(errs, fieldErrorf(field, "is no header name"))
		}
		if slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			errs = append(errs, fieldErrorf(field, "its value has a character that no header may have"))
		}
		if http.CanonicalHeaderKey(name) == "Host" {
			if len(values) != 1 || !httpguts.ValidHostHeader(values[0]) || values[0] == "" {
				errs = append(errs, fieldErrorf(field, "is no host name"))
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// validToken tells whether s may be a method.
func validToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool { return !httpguts.IsTokenRune(c) }) < 0
}
