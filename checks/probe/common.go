package probe

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Common makes probes that share what is equal between them, so that ten
// thousand checks do not hold ten thousand times the same TLS settings and
// trusted certificates. They share no connection and no session. The zero value
// is ready; it is safe for concurrent use.
type Common struct {
	mu         sync.Mutex
	manners    map[mannerKey]*manner
	transports map[transportKey]*http.Transport
	tls        map[tlsKey]*tlsSettings
	known      map[string]*knownTLS // by server name and address
}

// mannerKey tells manners apart.
type mannerKey struct {
	scheme, method, userAgent, header string
	connectTo, proxyURL               string
	ipFamily, httpVersion             string
	timeout                           time.Duration
	noRedirects                       bool
	maxRedirects                      int
	reuse                             bool
	maxBodyBytes                      int64
	tls                               TLSOptions
}

// New is New, sharing what it can with the probes that c made before.
func (c *Common) New(req Request) (*Probe, error) {
	target, err := validate(&req)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := c.mannerOf(&req, target)
	if err != nil {
		return nil, err
	}
	target.User = nil // the manner has it
	p := &Probe{manner: m, url: target.String()}
	if p.url == req.URL {
		p.url = req.URL // which others hold as well
	}
	if req.Reuse {
		p.idle = &idleConns{}
	}
	if _, err := parseURL(p.url); err != nil {
		return nil, &FieldError{"url", err}
	}
	p.lastTLS = get(&c.known, p.serverNameOf(target, target)+" "+p.dialAddress(target, target), func() *knownTLS { return &knownTLS{} })
	return p, nil
}

// mannerOf finds or makes the manner of a request. One with a secret or a body
// of its own has it for itself.
func (c *Common) mannerOf(req *Request, target *url.URL) (*manner, error) {
	own := len(req.Body) > 0 || target.User != nil || len(querySecrets(target.RawQuery)) > 0 ||
		req.Auth.BasicPassword != nil || req.Auth.Bearer != nil || req.Auth.OAuth2 != nil
	if own {
		return c.newManner(req, target)
	}
	key := mannerKey{
		scheme: target.Scheme, method: req.Method, userAgent: req.UserAgent, header: headerKey(req.Header),
		connectTo: req.ConnectTo, proxyURL: req.ProxyURL,
		ipFamily: req.IPFamily, httpVersion: req.HTTPVersion, timeout: req.Timeout,
		noRedirects: req.NoRedirects, maxRedirects: req.MaxRedirects,
		reuse: req.Reuse, maxBodyBytes: req.MaxBodyBytes, tls: req.TLS,
	}
	if m := c.manners[key]; m != nil {
		return m, nil
	}
	m, err := c.newManner(req, target)
	if err != nil {
		return nil, err
	}
	return get(&c.manners, key, func() *manner { return m }), nil
}

// headerKey is equal for equal headers.
func headerKey(h http.Header) string {
	if len(h) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "%q%q", name, h[name])
	}
	return b.String()
}

// get finds a value in a map, which may be nil yet, or makes it.
func get[K comparable, V any](m *map[K]V, key K, build func() V) V {
	v, ok := (*m)[key]
	if ok {
		return v
	}
	if *m == nil {
		*m = map[K]V{}
	}
	v = build()
	(*m)[key] = v
	return v
}
