package probe

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestClosedConnectionsAreLetGo holds that nothing keeps a connection's memory
// once its run is over. net/http would keep a young one of HTTP/2 for 5 s.
func TestClosedConnectionsAreLetGo(t *testing.T) {
	const runs = 10
	url, ca := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "well") }, nil)
	for _, version := range []string{"1.1", "2"} {
		t.Run(version, func(t *testing.T) {
			p, err := New(Request{URL: url, HTTPVersion: version, TLS: TLSOptions{CAFile: ca}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var freed atomic.Int64
			open := p.transport.DialTLSContext
			p.transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := open(ctx, network, address)
				if tc, ok := nc.(*tls.Conn); ok {
					runtime.AddCleanup(tc, func(int) { freed.Add(1) }, 0)
				}
				return nc, err
			}
			for range runs {
				wantCondition(t, p.Do(t.Context()), "", "")
			}
			// The last few may still be on somebody's stack.
			deadline := time.Now().Add(4 * time.Second)
			for freed.Load() < runs-2 && time.Now().Before(deadline) {
				runtime.GC()
				time.Sleep(10 * time.Millisecond)
			}
			if n := freed.Load(); n < runs-2 {
				t.Errorf("%d of %d connections were freed within 4s", n, runs)
			}
		})
	}
}

// TestIdleTimerIsFirst lets the idle timer of every other connection run out
// before its request is sent, as on a machine that stalls.
func TestIdleTimerIsFirst(t *testing.T) {
	url, ca := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "well") }, nil)
	p, err := New(Request{URL: url, HTTPVersion: "2", TLS: TLSOptions{CAFile: ca}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dials := 0
	open := p.transport.DialTLSContext
	p.transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		p.transport.IdleConnTimeout = freshIdle
		if dials++; dials%2 == 1 {
			p.transport.IdleConnTimeout = 1
		}
		return open(ctx, network, address)
	}
	const runs = 50
	for range runs {
		dials = 0
		if r := p.Do(t.Context()); r.Condition != "" || dials > 2 {
			t.Fatalf("got %q: %s; %d connections", r.Condition, r.Detail, dials)
		}
	}
}
