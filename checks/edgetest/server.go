package edgetest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// server is an http.Server that, once stopped, has nothing of its own left
// running: no listener, no connection, no handler.
type server struct {
	addr string // with the port that was really taken
	http *http.Server

	cancel context.CancelFunc // ends the context of every request
	loop   sync.WaitGroup     // the accepting goroutine
	conns  sync.WaitGroup     // the connections, from accept to close

	mu       sync.Mutex
	stopped  bool
	handlers sync.WaitGroup // HTTP/2 may close a connection before its handlers end
}

// listen serves h on addr, over TLS when tlsConfig is not nil.
func listen(addr string, tlsConfig *tls.Config, h http.Handler) (*server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err // net names the operation and the address
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{addr: ln.Addr().String(), cancel: cancel}
	s.http = &http.Server{
		Handler:           s.counted(h),
		TLSConfig:         tlsConfig,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.connState,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       30 * time.Second,
		// Whoever breaks a connection on purpose does not want to read about it.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.loop.Go(func() {
		// Both return only when the listener is closed, which is what stop does.
		if tlsConfig != nil {
			_ = s.http.ServeTLS(ln, "", "")
			return
		}
		_ = s.http.Serve(ln)
	})
	return s, nil
}

// stop closes the listener and all connections and returns when every handler
// has ended. It may be called once.
func (s *server) stop() error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.cancel()
	err := s.http.Close()
	s.loop.Wait()
	s.conns.Wait()
	s.handlers.Wait()
	if err != nil {
		return fmt.Errorf("close %s: %w", s.addr, err)
	}
	return nil
}

// connState counts connections. The server reports a new one before it accepts
// the next, so none is added once the accepting goroutine has ended.
func (s *server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Done()
	}
}

// counted turns requests away once the server stops, and counts those before.
func (s *server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if s.stopped {
			s.mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		s.handlers.Add(1)
		s.mu.Unlock()
		defer s.handlers.Done()
		next.ServeHTTP(w, r)
	})
}

// pause waits for d, and tells whether it passed before the request was given up.
func pause(r *http.Request, d time.Duration) bool {
	// A server notices that its client has left only once the body is read.
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)); err != nil {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
