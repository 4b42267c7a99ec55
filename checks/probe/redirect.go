package probe

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
)

// trailKept is how many redirect targets a failure tells, the last ones.
const trailKept = 3

// redirects tells whether an answer names another URL to ask.
func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// leadsAway tells whether a redirect names another host or port than that of the
// run's first request, which alone is pinned.
func (r *run) leadsAway(h hop, resp *http.Response) bool {
	target, err := h.url.Parse(resp.Header.Get("Location"))
	return err == nil && normalizeURL(target) == nil && hostPort(target) != hostPort(r.target)
}

// redirect is the request that follows from a redirect.
func (r *run) redirect(h hop, resp *http.Response) (*hop, error) {
	location := resp.Header.Get("Location")
	if r.resp.Redirects >= r.p.req.MaxRedirects {
		return nil, &failure{condition: catalog.RedirectLoop,
			detail: fmt.Sprintf("redirected more than %d times, at last to %s", r.p.req.MaxRedirects, bare(h.url, location))}
	}
	target, err := h.url.Parse(location)
	if err == nil {
		target.User = nil // a server has no say in how we authenticate
		err = normalizeURL(target)
	}
	if err != nil {
		if u, ok := err.(*url.Error); ok {
			err = u.Err
		}
		return nil, &failure{condition: catalog.ProtocolError,
			detail: fmt.Sprintf("redirect %d to %q: %v", resp.StatusCode, Printable(location, 200), err)}
	}
	r.resp.Redirects++
	if to := bare(h.url, location); !slices.Contains(r.trail, to) {
		r.trail = append(r.trail, to)
	}
	if len(r.trail) > trailKept {
		r.trail = slices.Delete(r.trail, 0, 1)
	}
	if h.url.Scheme == "https" && target.Scheme == "http" {
		r.note("redirect: from https down to http")
	}
	next := hop{url: target, method: h.method, header: h.header.Clone(), body: h.body}
	if hostPort(target) == hostPort(h.url) {
		next.host = h.host
	}
	next.adapt(resp.StatusCode)
	if !trusted(h.url, target) {
		next.forget()
	}
	return &next, r.carryCookies(h, resp, &next)
}

// adapt changes the method as browsers do: after 303 everything but HEAD
// becomes GET, after 301 and 302 POST does, and a body is then gone.
func (h *hop) adapt(status int) {
	see := status == http.StatusSeeOther && h.method != http.MethodHead
	moved := (status == http.StatusMovedPermanently || status == http.StatusFound) && h.method == http.MethodPost
	if !see && !moved {
		return
	}
	h.method, h.body = http.MethodGet, nil
	for name := range h.header {
		if strings.HasPrefix(name, "Content-") {
			delete(h.header, name)
		}
	}
}

// trusted tells whether the secrets meant for one URL may go to another, and what
// is known of its server holds there: the same host and port, or the same host's
// https after its http.
func trusted(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return false
	}
	upgrade := hostPort(from) == hostPort(&url.URL{Scheme: "http", Host: joinHost(from.Hostname(), "")}) &&
		hostPort(to) == hostPort(&url.URL{Scheme: "https", Host: joinHost(to.Hostname(), "")})
	return from.Scheme == to.Scheme && hostPort(from) == hostPort(to) ||
		from.Scheme == "http" && to.Scheme == "https" && upgrade
}

// forget drops every header that may be a secret. Once dropped it stays so,
// even when a later redirect leads back.
func (h *hop) forget() {
	for name := range h.header {
		if !travels(name) {
			delete(h.header, name)
		}
	}
}

// travels tells whether a header says nothing that is meant for one host only.
// A header that we do not know may carry a key.
func travels(name string) bool {
	switch name {
	case "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Encoding",
		"Content-Language", "Content-Type", "Dnt", "Expect", "Host", "If-Modified-Since", "If-None-Match", "Pragma", "Range",
		"Te", "Upgrade-Insecure-Requests", "User-Agent":
		return true
	}
	return strings.HasPrefix(name, "Sec-")
}

// carryCookies takes the cookies of an answer along, as far as they belong to
// the next request. They live for one run.
func (r *run) carryCookies(h hop, resp *http.Response, next *hop) error {
	if set := resp.Cookies(); len(set) > 0 {
		if r.jar == nil {
			jar, err := cookiejar.New(nil)
			if err != nil {
				return &localError{err}
			}
			r.jar = jar
		}
		r.jar.SetCookies(h.url, set)
	}
	if r.jar == nil {
		return nil
	}
	fresh := r.jar.Cookies(next.url)
	old := (&http.Request{Header: next.header}).Cookies()
	next.header.Del("Cookie")
	req := http.Request{Header: next.header}
	for _, c := range old {
		if !slices.ContainsFunc(fresh, func(f *http.Cookie) bool { return f.Name == c.Name }) {
			req.AddCookie(c)
		}
	}
	for _, c := range fresh {
		req.AddCookie(c)
	}
	return nil
}

// bare is the URL that a location leads to, in short.
func bare(base *url.URL, location string) string {
	u, err := base.Parse(location)
	if err != nil {
		return Printable(location, 200)
	}
	return Printable(BareURL(u.String()), 200)
}
