package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/esawatch/esawatch/checks/catalog"
)

// quicAddresses is how many addresses of a name are tried, one after the other.
const quicAddresses = 4

// openQUIC makes a new HTTP/3 connection for the present hop. TLS is part of
// QUIC's own handshake, so both count as connecting.
func (r *run) openQUIC(ctx context.Context) (*conn, error) {
	if r.url.Scheme != "https" {
		return nil, broken(catalog.ProtocolError, errors.New("redirected to plain http, which HTTP/3 cannot ask"))
	}
	addresses, err := r.lookup(ctx)
	if err != nil {
		return nil, err
	}
	for i, address := range addresses {
		// Each address gets its share of the time that is left.
		share, cancel := context.WithTimeout(ctx, remaining(ctx)/time.Duration(len(addresses)-i))
		var c *conn
		c, err = r.dialQUIC(share, address)
		cancel()
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil || len(unverified(err)) > 0 {
			break
		}
		r.tried(address.String(), err)
	}
	return nil, err
}

// lookup resolves what the present hop connects to.
func (r *run) lookup(ctx context.Context) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(r.dialTarget)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		r.clock.enter(phaseConnect)
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), uint16(port))}, nil
	}
	r.clock.enter(phaseResolve)
	ips, err := r.p.resolver.LookupNetIP(ctx, r.p.network("ip"), host)
	if err != nil {
		return nil, err
	}
	r.clock.enter(phaseConnect)
	addresses := make([]netip.AddrPort, 0, quicAddresses)
	for _, ip := range ips[:min(len(ips), quicAddresses)] {
		addresses = append(addresses, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return addresses, nil
}

// remaining is the time that a run still has.
func remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Minute
	}
	return time.Until(deadline)
}

// dialQUIC makes a connection to one address, on a socket of its own.
func (r *run) dialQUIC(ctx context.Context, address netip.AddrPort) (*conn, error) {
	if r.foreign() && address.Addr().IsLinkLocalUnicast() {
		return nil, errLinkLocal
	}
	config, err := r.p.tls.current(r.serverName)
	if err != nil {
		return nil, err
	}
	udp, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(address))
	if err != nil {
		return nil, err
	}
	r.resp.RemoteAddr = address.String()
	socket := &udpSocket{udp: udp}
	transport := &quic.Transport{Conn: socket}
	end := sync.OnceFunc(func() {
		transport.Close()
		udp.Close()
	})
	qc, err := transport.Dial(ctx, udp.RemoteAddr(), config, &quic.Config{
		HandshakeIdleTimeout:       r.p.req.Timeout, // ctx ends it sooner
		MaxIdleTimeout:             max(2*r.p.req.Timeout, maxIdleTime),
		MaxStreamReceiveWindow:     1 << 20,
		MaxConnectionReceiveWindow: 2 << 20,
		MaxIncomingStreams:         -1,
	})
	if err != nil {
		end()
		r.resp.TLS = presented(unverified(err))
		if refused := socket.refusal(); refused != nil {
			err = refused
		}
		return nil, err
	}
	cs := qc.ConnectionState().TLS
	r.resp.TLS = r.p.lastTLS.describe(&cs, lasting(cs.VerifiedChains))
	h3 := &http3.Transport{DisableCompression: true, MaxResponseHeaderBytes: headerLimit}
	return &conn{
		RoundTripper: h3.NewClientConn(qc),
		close: func() {
			qc.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
			end()
		},
		alive:  func() bool { return qc.Context().Err() == nil },
		key:    r.connKey(),
		tls:    r.resp.TLS,
		remote: r.resp.RemoteAddr,
	}, nil
}

// udpSocket is a UDP socket tied to one address, so that the system tells when
// nothing listens there; QUIC itself would wait for its timeout. It offers no
// more than net.PacketConn, for quic-go would else address each datagram, which
// such a socket refuses.
type udpSocket struct {
	udp     *net.UDPConn
	mu      sync.Mutex
	refused error
}

func (s *udpSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := s.udp.Read(b)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) {
		s.mu.Lock()
		s.refused = err
		s.mu.Unlock()
	}
	return n, s.udp.RemoteAddr(), err
}

func (s *udpSocket) WriteTo(b []byte, _ net.Addr) (int, error) { return s.udp.Write(b) }
func (s *udpSocket) Close() error                              { return s.udp.Close() }
func (s *udpSocket) LocalAddr() net.Addr                       { return s.udp.LocalAddr() }
func (s *udpSocket) SetDeadline(t time.Time) error             { return s.udp.SetDeadline(t) }
func (s *udpSocket) SetReadDeadline(t time.Time) error         { return s.udp.SetReadDeadline(t) }
func (s *udpSocket) SetWriteDeadline(t time.Time) error        { return s.udp.SetWriteDeadline(t) }

// quic-go asks for large buffers and complains on the standard logger when it
// cannot have them; a single answer needs none.
func (s *udpSocket) SetReadBuffer(n int) error  { return s.udp.SetReadBuffer(n) }
func (s *udpSocket) SetWriteBuffer(n int) error { return s.udp.SetWriteBuffer(n) }

// refusal is the error by which the network said that nobody is there.
func (s *udpSocket) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// quicFailure explains the errors that only HTTP/3 has, nil when err is none.
func quicFailure(err error) *failure {
	if e, ok := errors.AsType[*quic.TransportError](err); ok {
		switch {
		case e.ErrorCode.IsCryptoError():
			return broken(catalog.TLSHandshake, err)
		case e.ErrorCode == quic.ConnectionRefused:
			return broken(catalog.ConnectRefused, err)
		case e.ErrorCode == quic.NoError:
			return broken(catalog.ConnectionReset, err)
		}
		return broken(catalog.ProtocolError, err)
	}
	if is[*quic.VersionNegotiationError](err) {
		return broken(catalog.ProtocolError, err)
	}
	if is[*quic.StatelessResetError](err) {
		return broken(catalog.ConnectionReset, err)
	}
	if e, ok := errors.AsType[*http3.Error](err); ok {
		if e.Remote && e.ErrorCode != http3.ErrCodeGeneralProtocolError && e.ErrorCode != http3.ErrCodeMessageError {
			return broken(catalog.ConnectionReset, err)
		}
		return broken(catalog.ProtocolError, err)
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return &failure{condition: catalog.ConnectionReset, detail: fmt.Sprintf("connection closed by the server: code %#x", uint64(e.ErrorCode))}
	}
	return nil
}
