package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/esawatch/esawatch/checks/probe"
)

// checkAddress judges what names a place in the network.
func checkAddress(rule, v string) (string, *problem) {
	switch rule {
	case "url":
		return v, asNil(checkURL(v, "http", "https"))
	case "page_url":
		return v, checkPageURL(v)
	case "base_url":
		return v, checkBaseURL(v)
	case "proxy_url":
		return v, checkProxyURL(v)
	case "path":
		return v, checkPath(v)
	case "host":
		return v, checkHost(v)
	case "hostport":
		return v, checkHostPort(v, false)
	default: // listen
		return v, checkHostPort(v, true)
	}
}

func asNil(_ *url.URL, p *problem) *problem { return p }

// checkURL wants an absolute URL of one of the schemes, with no user info:
// that would be a secret in a place that is shown.
func checkURL(v string, schemes ...string) (*url.URL, *problem) {
	u, p := parseURL(v, schemes)
	if p != nil {
		return nil, p
	}
	if u.User != nil {
		return nil, newProblem("credentials go into auth.basic, where they stay secret", "%s holds a user name or password", quote(redactURL(v)))
	}
	return u, nil
}

func parseURL(v string, schemes []string) (*url.URL, *problem) {
	form := schemes[len(schemes)-1] + "://host/path"
	if strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return nil, newProblem(form, "%s is not a URL: it holds white space", quote(redactURL(v)))
	}
	u, err := url.Parse(v)
	if err != nil {
		return nil, newProblem(form, "%s is not a URL", quote(redactURL(v)))
	}
	known := false
	for _, s := range schemes {
		known = known || strings.EqualFold(u.Scheme, s)
	}
	switch {
	case !strings.Contains(v, "://"):
		hint := form
		rest := strings.TrimPrefix(v, "//")
		host, _, _ := strings.Cut(rest, "/")
		if name, port, ok := strings.Cut(host, ":"); name != "" && (!ok || isPort(port)) {
			hint = "did you mean " + quote(schemes[len(schemes)-1]+"://"+redactURL(rest)) + "?"
		}
		return nil, newProblem(hint, "%s is not an absolute URL", quote(redactURL(v)))
	case !known:
		return nil, newProblem("one of "+strings.Join(schemes, ", "), "%s has an unknown scheme", quote(redactURL(v)))
	case u.Hostname() == "":
		return nil, newProblem(form, "%s has no host", quote(redactURL(v)))
	case !isPort(u.Port()) && u.Port() != "" || strings.HasSuffix(u.Host, ":"):
		return nil, newProblem("a port from 1 to 65535", "%s has a wrong port", quote(redactURL(v)))
	}
	return u, nil
}

// redactURL hides what may be a password, or open something. In what does not parse
// that is all before an @.
func redactURL(v string) string {
	v = probe.ShownURL(v)
	end := len(v)
	if u, err := url.Parse(v); err == nil && u.Host != "" {
		if u.User == nil {
			return v
		}
		begin := strings.Index(v, "//") + 2
		if i := strings.IndexAny(v[begin:], "/?#"); i >= 0 {
			end = begin + i
		}
	}
	at := strings.LastIndexByte(v[:end], '@')
	if at < 0 {
		return v
	}
	scheme, _, ok := strings.Cut(v[:at], "://")
	if !ok {
		return "xxxxx" + v[at:]
	}
	return scheme + "://xxxxx" + v[at:]
}

// checkPageURL wants a URL that is all sent.
func checkPageURL(v string) *problem {
	u, p := checkURL(v, "http", "https")
	if p == nil && u.Fragment != "" {
		p = newProblem("a fragment is never sent", "%s has a fragment", quote(probe.ShownURL(v)))
	}
	return p
}

// checkBaseURL wants a URL that a path can be put behind.
func checkBaseURL(v string) *problem {
	u, p := checkURL(v, "http", "https")
	if p != nil {
		return p
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.HasSuffix(v, "#") {
		return newProblem("a query belongs into a check's path or url", "%s has a query or a fragment", quote(probe.ShownURL(v)))
	}
	return nil
}

// checkProxyURL allows user info: a proxy has no other place for it.
func checkProxyURL(v string) *problem {
	_, p := parseURL(v, []string{"socks5", "https", "http"})
	return p
}

func checkPath(v string) *problem {
	if !strings.HasPrefix(v, "/") {
		return newProblem("did you mean "+quote("/"+probe.ShownURL(v))+"? another host goes into url", "%s does not begin with /", quote(probe.ShownURL(v)))
	}
	if strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || r == ' ' }) {
		return newProblem("encode white space as %20", "%s is not a path", quote(probe.ShownURL(v)))
	}
	u, err := url.Parse("http://host.invalid" + v)
	if err != nil {
		return newProblem("a plain % is written %25", "%s is not a path", quote(probe.ShownURL(v)))
	}
	if u.Fragment != "" {
		return newProblem("a fragment is never sent", "%s has a fragment", quote(probe.ShownURL(v)))
	}
	return nil
}

// checkHost wants a name or an address; a port may follow, as in a Host header.
func checkHost(v string) *problem {
	host, port, err := net.SplitHostPort(v)
	if err != nil {
		host, port = strings.Trim(v, "[]"), ""
	}
	if !isHost(host) || port != "" && !isPort(port) {
		return newProblem("a name such as shop.example.com, no scheme, no path", "%s is not a host", quote(v))
	}
	return nil
}

// checkHostPort wants HOST:PORT. A listener may leave the host away, and take
// port 0 for any that is free.
func checkHostPort(v string, listen bool) *problem {
	form := "HOST:PORT, such as 203.0.113.10:443 or [2001:db8::1]:443"
	if listen {
		form = "HOST:PORT, such as 127.0.0.1:9522 or :9522"
	}
	host, port, err := net.SplitHostPort(v)
	switch {
	case strings.Contains(v, "://"):
		return newProblem(form, "%s is a URL", quote(redactURL(v)))
	case err != nil && isHost(strings.Trim(v, "[]")):
		return newProblem(form, "%s has no port", quote(v))
	case err != nil:
		return newProblem(form, "%s is not an address", quote(v))
	case !isPort(port) && (!listen || port != "0"):
		return newProblem("a number from 1 to 65535", "%s has a wrong port", quote(v))
	case !isHost(host) && (!listen || host != ""):
		return newProblem(form, "%s has a wrong host", quote(v))
	}
	return nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isHost is generous with names: what a resolver makes of them is not known here.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if s == "" || len(s) > 253 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !isNameRune(r) && (r <= unicode.MaxASCII || unicode.IsSpace(r) || unicode.IsControl(r))
	})
}
