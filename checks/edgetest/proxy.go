package edgetest

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"syscall"
)

// forward asks the origin and relays its answer, or says why there is none.
func (e *Edge) forward(w http.ResponseWriter, r *http.Request, v visit) {
	proxy := &httputil.ReverseProxy{
		Transport: e.transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: e.origin.addr})
			p.Out.Host = p.In.Host
			p.SetXForwarded()
		},
		ModifyResponse: func(resp *http.Response) error {
			e.stamp(resp.Header, r, v, resp.StatusCode, cacheDynamic)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil { // nobody is left to answer
				panic(http.ErrAbortHandler)
			}
			e.send(w, r, v, answer{status: fetchStatus(err), cache: cacheMiss})
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	proxy.ServeHTTP(w, r)
}

// fetchStatus is the status by which ESA tells what kept it from the origin.
func fetchStatus(err error) int {
	dialing := false
	if op, ok := errors.AsType[*net.OpError](err); ok {
		dialing = op.Op == "dial"
	}
	timeout := false
	if ne, ok := errors.AsType[net.Error](err); ok {
		timeout = ne.Timeout()
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return 521 // nothing listens
	case dialing && timeout:
		return 522 // no answer to the connection
	case dialing:
		return 523 // no way there
	case timeout:
		return 524 // connected, no answer
	default:
		return 520 // an answer that is none
	}
}
