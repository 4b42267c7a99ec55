package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// oneConn is a listener to which one client comes.
type oneConn struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// stalling is a client's side of a connection, which reads nothing any more from
// when stall is closed.
type stalling struct {
	net.Conn
	stall  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (c *stalling) Read(b []byte) (int, error) {
	select {
	case <-c.stall:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(b)
	}
}

func (c *stalling) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// watched is the server's side, which tells when it is given up.
type watched struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

func (c *watched) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestAClientThatReadsNothingIsGivenUp: its connection and what is held for it go,
// over HTTP/2 as well, where a request that has ended does not end it.
func TestAClientThatReadsNothingIsGivenUp(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			server := &watched{Conn: far, closed: make(chan struct{})}
			client := &stalling{Conn: near, stall: make(chan struct{}), closed: make(chan struct{})}
			l := &oneConn{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
			l.conns <- server
			endless := func(w http.ResponseWriter, _ *http.Request) {
				for {
					if _, err := w.Write(bytes.Repeat([]byte("x"), 32<<10)); err != nil {
						return
					}
				}
			}
			ts := &httptest.Server{Listener: l, Config: newServer(http.HandlerFunc(endless), slog.New(slog.DiscardHandler)), EnableHTTP2: http2}
			ts.StartTLS()
			transport := &http.Transport{
				ForceAttemptHTTP2: http2,
				TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
				DialContext:       func(context.Context, string, string) (net.Conn, error) { return client, nil },
			}
			req, err := http.NewRequestWithContext(t.Context(), "GET", ts.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if (resp.ProtoMajor == 2) != http2 {
				t.Errorf("got %s", resp.Proto)
			}
			close(client.stall)
			select {
			case <-server.closed:
			case <-time.After(5 * time.Minute):
				t.Errorf("%s: the connection is still held after five minutes", resp.Proto)
			}
			_ = client.Close()
			_ = resp.Body.Close()
			transport.CloseIdleConnections()
			ts.Close()
		})
	}
}
