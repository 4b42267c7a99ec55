package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one connection to a site, ready for requests.
type conn struct {
	http.RoundTripper
	close  func()
	alive  func() bool
	key    string // scheme, host and address, for reuse
	reused bool
	tls    *TLSState
	remote string
}

// connect gives a connection for the present hop: a kept one when the request
// allows it, else a new one.
func (r *run) connect(ctx context.Context) (*conn, error) {
	if r.p.req.Reuse {
		if c := r.p.idle.take(r.connKey()); c != nil {
			c.reused = true
			r.resp.TLS, r.resp.RemoteAddr = c.tls, c.remote
			return c, nil
		}
	}
	return r.newConn(ctx)
}

// freshIdle is for how long net/http may keep a connection that is not to be
// reused. It holds on to one that was closed while young, buffers and all, for
// the shorter of this and 5 s: 28 KB a run otherwise, times the runs of 5 s.
const freshIdle = 100 * time.Millisecond

// newConn makes a new connection.
func (r *run) newConn(ctx context.Context) (*conn, error) {
	if r.p.req.HTTPVersion == "3" {
		return r.openQUIC(ctx)
	}
	cc, err := r.clientConn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{
		RoundTripper: cc,
		close:        func() { cc.Close() },
		alive:        func() bool { return cc.Err() == nil && cc.Available() > 0 },
		key:          r.connKey(),
		tls:          r.resp.TLS,
		remote:       r.resp.RemoteAddr,
	}, nil
}

// clientConn makes a new connection of HTTP/1.1 or HTTP/2. One that is not to be
// reused is reserved for its only request at once, which keeps its idle timer
// from closing it. On a machine that stalls the timer may still be first: then,
// and only then, another one is made.
func (r *run) clientConn(ctx context.Context) (*http.ClientConn, error) {
	for again := false; ; again = true {
		cc, err := r.p.transport.NewClientConn(ctx, r.url.Scheme, hostPort(r.url))
		if err != nil || r.p.req.Reuse || cc.Reserve() == nil || again || time.Since(r.opened) < r.p.transport.IdleConnTimeout {
			return cc, err // what else is wrong with it, the request will tell
		}
		cc.Close()
	}
}

// release keeps a connection for the next run, or closes it.
func (r *run) release(c *conn, resp *http.Response, err error) {
	if r.p.req.Reuse && err == nil && !resp.Close && r.p.idle.put(c) {
		return
	}
	c.close()
}

// connKey tells connections apart that must not stand in for one another.
func (r *run) connKey() string {
	return r.url.Scheme + "|" + r.serverName + "|" + r.dialTarget
}

// open connects to the site of the present hop, through the proxy if there is
// one, with TLS if its URL says so. http.Transport calls it.
func (r *run) open(ctx context.Context) (net.Conn, error) {
	var (
		nc  net.Conn
		err error
	)
	if r.p.proxy != nil {
		nc, err = r.p.proxy.open(ctx, r)
	} else {
		nc, err = r.dial(ctx, r.dialTarget)
	}
	if err != nil {
		return nil, err
	}
	if r.url.Scheme == "https" {
		tc, err := r.handshake(ctx, nc)
		if err != nil {
			nc.Close()
			return nil, err
		}
		nc = tc
	}
	r.opened = time.Now()
	return nc, nil
}

// dial makes a TCP connection to an address.
func (r *run) dial(ctx context.Context, address string) (net.Conn, error) {
	r.clock.enter(phaseConnect)
	d := net.Dialer{Resolver: r.p.resolver, KeepAlive: -1}
	if r.foreign() {
		d.Control = refuseLinkLocal
	}
	nc, err := d.DialContext(ctx, r.p.network("tcp"), address)
	if err != nil {
		return nil, err
	}
	r.resp.RemoteAddr = nc.RemoteAddr().String()
	r.peer = &peerConn{Conn: nc}
	return r.peer, nil
}

// peerConn remembers whether the other side said anything and whether it closed
// the connection. Without that, a header that was cut off looks like one that
// is malformed.
type peerConn struct {
	net.Conn
	spoke, closed atomic.Bool
}

