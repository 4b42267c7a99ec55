package edgetest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Origin is the web server behind an edge. It answers on a port of its own, so
// that it can be probed past the edge too.
type Origin struct {
	addr     string
	handler  http.Handler
	state    atomic.Pointer[OriginState]
	requests atomic.Int64

	mu     sync.Mutex // guards the life of the listener
	server *server    // nil while stopped
	closed bool
}

// OriginState says what the origin does. The zero value is OriginUp.
type OriginState struct {
	name   string
	answer func(o *Origin, w http.ResponseWriter, r *http.Request) // nil: as usual
	stop   bool
}

// String names the state, for logs and test messages.
func (s OriginState) String() string {
	if s.name == "" {
		return "up"
	}
	return s.name
}

// OriginUp answers every request well and at once.
func OriginUp() OriginState { return OriginState{} }

// OriginStopped has no listener: connections are refused.
func OriginStopped() OriginState { return OriginState{name: "stopped", answer: abort, stop: true} }

// OriginSlow answers well, d late.
func OriginSlow(d time.Duration) OriginState {
	return OriginState{
		name: fmt.Sprintf("slow (%s)", d),
		answer: func(o *Origin, w http.ResponseWriter, r *http.Request) {
			if !pause(r, d) {
				panic(http.ErrAbortHandler)
			}
			o.handler.ServeHTTP(w, r)
		},
	}
}

// OriginFailing answers every request with an error page of its own.
func OriginFailing(status int) OriginState {
	return OriginState{
		name: fmt.Sprintf("failing (%d)", status),
		answer: func(_ *Origin, w http.ResponseWriter, r *http.Request) {
			writePage(w, r, status, nginxPage(status))
		},
	}
}

// OriginHanging accepts requests and never answers.
func OriginHanging() OriginState {
	return OriginState{
		name: "hanging",
		answer: func(_ *Origin, _ http.ResponseWriter, r *http.Request) {
			pause(r, 24*time.Hour)
			panic(http.ErrAbortHandler)
		},
	}
}

// OriginCrashing closes the connection in place of an answer.
func OriginCrashing() OriginState {
	return OriginState{name: "crashing", answer: abort}
}

// abort closes the connection without an answer.
func abort(*Origin, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func newOrigin(addr string, handler http.Handler) (*Origin, error) {
	o := &Origin{addr: addr, handler: handler}
	if o.handler == nil {
		o.handler = http.HandlerFunc(shop)
	}
	o.state.Store(&OriginState{})
	if err := o.start(); err != nil {
		return nil, err
	}
	o.addr = o.server.addr // from now on the port is fixed
	return o, nil
}

// Addr is the HOST:PORT that the origin listens on, stopped or not.
func (o *Origin) Addr() string { return o.addr }

// URL is the origin's base URL, without a slash at its end.
func (o *Origin) URL() string { return "http://" + o.addr }

// Requests counts what reached the origin so far, through the edge or past it.
func (o *Origin) Requests() int64 { return o.requests.Load() }

// State is what the origin does now.
func (o *Origin) State() OriginState { return *o.state.Load() }

// Set changes what the origin does. Stopping it also cuts the connections that
// it has; a start after that takes the same port and fails if someone else
// took it meanwhile.
func (o *Origin) Set(s OriginState) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return fmt.Errorf("set origin %s: it is closed", s)
	}
	if s.stop {
		o.state.Store(&s)
		return o.stop()
	}
	if err := o.start(); err != nil {
		return err
	}
	o.state.Store(&s)
	return nil
}

// start and stop are idempotent; their caller holds mu, or is the only one to
// know o.
func (o *Origin) start() error {
	if o.server != nil {
		return nil
	}
	s, err := listen(o.addr, nil, http.HandlerFunc(o.serve))
	if err != nil {
		return fmt.Errorf("start origin: %w", err)
	}
	o.server = s
	return nil
}

func (o *Origin) stop() error {
	if o.server == nil {
		return nil
	}
	err := o.server.stop()
	o.server = nil
	if err != nil {
		return fmt.Errorf("stop origin: %w", err)
	}
	return nil
}

func (o *Origin) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	return o.stop()
}

func (o *Origin) serve(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	w.Header().Set("Server", "nginx")
	if s := o.State(); s.answer != nil {
		s.answer(o, w, r)
		return
	}
	o.handler.ServeHTTP(w, r)
}

// shop is the site that an origin serves when it is given none: pages, and
// below /api/ a small JSON answer.
func shop(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		w.Header().Set("Content-Type", "application/json")
		writeBody(w, r, http.StatusOK, `{"status":"ok"}`+"\n")
		return
	}
	writePage(w, r, http.StatusOK, shopPage)
}
