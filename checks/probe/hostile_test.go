package probe

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// TestHostileServer sends random bytes at every stage of a connection. Whatever
// comes, a run ends in time with a named condition that blames the server, or
// with an answer; nothing panics, and nothing is left behind.
func TestHostileServer(t *testing.T) {
	const each = 120
	root := newAuthority(t, "root")
	config := &tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}, NextProtos: []string{"h2", "http/1.1"}}
	ca := root.file(t)
	stages := []struct {
		name, scheme, version string
		attack                func(c net.Conn, dice *rand.Rand)
	}{
		{"before TLS", "https", "auto", func(c net.Conn, dice *rand.Rand) { c.Write(noise(dice, 300)) }},
		{"TLS records", "https", "auto", func(c net.Conn, dice *rand.Rand) {
			body := noise(dice, 200)
			c.Write(append([]byte{byte(20 + dice.IntN(5)), 3, byte(dice.IntN(5)), 0, byte(len(body))}, body...))
		}},
		{"within the handshake", "https", "auto", func(c net.Conn, dice *rand.Rand) {
			tls.Server(&spoiled{c, dice, 200 + dice.IntN(1500)}, config).Handshake()
		}},
		{"after the handshake", "https", "auto", func(c net.Conn, dice *rand.Rand) {
			tc := tls.Server(c, config)
			if tc.Handshake() == nil {
				tc.Write(noise(dice, 500))
				tc.Close()
			}
		}},
		{"HTTP/2 frames", "https", "2", func(c net.Conn, dice *rand.Rand) {
			tc := tls.Server(c, config)
			if tc.Handshake() != nil {
				return
			}
			tc.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // settings
			for range 1 + dice.IntN(5) {
				payload := noise(dice, 60)
				tc.Write(append([]byte{0, 0, byte(len(payload)), byte(dice.IntN(11)), byte(dice.IntN(64)), 0, 0, 0, byte(dice.IntN(3))}, payload...))
			}
			tc.Close()
		}},
		{"first line", "http", "auto", func(c net.Conn, dice *rand.Rand) {
			readRequest(c)
			c.Write(noise(dice, 500))
		}},
		{"status line", "http", "auto", func(c net.Conn, dice *rand.Rand) {
			readRequest(c)
			io.WriteString(c, mutate(dice, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		}},
		{"header", "http", "auto", func(c net.Conn, dice *rand.Rand) {
			readRequest(c)
			fmt.Fprintf(c, "HTTP/1.1 %d OK\r\n%s\r\n\r\n", dice.IntN(700), noise(dice, 800))
		}},
		{"framing", "http", "auto", func(c net.Conn, dice *rand.Rand) {
			readRequest(c)
			io.WriteString(c, mutate(dice, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n4\r\nbody\r\n0\r\nA: b\r\n\r\n"))
		}},
		{"body", "http", "auto", func(c net.Conn, dice *rand.Rand) {
			readRequest(c)
			encoding := []string{"gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate"}[dice.IntN(6)]
			body := noise(dice, 500)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", encoding, len(body)+dice.IntN(2), body)
		}},
		{"spoiled body", "http", "auto", func(c net.Conn, dice *rand.Rand) {
			readRequest(c)
			encoding := []string{"gzip", "deflate", "br", "zstd"}[dice.IntN(4)]
			body := mutate(dice, string(encode(t, encoding, []byte(strings.Repeat("hello ", 100)), 1)))
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", encoding, len(body), body)
		}},
		{"redirects and cookies", "http", "auto", func(c net.Conn, dice *rand.Rand) {
			readRequest(c)
			clean := func(b []byte) string { return strings.NewReplacer("\r", "", "\n", "").Replace(string(b)) }
			fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: %s\r\nSet-Cookie: %s\r\nContent-Length: 0\r\n\r\n", mutate(dice, "//site.invalid:1/a?b"), clean(noise(dice, 50)))
		}},
	}
	names := serveDNS(t, map[string]zone{"site.invalid": {v4: true}})
	before := runtime.NumGoroutine()
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			var n uint64
			var mu sync.Mutex
			address := serveConn(t, func(c net.Conn) {
				mu.Lock()
				n++
				dice := rand.New(rand.NewPCG(n, uint64(len(stage.name))))
				mu.Unlock()
				c.SetDeadline(time.Now().Add(2 * time.Second))
				stage.attack(c, dice)
				if dice.IntN(3) == 0 {
					io.CopyN(io.Discard, c, 1)
				}
			})
			p, err := New(Request{URL: stage.scheme + "://" + address, HTTPVersion: stage.version, Timeout: 300 * time.Millisecond, TLS: TLSOptions{CAFile: ca}, MaxRedirects: 3})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.nameServer = names // whatever a redirect names
			seen := map[catalog.Condition]int{}
			for range each {
				r := p.Do(t.Context())
				checkSane(t, r)
				seen[r.Condition]++
				if !fromServer(r.Condition) {
					t.Errorf("got %q in %q: %s", r.Condition, r.Phase, r.Detail)
				}
				if r.Duration > 3*time.Second {
					t.Errorf("took %s", r.Duration)
				}
			}
			t.Log(seen)
		})
	}
	t.Cleanup(func() {
		for range 100 {
			if runtime.NumGoroutine() <= before+2 {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
	})
}

// fromServer tells whether a condition is one that a server can bring about.
func fromServer(c catalog.Condition) bool {
	switch c {
	case "", catalog.TLSHandshake, catalog.TLSExpired, catalog.TLSUntrusted, catalog.TLSWrongHost, catalog.Timeout,
		catalog.ConnectionReset, catalog.ProtocolError, catalog.RedirectLoop, catalog.ConnectRefused, catalog.DNSFailure,
		catalog.ConnectUnreachable, catalog.ConnectTimeout:
		return true
	}
	return false
}

// TestHostileQUIC answers QUIC's first datagrams with noise.
func TestHostileQUIC(t *testing.T) {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		dice := rand.New(rand.NewPCG(1, 2))
		b := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			udp.WriteTo(noise(dice, 1200), from)
			udp.WriteTo([]byte(mutate(dice, string(b[:n]))), from)
		}
	})
	defer func() { udp.Close(); wg.Wait() }()
	p, err := New(Request{URL: "https://" + udp.LocalAddr().String(), HTTPVersion: "3", Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		r := p.Do(t.Context())
		checkSane(t, r)
		if r.Condition == "" || !fromServer(r.Condition) {
			t.Errorf("got %q: %s", r.Condition, r.Detail)
		}
	}
}

