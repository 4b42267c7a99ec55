package main

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// wireState is how a wire is.
type wireState int

const (
	wireWhole   wireState = iota
	wireCut               // it breaks the connections that there are, and new ones at once
	wireStalled           // nothing goes through, and nobody is told
)

// wire carries connections to an address, as long as it is whole.
type wire struct {
	addr   string
	target string

	mu    sync.Mutex
	state wireState
	moved *sync.Cond // the state has changed
	conns map[net.Conn]bool
}

// newWire makes a wire to a nats:// URL.
func newWire(t *testing.T, url string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String(), target: strings.TrimPrefix(url, "nats://"), conns: map[net.Conn]bool{}}
	w.moved = sync.NewCond(&w.mu)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.set(wireCut)
		wg.Wait()
	})
	return w
}

// set changes what the wire does.
func (w *wire) set(s wireState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = s
	if s == wireCut {
		for c := range w.conns {
			_ = c.Close()
		}
	}
	w.moved.Broadcast()
}

// pass waits until something may go through; false when the wire is cut.
func (w *wire) pass() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.state == wireStalled {
		w.moved.Wait()
	}
	return w.state == wireWhole
}

// carry connects a client to the target.
func (w *wire) carry(client net.Conn) {
	defer client.Close()
	if !w.pass() {
		return
	}
	server, err := net.DialTimeout("tcp", w.target, time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	w.keep(client, server, true)
	defer w.keep(client, server, false)
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		wg.Go(func() {
			w.copy(pair[0], pair[1])
			_, _ = pair[0].Close(), pair[1].Close() // the other direction ends too
		})
	}
	wg.Wait()
}

// keep notes the connections that there are, or are no more. One that comes when
// the wire is cut is closed.
func (w *wire) keep(client, server net.Conn, is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range []net.Conn{client, server} {
		if is {
			w.conns[c] = true
		} else {
			delete(w.conns, c)
		}
		if w.state == wireCut {
			_ = c.Close()
		}
	}
}

// copy carries what comes until either end closes.
func (w *wire) copy(to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !w.pass() {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
