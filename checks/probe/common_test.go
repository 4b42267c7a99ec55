package probe

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestCommonSharesWhatIsEqual(t *testing.T) {
	_, ca := serveTLS(t, http.NotFound, nil)
	base := func() Request {
		return Request{URL: "https://a.example/1", Header: http.Header{"X-Key": {"of eight and more"}}, TLS: TLSOptions{CAFile: ca}}
	}
	var c Common
	first := newOf(t, &c, base())
	secret := func() (string, error) { return "test-only", nil }
	for name, tt := range map[string]struct {
		change         func(*Request)
		manner, tls, h bool // shared: all of it, the settings of TLS, what is known of the host
	}{
		"the same":          {func(*Request) {}, true, true, true},
		"another path":      {func(r *Request) { r.URL = "https://a.example/2" }, true, true, true},
		"another host":      {func(r *Request) { r.URL = "https://b.example/1" }, true, true, false},
		"another port":      {func(r *Request) { r.URL = "https://a.example:444/1" }, true, true, false},
		"the default":       {func(r *Request) { r.Method = "GET" }, true, true, true},
		"another name":      {func(r *Request) { r.TLS.ServerName = "b.example" }, false, true, false},
		"another address":   {func(r *Request) { r.ConnectTo = "127.0.0.1:443" }, false, true, false},
		"another header":    {func(r *Request) { r.Header["X-Key"] = []string{"of another site"} }, false, true, true},
		"a second value":    {func(r *Request) { r.Header["X-Key"] = []string{"of eight", "and more"} }, false, true, true},
		"another timeout":   {func(r *Request) { r.Timeout = time.Second }, false, true, true},
		"another version":   {func(r *Request) { r.HTTPVersion = "1.1" }, false, false, true},
		"another authority": {func(r *Request) { r.TLS.CAFile = "" }, false, false, true},
		"not verified":      {func(r *Request) { r.TLS.InsecureSkipVerify = true }, false, false, true},
		"a body":            {func(r *Request) { r.Method, r.Body = "POST", []byte("{}") }, false, true, true},
		"user info":         {func(r *Request) { r.URL = "https://u:p@a.example/1" }, false, true, true},
		"a token":           {func(r *Request) { r.Auth.Bearer = secret }, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			req := base()
			tt.change(&req)
			p := newOf(t, &c, req)
			if got := p.manner == first.manner; got != tt.manner {
				t.Errorf("manner shared: got %t", got)
			}
			if got := p.manner.tls == first.manner.tls; got != tt.tls {
				t.Errorf("settings of TLS shared: got %t", got)
			}
			if got := p.lastTLS == first.lastTLS; got != tt.h {
				t.Errorf("what is known of the host shared: got %t", got)
			}
		})
	}
}

// TestCommonTellsEveryError holds that a mistake which several requests share is
// told of each.
func TestCommonTellsEveryError(t *testing.T) {
	var c Common
	for range 2 {
		if _, err := c.New(Request{URL: "https://a.example", TLS: TLSOptions{CAFile: "absent.pem"}}); !is[*FieldError](err) {
			t.Errorf("got %v", err)
		}
	}
}

// TestCommonProbesKeepTheirOwn lets probes that share their manner ask side by
// side: each its own URL, over a connection of its own, with a full handshake.
func TestCommonProbesKeepTheirOwn(t *testing.T) {
	for _, version := range []string{"1.1", "2"} {
		t.Run(version, func(t *testing.T) {
			url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s from %s, resumed %t", r.URL.Path, r.RemoteAddr, r.TLS.DidResume)
			}, nil)
			var c Common
			bodies := make(chan string)
			const probes, runs = 8, 3
			for i := range probes {
				p := newOf(t, &c, Request{URL: fmt.Sprint(url, "/", i), HTTPVersion: version, TLS: TLSOptions{CAFile: ca}})
				go func() {
					for range runs {
						bodies <- string(p.Do(t.Context()).Body)
					}
				}()
			}
			var from, paths []string
			for range probes * runs {
				var path, client string
				var resumed bool
				body := <-bodies
				if _, err := fmt.Sscanf(body, "%s from %s resumed %t", &path, &client, &resumed); err != nil || resumed {
					t.Errorf("got %q, %v", body, err)
				}
				from, paths = append(from, client), append(paths, path)
			}
			slices.Sort(from)
			slices.Sort(paths)
			if got := len(slices.Compact(from)); got != probes*runs {
				t.Errorf("%d connections, want %d", got, probes*runs)
			}
			if got := len(slices.Compact(paths)); got != probes {
				t.Errorf("%d paths, want %d", got, probes)
			}
		})
	}
}

// TestMemoryOfProbes holds what a probe costs when there are many that ask in
// the same manner: at rest, and when each has run.
func TestMemoryOfProbes(t *testing.T) {
	url, ca := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "well") }, nil)
	const n = 2000
	var c Common
	urls, probes := make([]string, n), make([]*Probe, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("%s/page/%d", url, i)
	}
	before := liveHeap()
	for i, u := range urls {
		p, err := c.New(Request{URL: u, HTTPVersion: "2", TLS: TLSOptions{CAFile: ca}})
		if err != nil {
			t.Fatal(err)
		}
		probes[i] = p
	}
	if got := (liveHeap() - before) / n; got > 350 {
		t.Errorf("a probe at rest takes %d bytes", got)
	}
	for _, p := range probes[:100] {
		wantCondition(t, p.Do(t.Context()), "", "")
	}
	before = liveHeap()
	for _, p := range probes[100:200] {
		wantCondition(t, p.Do(t.Context()), "", "")
	}
	// Connections are let go in a moment, but not at once.
	for deadline := time.Now().Add(4 * time.Second); liveHeap() > before+100*1000 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := (liveHeap() - before) / 100; got > 1000 {
		t.Errorf("a probe that has run takes %d bytes more", got)
	}
	runtime.KeepAlive(urls)
	runtime.KeepAlive(probes)
}

// newOf makes a probe that is closed with the test.
func newOf(t *testing.T, c *Common, req Request) *Probe {
	t.Helper()
	p, err := c.New(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// liveHeap is what is reachable, in bytes.
func liveHeap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
