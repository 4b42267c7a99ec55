package probe

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	// headerLimit bounds the header of an answer, and each interim answer.
	headerLimit = 64 << 10
	// interimLimit is how many interim answers (1xx) may come before the real one.
	interimLimit = 16
)

// manner is how a probe asks, whatever it asks for. It is never changed.
type manner struct {
	req     Request     // without its URL
	host    string      // the Host header, "" = the URL's
	header  http.Header // shared by all runs, never changed
	secrets redactor    // configured values that must not be shown
	auth    authenticator

	resolver   *net.Resolver
	nameServer string // in place of the system's; "" outside tests

	transport *http.Transport // makes connections, pools none; nil for HTTP/3
	tls       *tlsSettings
	proxy     *proxy // nil = none
}

// newManner makes the manner of a valid request for target. The caller holds
// c.mu.
func (c *Common) newManner(req *Request, target *url.URL) (*manner, error) {
	m := &manner{req: *req, auth: authenticator{auth: req.Auth}}
	m.req.URL = ""
	// Go's own resolver can be cancelled, and what it is told can be read along.
	m.resolver = &net.Resolver{PreferGo: true, Dial: m.dialNameServer}
	var err error
	if req.ProxyURL != "" {
		if m.proxy, err = c.newProxy(req, target); err != nil {
			return nil, err
		}
		m.secrets.add(m.proxy.secrets...)
	}
	m.secrets.add(querySecrets(target.RawQuery)...)
	m.prepareHeader()
	m.secrets.add(bodySecrets(req.Body, m.header.Get("Content-Type"))...)
	m.prepareUser(target.User)
	// The files of the handshake are read now, so that a mistake shows at once.
	if m.tls, err = c.tlsOf(req.TLS, alpnOf(req.HTTPVersion)...); err != nil {
		return nil, err
	}
	if req.HTTPVersion != "3" {
		key := transportKey{version: req.HTTPVersion, reuse: req.Reuse, proxied: m.proxy != nil}
		m.transport = get(&c.transports, key, func() *http.Transport { return newTransport(key) })
	}
	if o := req.Auth.OAuth2; o != nil {
		if m.auth.tokens, err = newTokenSource(o, req); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// prepareHeader makes the header that all runs share. What is neither harmless
// nor empty among the configured values counts as a secret.
func (m *manner) prepareHeader() {
	h := make(http.Header, len(m.req.Header)+3)
	for name, values := range m.req.Header {
		name = http.CanonicalHeaderKey(name)
		h[name] = slices.Clone(values)
		if !travels(name) {
			m.secrets.addHeader(values)
		}
	}
	m.req.Header = nil
	m.host = h.Get("Host")
	h.Del("Host")
	for name, value := range map[string]string{"User-Agent": m.req.UserAgent, "Accept": "*/*", "Accept-Encoding": acceptEncoding} {
		if _, ok := h[name]; !ok {
			h[name] = []string{value}
		}
	}
	m.header = h
}

// prepareUser takes over the user info of a URL.
func (m *manner) prepareUser(user *url.Userinfo) {
	if user == nil {
		return
	}
	password, _ := user.Password()
	pair := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
	m.auth.static = "Basic " + pair
	m.secrets.add(password, pair)
}

// alpnOf are the protocols that a handshake offers for an http_version.
func alpnOf(version string) []string {
	switch version {
	case "1.1":
		return []string{"http/1.1"}
	case "2":
		return []string{"h2"}
	case "3":
		return []string{"h3"}
	}
	return []string{"h2", "http/1.1"}
}

// transportKey tells transports apart.
type transportKey struct {
	version        string
	reuse, proxied bool
}

// newTransport makes an http.Transport. It serves to turn connections that a run
// opened itself into HTTP clients; its pool, its retries and its dialing are not
// used, so that a run is one attempt and leaves nothing behind.
func newTransport(key transportKey) *http.Transport {
	open := func(ctx context.Context, _, _ string) (net.Conn, error) { return runOf(ctx).open(ctx) }
	t := &http.Transport{
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
	if !key.reuse {
		t.IdleConnTimeout = freshIdle
	}
	if key.proxied {
		t.Proxy = func(req *http.Request) (*url.URL, error) { return runOf(req.Context()).p.proxy.forwards(req) }
	}
	switch key.version {
	case "1.1":
		t.Protocols.SetHTTP1(true)
	case "2":
		t.Protocols.SetHTTP2(true)
		t.Protocols.SetUnencryptedHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
		t.Protocols.SetHTTP2(true)
	}
	return t
}

// tlsKey tells TLS settings apart.
type tlsKey struct {
	opts TLSOptions
	alpn string
}

// tlsOf finds or makes the settings of handshakes. Its error is a *FieldError.
func (c *Common) tlsOf(opts TLSOptions, alpn ...string) (*tlsSettings, error) {
	opts.ServerName = "" // each handshake has its own
	key := tlsKey{opts, fmt.Sprint(alpn)}
	if s := c.tls[key]; s != nil {
		return s, nil
	}
	s, err := newTLSSettings(opts, alpn)
	if err != nil {
		return nil, err
	}
	return get(&c.tls, key, func() *tlsSettings { return s }), nil
}
