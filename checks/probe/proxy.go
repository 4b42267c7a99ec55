package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
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
func newProxy(req *Request, target *url.URL) (*proxy, error) {
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
	p.tls = &tlsSettings{opts: TLSOptions{CAFile: req.TLS.CAFile, systemToo: true}, alpn: []string{"http/1.1"}, serverName: host}
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
	if err := p.tunnel(ctx, nc, r.dialTarget); err != nil {
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
	config, err := p.tls.current()
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

// tunnel asks an HTTP proxy, already connected, for a connection to address.
func (p *proxy) tunnel(ctx context.Context, nc net.Conn, address string) error {
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address,
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
	if err != nil {
		return &proxyError{p, "", err}
	}
	if resp.StatusCode != http.StatusOK {
		return &proxyError{p, catalog.ConnectUnreachable, fmt.Errorf("answered CONNECT with %d", resp.StatusCode)}
	}
	if !stop() {
		return &proxyError{p, "", context.Cause(ctx)}
	}
	return nil
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
	// The proxy's word about the target comes as text only.
	text := reason(err)
	switch {
	case strings.HasSuffix(text, "unknown error connection refused"):
		return nil, &proxyError{p, catalog.ConnectRefused, fmt.Errorf("connect %s: refused", r.dialTarget)}
	case strings.HasPrefix(text, "unknown error "):
		cause := strings.TrimPrefix(text, "unknown error ")
		return nil, &proxyError{p, catalog.ConnectUnreachable, fmt.Errorf("connect %s: %s", r.dialTarget, cause)}
	}
	return nil, &proxyError{p, "", err}
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
	condition catalog.Condition
	err       error
}

func (e *proxyError) Error() string { return "proxy " + e.proxy.address + ": " + e.err.Error() }
func (e *proxyError) Unwrap() error { return e.err }

// proxyFailure explains a fault before the site. Whatever it is, it kept us from
// connecting, and the site's own conditions would blame the wrong one.
func (r *run) proxyFailure(ctx, parent context.Context, e *proxyError, phase string) *failure {
	prefix := "proxy " + e.proxy.address + ": "
	if e.condition != "" {
		return &failure{condition: e.condition, detail: prefix + e.err.Error()}
	}
	if chain := unverified(e.err); len(chain) > 0 {
		f := refusal(e.err, chain, e.proxy.host(), time.Now())
		f.condition, f.detail = catalog.ConnectUnreachable, prefix+f.detail
		return &f
	}
	r.dialTarget, r.dialHost = e.proxy.address, e.proxy.host()
	f := r.explain(ctx, parent, e.err, phase)
	switch f.condition {
	case catalog.DNSFailure, catalog.ConnectRefused, catalog.ConnectTimeout, catalog.InternalError:
	default:
		f.condition, f.detail = catalog.ConnectUnreachable, reason(e.err)
	}
	f.detail = prefix + f.detail
	return f
}