func (c *peerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.spoke.Load() {
		c.spoke.Store(true)
	}
	if err == io.EOF {
		c.closed.Store(true)
	}
	return n, err
}

// foreign tells whether a redirect chose the host that is connected to.
func (r *run) foreign() bool {
	return r.resp.Redirects > 0 && r.p.proxy == nil && !strings.EqualFold(r.url.Hostname(), r.target.Hostname())
}

// refuseLinkLocal keeps a site from sending us to the addresses under which
// clouds hand out credentials to whoever asks from within.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	if ap, err := netip.ParseAddrPort(address); err == nil && ap.Addr().Unmap().IsLinkLocalUnicast() {
		return errLinkLocal
	}
	return nil
}

var errLinkLocal = errors.New("redirects to link-local addresses are not followed")

// network is tcp or udp, narrowed to the address family asked for.
func (p *Probe) network(kind string) string {
	if p.req.IPFamily == "any" {
		return kind
	}
	return kind + p.req.IPFamily
}

// handshake speaks TLS with the site and keeps what it presents, also when that
// is refused.
func (r *run) handshake(ctx context.Context, nc net.Conn) (*tls.Conn, error) {
	r.clock.enter(phaseTLS)
	config, err := r.p.tls.current(r.serverName)
	if err != nil {
		return nil, err
	}
	var ends *x509.Certificate
	r.p.lastTLS.remember(config, &ends)
	tc := tls.Client(nc, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		r.resp.TLS = presented(unverified(err))
		return nil, err
	}
	cs := tc.ConnectionState()
	r.resp.TLS = r.p.lastTLS.describe(&cs, cmp.Or(ends, lasting(cs.VerifiedChains)))
	if r.p.req.HTTPVersion == "2" && cs.NegotiatedProtocol != "h2" {
		return nil, errors.New("the server does not agree to speak HTTP/2 (ALPN)")
	}
	return tc, nil
}

// knownTLS remembers what the last handshake with an address showed: certificates
// seldom change, and verifying and describing them costs more than comparing them.
type knownTLS struct {
	last    atomic.Pointer[describedTLS]
	trusted atomic.Pointer[trustedChain]
}

type describedTLS struct {
	chain           []*x509.Certificate
	ends            *x509.Certificate
	version, cipher uint16
	state           *TLSState
}

// describe says what a handshake showed; ends as for newTLSState.
func (k *knownTLS) describe(cs *tls.ConnectionState, ends *x509.Certificate) *TLSState {
	if d := k.last.Load(); d != nil && d.version == cs.Version && d.cipher == cs.CipherSuite && d.ends.Equal(ends) &&
		slices.EqualFunc(d.chain, cs.PeerCertificates, (*x509.Certificate).Equal) {
		return d.state
	}
	d := &describedTLS{cs.PeerCertificates, ends, cs.Version, cs.CipherSuite, newTLSState(cs, ends)}
	k.last.Store(d)
	return d.state
}

// idleConns keeps connections between runs.
type idleConns struct {
	mu     sync.Mutex
	conns  []idleConn
	closed bool
}

type idleConn struct {
	*conn
	since time.Time
}

const (
	maxIdleConns = 2
	maxIdleTime  = 5 * time.Minute
)

// take hands out a kept connection that still stands, nil when there is none.
func (p *idleConns) take(key string) (found *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(c idleConn) bool {
		if !c.alive() || time.Since(c.since) > maxIdleTime {
			c.close()
			return true
		}
		if found == nil && c.key == key {
			found = c.conn
			return true
		}
		return false
	})
	return found
}

// put keeps a connection; false when there is no room or it is of no use.
func (p *idleConns) put(c *conn) bool {
	if !c.alive() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.conns) >= maxIdleConns {
		return false
	}
	p.conns = append(p.conns, idleConn{c, time.Now()})
	return true
}

// close closes all of them; nil has none.
func (p *idleConns) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		c.close()
	}
	p.conns = nil
}
