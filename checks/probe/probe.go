package probe

import (
	"context"
	"encoding/base64"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// headerLimit bounds the header of an answer, and each interim answer.
	headerLimit = 64 << 10
	// interimLimit is how many interim answers (1xx) may come before the real one.
	interimLimit = 16
)

// Probe is a Request made ready: settings checked, files read, connections'
// settings prepared. It is safe for concurrent use.
type Probe struct {
	req     Request
	target  *url.URL
	host    string      // the Host header, "" = the URL's
	header  http.Header // shared by all runs, never changed
	secrets redactor    // configured values that must not be shown
	auth    authenticator

	resolver   *net.Resolver
	nameServer string // in place of the system's; "" outside tests

	transport *http.Transport // makes connections, pools none
	tls       *tlsSettings
	proxy     *proxy // nil = none
	idle      idleConns

	lastTLS atomic.Pointer[knownTLS]
}

// New checks a request and prepares it. Its error joins a *FieldError for every
// setting that cannot be used.
func New(req Request) (*Probe, error) {
	req.Header = maps.Clone(req.Header)
	target, err := validate(&req)
	if err != nil {
		return nil, err
	}
	p := &Probe{
		req:    req,
		target: target,
		auth:   authenticator{auth: req.Auth},
	}
	// Go's own resolver can be cancelled, and what it is told can be read along.
	p.resolver = &net.Resolver{PreferGo: true, Dial: p.dialNameServer}
	if req.ProxyURL != "" {
		if p.proxy, err = newProxy(&req, target); err != nil {
			return nil, err
		}
		p.secrets.add(p.proxy.secrets...)
	}
	p.prepareHeader()
	if err := p.prepareTLS(); err != nil {
		return nil, err
	}
	if p.req.HTTPVersion != "3" {
		p.prepareTransport()
	}
	if o := req.Auth.OAuth2; o != nil {
		if p.auth.tokens, err = newTokenSource(o, &req); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Close closes the connections that were kept for reuse.
func (p *Probe) Close() {
	p.idle.close()
	if p.auth.tokens != nil {
		p.auth.tokens.close()
	}
}

// prepareHeader makes the header that all runs share. What is neither harmless
// nor empty among the configured values counts as a secret.
func (p *Probe) prepareHeader() {
	h := make(http.Header, len(p.req.Header)+3)
	for name, values := range p.req.Header {
		name = http.CanonicalHeaderKey(name)
		h[name] = slices.Clone(values)
		if !travels(name) {
			p.secrets.addHeader(values)
		}
	}
	p.host = h.Get("Host")
	h.Del("Host")
	for name, value := range map[string]string{"User-Agent": p.req.UserAgent, "Accept": "*/*", "Accept-Encoding": acceptEncoding} {
		if _, ok := h[name]; !ok {
			h[name] = []string{value}
		}
	}
	p.header = h
	if user := p.target.User; user != nil {
		password, _ := user.Password()
		p.auth.static = "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
		p.secrets.add(password, strings.TrimPrefix(p.auth.static, "Basic "))
		p.target.User = nil
	}
}

// prepareTLS reads the files of the handshake, so that a mistake shows at once.
func (p *Probe) prepareTLS() error {
	version, err := tlsVersion(p.req.TLS.MinVersion)
	if err != nil {
		return err
	}
	p.tls = &tlsSettings{opts: p.req.TLS, minVersion: version, serverName: p.serverNameOf(p.target)}
	switch p.req.HTTPVersion {
	case "1.1":
		p.tls.alpn = []string{"http/1.1"}
	case "2":
		p.tls.alpn = []string{"h2"}
	case "3":
		p.tls.alpn = []string{"h3"}
	default:
		p.tls.alpn = []string{"h2", "http/1.1"}
	}
	if _, err := p.tls.current(); err != nil {
		return err.(*localError).err
	}
	return nil
}

// prepareTransport makes the one http.Transport of the probe. It serves to turn
// connections that we opened ourselves into HTTP clients; its pool, its retries
// and its dialing are not used, so that a run is one attempt and leaves nothing
// behind.
func (p *Probe) prepareTransport() {
	open := func(ctx context.Context, _, _ string) (net.Conn, error) { return runOf(ctx).open(ctx) }
	p.transport = &http.Transport{
		DialContext:            open,
		DialTLSContext:         open,
		DisableCompression:     true, // readBody decodes, and bounds what comes out
		MaxResponseHeaderBytes: headerLimit,
		ExpectContinueTimeout:  time.Second,
		Protocols:              new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     1 << 20,
			MaxReceiveBufferPerConnection: 1 << 20,
		},
	}
	if !p.req.Reuse {
		p.transport.IdleConnTimeout = freshIdle
	}
	if p.proxy != nil {
		p.transport.Proxy = p.proxy.forwards
	}
	switch p.req.HTTPVersion {
	case "1.1":
		p.transport.Protocols.SetHTTP1(true)
	case "2":
		p.transport.Protocols.SetHTTP2(true)
		p.transport.Protocols.SetUnencryptedHTTP2(true)
	default:
		p.transport.Protocols.SetHTTP1(true)
		p.transport.Protocols.SetHTTP2(true)
	}
}

// serverNameOf is the name that TLS asks u's host for. The configured names
// belong to the request's own host and not to one that a redirect leads to.
func (p *Probe) serverNameOf(u *url.URL) string {
	if !strings.EqualFold(u.Hostname(), p.target.Hostname()) {
		return u.Hostname()
	}
	if p.req.TLS.ServerName != "" {
		return p.req.TLS.ServerName
	}
	if p.host != "" {
		if name, err := asciiHost((&url.URL{Host: p.host}).Hostname()); err == nil {
			return name
		}
	}
	return u.Hostname()
}

// dialAddress is where to connect for u: its own host and port, or, for the
// request's own, the address that it is pinned to.
func (p *Probe) dialAddress(u *url.URL) string {
	address := hostPort(u)
	if p.req.ConnectTo != "" && address == hostPort(p.target) {
		return p.req.ConnectTo
	}
	return address
}

// hostPort is the host and the port of u, with the scheme's port by default.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}
