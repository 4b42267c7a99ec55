package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// edge is a server that answers as an ESA node does. What it answers on a path
// can be changed while it runs; a path that nothing was said of answers 200.
type edge struct {
	*httptest.Server
	mu    sync.Mutex
	paths map[string]http.HandlerFunc
	count int
}

// newEdge starts one with or without TLS.
func newEdge(t *testing.T, tls bool) *edge {
	t.Helper()
	e := &edge{paths: map[string]http.HandlerFunc{}}
	e.Server = httptest.NewUnstartedServer(e)
	e.Config.ErrorLog = nil
	if tls {
		e.StartTLS()
	} else {
		e.Start()
	}
	t.Cleanup(e.Close)
	return e
}

// set has a path answered by h.
func (e *edge) set(path string, h http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.paths[path] = h
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	h := e.paths[r.URL.Path]
	e.count++
	n := e.count
	e.mu.Unlock()
	id := fmt.Sprintf("a3b54e98%013d%04de", time.Now().UnixMilli(), n%10000)
	w.Header().Set("Server", "ESA")
	w.Header().Set("Via", "ens-cache17.l2de7[12,200,DP], ens-cache14.de7[13,0,DP], ens-cache14.de7[13,0]")
	w.Header().Set("X-Site-Cache-Status", "DYNAMIC")
	w.Header()["EagleId"] = []string{id} // as ESA writes it
	if h == nil {
		h = slowly(time.Duration(5+n%7*3) * time.Millisecond)
	}
	h(w, r)
}

// status answers so, as an edge does by itself.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Site-Cache-Status", "MISS")
		w.WriteHeader(code)
	}
}

// slowly answers well after d.
func slowly(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Shop</title><h1>Shop</h1>")) // the client may have gone
	}
}
