package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	socks "golang.org/x/net/proxy"

	"github.com/esawatch/esawatch/checks/catalog"
)

// proxy is the way to a site through somebody else's machine.
type proxy struct {
	url       *url.URL
	address   string // HOST:PORT
	userAgent string
	tls       *tlsSettings // towards the proxy itself
	secrets   []string
}

// newProxy reads proxy_url and refuses what a proxy would make us ignore.
func (c *Common) newProxy(req *Request, target *url.URL) (*proxy, error) {
	u, err := url.Parse(req.ProxyURL)
	if err != nil {
		return nil, fieldErrorf("proxy_url", "is no URL") // its text may hold a password
	}
	port, ok := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	switch {
	case !ok:
		return nil, fieldErrorf("proxy_url", "scheme %q (want http, https or socks5)", u.Scheme)
	case req.HTTPVersion == "3":
		return nil, fieldErrorf("proxy_url", "no proxy carries http_version 3")
	case req.IPFamily != "any":
		return nil, fieldErrorf("ip_family", "%s cannot be kept with a proxy_url: the proxy chooses the address", req.IPFamily)
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return nil, &FieldError{"proxy_url", err}
	}
	if u.Port() != "" {
		port = u.Port()
	}
	p := &proxy{url: u, address: net.JoinHostPort(host, port), userAgent: req.UserAgent}
	if p.tls, err = c.tlsOf(TLSOptions{CAFile: req.TLS.CAFile, systemToo: true}, "http/1.1"); err != nil {
		return nil, err
	}
	if p.isHTTP() && target.Scheme == "http" {
		if req.ConnectTo != "" {
			return nil, fieldErrorf("connect_to", "cannot be kept for an http URL with an HTTP proxy, which connects itself")
		}
		if req.HTTPVersion == "2" {
			return nil, fieldErrorf("http_version", "2 cannot be had for an http URL through an HTTP proxy")
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		p.secrets = []string{password, strings.TrimPrefix(p.authorization(), "Basic ")}
	}
	return p, nil
}

func (p *proxy) isHTTP() bool { return p.url.Scheme == "http" || p.url.Scheme == "https" }

// forwards is http.Transport's question which proxy a request goes to. Only
// plain requests are handed to an HTTP proxy as they are; for all others we
// open a tunnel ourselves.
func (p *proxy) forwards(req *http.Request) (*url.URL, error) {
	if p.isHTTP() && req.URL.Scheme == "http" {
		return p.url, nil
	}
	return nil, nil
}

// open makes a connection through the proxy to the run's present target. An
// HTTP proxy is only connected to when it is to forward a plain request.
func (p *proxy) open(ctx context.Context, r *run) (net.Conn, error) {
	if !p.isHTTP() {
		return p.socks(ctx, r)
	}
	nc, err := p.dial(ctx, r)
	if err != nil {
		return nil, &proxyError{p, "", err}
	}
	if r.url.Scheme == "http" {
		return nc, nil
	}
	if err := p.tunnel(ctx, r, nc); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// dial connects to the proxy itself, with TLS when its URL says so.
func (p *proxy) dial(ctx context.Context, r *run) (net.Conn, error) {
	nc, err := r.dial(ctx, p.address)
	if err != nil || p.url.Scheme != "https" {
		return nc, err
	}
	config, err := p.tls.current(p.host())
	if err != nil {
		nc.Close()
		return nil, err
	}
	tc := tls.Client(nc, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

func (p *proxy) host() string {
	host, _, _ := net.SplitHostPort(p.address)
	return host
}

// authorization is the value of Proxy-Authorization, "" without user info.
func (p *proxy) authorization() string {
	if p.url.User == nil {
		return ""
	}
	password, _ := p.url.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.url.User.Username()+":"+password))
}

// tunnel asks an HTTP proxy, already connected, for a connection to the run's
// present target.
func (p *proxy) tunnel(ctx context.Context, r *run, nc net.Conn) error {
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: r.dialTarget}, Host: r.dialTarget,
		Header: http.Header{"User-Agent": {p.userAgent}}}
	if a := p.authorization(); a != "" {
		req.Header.Set("Proxy-Authorization", a)
	}
	if err := req.Write(nc); err != nil {
		return &proxyError{p, "", err}
	}
	// What is buffered beyond the header can be dropped: behind a tunnel the
	// other side does not speak first.
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(nc, headerLimit)), req)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return p.silent(r)
	case err != nil:
		return &proxyError{p, "", err}
	case resp.StatusCode != http.StatusOK:
		return &proxyError{p, connectAnswer(resp.StatusCode), fmt.Errorf("answered CONNECT with %d", resp.StatusCode)}
	case !stop():
		return &proxyError{p, "", context.Cause(ctx)}
	}
	return nil
}