// noise is up to limit random bytes, sometimes like text.
func noise(dice *rand.Rand, limit int) []byte {
	const letters = "HTP/1. 20:\r\n\tabc;=,\x00\xff"
	b := make([]byte, 1+dice.IntN(limit))
	text := dice.IntN(2) == 0
	for i := range b {
		if text {
			b[i] = letters[dice.IntN(len(letters))]
			continue
		}
		b[i] = byte(dice.Uint32())
	}
	return b
}

// mutate changes a few bytes of s, or cuts it off.
func mutate(dice *rand.Rand, s string) string {
	b := []byte(s)
	for range 1 + dice.IntN(4) {
		switch i := dice.IntN(len(b)); dice.IntN(4) {
		case 0:
			b[i] = byte(dice.Uint32())
		case 1:
			b = append(b[:i:i], append(noise(dice, 5), b[i:]...)...)
		case 2:
			b = b[:i+1]
		case 3:
			b = bytes.Clone(append(b[:i:i], b[min(len(b), i+3):]...))
		}
		if len(b) == 0 {
			return "x"
		}
	}
	return string(b)
}

// spoiled changes one byte of what is written, somewhere.
type spoiled struct {
	net.Conn
	dice *rand.Rand
	at   int
}

func (s *spoiled) Write(b []byte) (int, error) {
	if 0 <= s.at && s.at < len(b) {
		b = bytes.Clone(b)
		b[s.at] ^= byte(1 + s.dice.IntN(255))
	}
	s.at -= len(b)
	return s.Conn.Write(b)
}

// TestHostileHTTP2 is an HTTP/2 server that refuses each request in the ways
// that make clients try again: it must not be asked without end.
func TestHostileHTTP2(t *testing.T) {
	root := newAuthority(t, "root")
	config := &tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}, NextProtos: []string{"h2"}}
	frames := map[string][]byte{
		"GOAWAY":            {0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"REFUSED_STREAM":    {0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7},
		"ENHANCE_CALM":      {0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 11},
		"PROTOCOL_ERROR":    {0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 1},
		"no streams at all": {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0},
	}
	want := map[string]catalog.Condition{"PROTOCOL_ERROR": catalog.ProtocolError, "no streams at all": catalog.Timeout}
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := 0
			address := serveConn(t, func(c net.Conn) {
				mu.Lock()
				asked++
				mu.Unlock()
				tc := tls.Server(c, config)
				if tc.Handshake() != nil {
					return
				}
				br := bufio.NewReader(tc)
				br.Discard(24) // the preface
				if frame[3] != 4 {
					tc.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
				}
				for frame[3] != 4 { // until the request's header
					head := make([]byte, 9)
					if _, err := io.ReadFull(br, head); err != nil {
						return
					}
					br.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2]))
					if head[3] == 1 {
						break
					}
				}
				tc.Write(frame)
				io.Copy(io.Discard, br)
			})
			r := do(t, Request{URL: "https://" + address, HTTPVersion: "2", Timeout: time.Second, TLS: TLSOptions{CAFile: root.file(t)}})
			wanted := want[name]
			if wanted == "" {
				wanted = catalog.ConnectionReset
			}
			if r.Condition != wanted || asked != 1 {
				t.Errorf("got %q after %d connections: %s", r.Condition, asked, r.Detail)
			}
		})
	}
}

// TestStatusOfNoThreeDigits holds that a status which only HTTP/2 and HTTP/3 let
// through is none: cut to sixteen bits, 65736 would be 200.
func TestStatusOfNoThreeDigits(t *testing.T) {
	for _, code := range []int{0, 99, 1000, 65_736} {
		p, err := New(Request{URL: "https://shop.invalid/"})
		if err != nil {
			t.Fatal(err)
		}
		r := p.newRun()
		_, err = r.receive(hop{url: r.target, method: "GET"}, &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody})
		if err == nil || r.resp.StatusCode != 0 {
			t.Errorf("status %d: got %v and the status %d, want an error and 0", code, err, r.resp.StatusCode)
		}
	}
}
