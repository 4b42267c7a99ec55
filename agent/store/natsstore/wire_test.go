package natsstore

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// wire is a network between a store and a server, which can be cut.
type wire struct {
	url    string
	target string

	mu    sync.Mutex
	down  bool
	mute  bool // what the server says does not come through
	said  *sync.Cond
	conns map[net.Conn]bool
}

func newWire(t testing.TB, url string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{url: "nats://" + l.Addr().String(), target: strings.TrimPrefix(url, "nats://"), conns: make(map[net.Conn]bool)}
	w.said = sync.NewCond(&w.mu)
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
		w.cut()
		wg.Wait()
	})
	return w
}

// carry connects a client to the server until either closes.
func (w *wire) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	w.mu.Lock()
	if w.down {
		w.mu.Unlock()
		return
	}
	w.conns[client], w.conns[server] = true, true
	w.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, client)
		_, _ = client.Close(), server.Close()
	})
	wg.Go(func() {
		_, _ = io.Copy(mouth{w, client}, server)
		_, _ = client.Close(), server.Close()
	})
	wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, client)
	delete(w.conns, server)
}

// mouth says to a client what a server says, unless that is muted.
type mouth struct {
	w      *wire
	client net.Conn
}

func (m mouth) Write(p []byte) (int, error) {
	m.w.mu.Lock()
	for m.w.mute && !m.w.down {
		m.w.said.Wait()
	}
	m.w.mu.Unlock()
	return m.client.Write(p)
}

// cut ends the connections, and takes no more.
func (w *wire) cut() { w.end(true) }

// blink ends the connections, and takes new ones at once.
func (w *wire) blink() { w.end(false) }

func (w *wire) end(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for c := range w.conns {
		_ = c.Close()
	}
	w.said.Broadcast()
}

// mend takes connections again.
func (w *wire) mend() { w.set(func() { w.down, w.mute = false, false }) }

// silence has what the server says stay on its way.
func (w *wire) silence() { w.set(func() { w.mute = true }) }

func (w *wire) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	w.said.Broadcast()
}