// connectAnswer is the condition that a proxy's answer to CONNECT tells of: by
// 502, 503 and 504 it says that it did not get to the site, by all others that
// it will not serve us.
func connectAnswer(status int) catalog.Condition {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return catalog.ConnectUnreachable
	case http.StatusGatewayTimeout:
		return catalog.ConnectTimeout
	}
	return catalog.InternalError
}

// silent is the failure of a proxy that takes our request and then no more
// comes from it: most likely it waits for the site, for longer than we do.
func (p *proxy) silent(r *run) error {
	return &proxyError{p, catalog.ConnectTimeout, fmt.Errorf("connect %s: no answer within %s", r.dialTarget, r.p.req.Timeout)}
}

// socks opens a connection through a SOCKS5 proxy, which resolves the name.
func (p *proxy) socks(ctx context.Context, r *run) (net.Conn, error) {
	var auth *socks.Auth
	if u := p.url.User; u != nil {
		password, _ := u.Password()
		auth = &socks.Auth{User: u.Username(), Password: password}
	}
	d, err := socks.SOCKS5("tcp", p.address, auth, proxyDialer{r})
	if err != nil {
		return nil, &proxyError{p, "", err}
	}
	nc, err := d.(socks.ContextDialer).DialContext(ctx, "tcp", r.dialTarget)
	if err == nil {
		return nc, nil
	}
	// The library gives the connection the context's deadline, which may strike
	// a moment before the context's own timer.
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) || isTimeout(err)
	if late && r.peer != nil && r.peer.spoke.Load() {
		return nil, p.silent(r)
	}
	if word, ok := strings.CutPrefix(reason(err), "unknown error "); ok {
		return nil, &proxyError{p, socksAnswer(word), fmt.Errorf("connect %s: %s", r.dialTarget, word)}
	}
	return nil, &proxyError{p, "", err}
}

// socksAnswer is the condition that a SOCKS proxy's answer tells of, which the
// library hands on as text only. A general failure is what simple ones say
// of any site that they do not get to.
func socksAnswer(word string) catalog.Condition {
	switch word {
	case "connection refused":
		return catalog.ConnectRefused
	case "network unreachable", "host unreachable", "TTL expired", "general SOCKS server failure":
		return catalog.ConnectUnreachable
	}
	return catalog.InternalError
}

// proxyDialer gives the SOCKS library our own way to connect.
type proxyDialer struct{ r *run }

func (d proxyDialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return d.r.dial(ctx, address)
}

func (d proxyDialer) Dial(_, address string) (net.Conn, error) {
	return d.r.dial(context.Background(), address)
}

// proxyError is a fault on the way to a proxy or one that it told of.
type proxyError struct {
	proxy     *proxy
	condition catalog.Condition // "" = a fault of the proxy's own
	err       error
}

func (e *proxyError) Error() string { return "proxy " + e.proxy.address + ": " + e.err.Error() }
func (e *proxyError) Unwrap() error { return e.err }

// proxyFailure explains a fault before the site, its detail beginning with
// "proxy HOST:PORT:".
//
// A proxy that cannot be reached, will not serve us or does not speak as it
// should is a matter of the check itself: internal_error, for the site was not
// asked and its owners can do nothing. Only where the proxy says that it did
// not get to the site, or is silent once it was asked to, do the site's own
// conditions of connecting stand. What comes back for a plain request that an
// HTTP proxy forwards cannot be told from the site's answer and counts as it,
// but for 407, which is about proxies by its meaning.
func (r *run) proxyFailure(ctx, parent context.Context, e *proxyError, phase string) *failure {
	prefix := "proxy " + e.proxy.address + ": "
	if e.condition != "" {
		return &failure{condition: e.condition, detail: prefix + e.err.Error()}
	}
	if chain := unverified(e.err); len(chain) > 0 {
		f := refusal(e.err, chain, e.proxy.host(), time.Now())
		f.condition, f.detail = catalog.InternalError, prefix+f.detail
		return &f
	}
	r.dialTarget, r.dialHost = e.proxy.address, e.proxy.host()
	f := r.explain(ctx, parent, e.err, phase)
	switch f.condition {
	case catalog.DNSFailure, catalog.ConnectRefused, catalog.ConnectTimeout, catalog.InternalError:
	default:
		f.detail = reason(e.err)
	}
	f.condition, f.detail = catalog.InternalError, prefix+f.detail
	return f
}
