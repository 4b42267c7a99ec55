package edgetest

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what an edge is like. The zero value of each field is its default.
type Options struct {
	Addr string // to listen on; 127.0.0.1:0
	// TLS makes the edge speak HTTPS, with HTTP/2, under a certificate of an
	// authority of its own (CAPool).
	TLS bool
	// Hosts are names that the certificate holds beside 127.0.0.1, ::1 and localhost.
	Hosts []string
	// CertExpires is the end of the certificate, in the past for one that has
	// run out; in 90 days.
	CertExpires time.Time

	POP    string     // the place in Via; de7
	NodeIP netip.Addr // the IPv4 address in EagleId; 198.51.100.23

	ConnectTimeout time.Duration // towards the origin, then 522; 1 s
	ReadTimeout    time.Duration // for the origin's headers, then 524; 2 s (ESA has 30 s)

	OriginAddr string       // 127.0.0.1:0
	Origin     http.Handler // the site; a small shop of its own
}

// Edge is a running edge. Its methods are safe for concurrent use.
type Edge struct {
	opts      Options
	server    *server
	origin    *Origin
	transport *http.Transport
	ca        *authority // nil without TLS
	requests  atomic.Int64

	mu        sync.RWMutex
	behaviour Behaviour
	paths     map[string]Behaviour

	closing sync.Once
}

// New starts an edge and its origin, both well. The caller closes it.
func New(opts Options) (*Edge, error) {
	opts = opts.withDefaults()
	if !opts.NodeIP.Is4() {
		return nil, fmt.Errorf("start edge: node address %q is not IPv4", opts.NodeIP)
	}
	e := &Edge{opts: opts, paths: map[string]Behaviour{}}
	tlsConfig, err := e.tlsConfig()
	if err != nil {
		return nil, fmt.Errorf("start edge: %w", err)
	}
	// A connection a request: one that the origin had closed meanwhile would
	// make Go try again by itself and so hide what it did.
	e.transport = &http.Transport{
		DialContext:           (&net.Dialer{Timeout: opts.ConnectTimeout}).DialContext,
		ResponseHeaderTimeout: opts.ReadTimeout,
		DisableKeepAlives:     true,
		DisableCompression:    true,
	}
	if e.origin, err = newOrigin(opts.OriginAddr, opts.Origin); err != nil {
		return nil, fmt.Errorf("start edge: %w", err)
	}
	if e.server, err = listen(opts.Addr, tlsConfig, http.HandlerFunc(e.serve)); err != nil {
		return nil, errors.Join(fmt.Errorf("start edge: %w", err), e.origin.close())
	}
	return e, nil
}

func (o Options) withDefaults() Options {
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:0")
	o.OriginAddr = cmp.Or(o.OriginAddr, "127.0.0.1:0")
	o.POP = cmp.Or(o.POP, "de7")
	o.NodeIP = cmp.Or(o.NodeIP, netip.AddrFrom4([4]byte{198, 51, 100, 23}))
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, time.Second)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 2*time.Second)
	if o.CertExpires.IsZero() {
		o.CertExpires = time.Now().AddDate(0, 0, 90)
	}
	return o
}

func (e *Edge) tlsConfig() (*tls.Config, error) {
	if !e.opts.TLS {
		return nil, nil
	}
	ca, err := newAuthority(time.Now())
	if err != nil {
		return nil, err
	}
	cert, err := ca.issue(append([]string{"localhost", "127.0.0.1", "::1"}, e.opts.Hosts...), e.opts.CertExpires)
	if err != nil {
		return nil, err
	}
	e.ca = ca
	return &tls.Config{Certificates: []tls.Certificate{cert}}, nil
}

// Close stops the edge and its origin, and returns when nothing of them runs
// any more. It may be called more than once.
func (e *Edge) Close() {
	e.closing.Do(func() {
		// Both errors would be of a listener that was closed already.
		_ = e.server.stop()
		_ = e.origin.close()
	})
}

// URL is the edge's base URL, without a slash at its end.
func (e *Edge) URL() string {
	if e.opts.TLS {
		return "https://" + e.Addr()
	}
	return "http://" + e.Addr()
}

// Addr is the HOST:PORT that the edge listens on.
func (e *Edge) Addr() string { return e.server.addr }

// POP is the place that Via names.
func (e *Edge) POP() string { return e.opts.POP }

// NodeIP is the address that EagleId holds.
func (e *Edge) NodeIP() netip.Addr { return e.opts.NodeIP }

// CAPEM is the authority to trust, in PEM; nil without TLS.
func (e *Edge) CAPEM() []byte {
	if e.ca == nil {
		return nil
	}
	return e.ca.pem()
}

// CAPool holds the authority to trust; it is empty without TLS.
func (e *Edge) CAPool() *x509.CertPool {
	pool := x509.NewCertPool()
	if e.ca != nil {
		pool.AddCert(e.ca.cert)
	}
	return pool
}

// Origin is the web server behind the edge.
func (e *Edge) Origin() *Origin { return e.origin }

// Requests counts what reached the edge so far.
func (e *Edge) Requests() int64 { return e.requests.Load() }

// Set makes the edge do b with every request from now on, but for paths that
// have a behaviour of their own.
func (e *Edge) Set(b Behaviour) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.behaviour = b
}

// SetPath makes the edge do b with the requests of one path ("/login").
func (e *Edge) SetPath(path string, b Behaviour) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.paths[path] = b
}

// Reset makes the edge healthy again, on every path. It leaves the origin as it is.
func (e *Edge) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.behaviour = Healthy()
	clear(e.paths)
}

// behaviourFor chooses: the path's own, then the fixed /status/N, then that of
// the whole edge.
func (e *Edge) behaviourFor(path string) Behaviour {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if b, ok := e.paths[path]; ok {
		return b
	}
	if code, ok := statusPath(path); ok {
		return Status(code)
	}
	return e.behaviour
}

// statusPath reads N of /status/N, 200 to 599.
func statusPath(path string) (code int, ok bool) {
	n, ok := strings.CutPrefix(path, "/status/")
	if !ok || len(n) != 3 {
		return 0, false
	}
	code, err := strconv.Atoi(n)
	return code, err == nil && code >= 200 && code <= 599
}

func (e *Edge) serve(w http.ResponseWriter, r *http.Request) {
	e.requests.Add(1)
	v := e.visit()
	if b := e.behaviourFor(r.URL.Path); b.serve != nil {
		b.serve(e, w, r, v)
		return
	}
	e.forward(w, r, v)
}
