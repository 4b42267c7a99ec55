package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// run is one call of Do.
type run struct {
	p       *Probe
	target  *url.URL // where it begins
	resp    *Response
	clock   timeline
	secrets redactor

	// The connection being made, for dialing and for the words of a failure.
	url        *url.URL
	serverName string // the name that TLS asks for
	dialTarget string // HOST:PORT of the site that is connected to
	dialHost   string // the name that is resolved
	peer       *peerConn
	opened     time.Time   // when it stood, ready for HTTP
	unproven   atomic.Bool // the server asked for a client certificate in vain

	jar   *cookiejar.Jar // made at the first redirect that sets a cookie
	trail []string       // where redirects led, the last few

	dns lookupLog

	mu       sync.Mutex
	attempts []attempt
	interim  int // answers 1xx of this hop
}

// attempt is one address that was tried.
type attempt struct {
	addr string
	err  error
}

// hop is one request of a run: the first, or one that a redirect led to.
type hop struct {
	url    *url.URL
	method string
	host   string // the Host header, "" = the URL's
	header http.Header
	body   []byte
}

type runKey struct{}

// runOf finds the run that a connection is made for: http.Transport has no
// other way to hand it to its dial functions.
func runOf(ctx context.Context) *run { return ctx.Value(runKey{}).(*run) }

// Do makes one run. It never returns an error: what went wrong is in the
// response's Condition.
func (p *Probe) Do(ctx context.Context) *Response {
	r := p.newRun()
	header, err := p.auth.apply(ctx, p.header, &r.secrets)
	if err != nil {
		r.fail(r.explain(ctx, ctx, err, phaseConnect), "")
		return r.resp
	}
	r.resp.StartedAt = time.Now() // a token that had to be fetched is none of the site's time
	first := hop{url: r.target, method: p.req.Method, host: p.host, header: header, body: p.req.Body}
	r.do(ctx, first)
	r.resp.secrets = r.secrets
	r.resp.Duration = time.Since(r.resp.StartedAt)
	if r.resp.StatusCode == http.StatusUnauthorized {
		p.auth.refused()
	}
	return r.resp
}

// newRun is a run that has not begun.
func (p *Probe) newRun() *run {
	return &run{p: p, target: p.target(), secrets: p.secrets[:len(p.secrets):len(p.secrets)], resp: &Response{
		StartedAt: time.Now(),
		URL:       p.url,
		Edge:      Edge{ViaESA: ViaNo},
	}}
}

// do makes the requests of a run, one after the other, within its time.
func (r *run) do(parent context.Context, h hop) {
	ctx, cancel := context.WithTimeout(parent, r.p.req.Timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(context.WithValue(ctx, runKey{}, r), r.trace())
	for {
		next, err := r.hop(ctx, h)
		if err != nil {
			phase := r.clock.now()
			r.fail(r.explain(ctx, parent, err, phase), phase)
		}
		if next == nil {
			break
		}
		h = *next
	}
	r.resp.Phases = r.clock.end()
	r.resp.CNAMEs = r.dns.cnames(r.dialHost)
	if r.resp.Condition == "" {
		return
	}
	if r.unproven.Load() {
		r.note("client certificate: the server asked for one, and none that it takes is configured")
	}
	for _, t := range r.trail {
		r.note("redirected to: " + t)
	}
}

// hop makes one request. next is the one that follows from a redirect.
func (r *run) hop(ctx context.Context, h hop) (next *hop, err error) {
	r.begin(h)
	c, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := r.ask(ctx, c, h)
	if err != nil && c.reused && idempotent(h.method) && ctx.Err() == nil {
		// The server closed the kept connection just as we asked. Whether it
		// serves is still unknown: ask once more, over a new one.
		c.close()
		r.begin(h)
		if c, err = r.newConn(ctx); err != nil {
			return nil, err
		}
		resp, err = r.ask(ctx, c, h)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	next, err = r.receive(h, resp)
	r.release(c, resp, err)
	return next, err
}

// begin readies the run for a hop.
func (r *run) begin(h hop) {
	r.clock.begin()
	r.mu.Lock()
	r.attempts, r.interim = nil, 0
	r.mu.Unlock()
	r.url, r.serverName = h.url, r.p.serverNameOf(r.target, h.url)
	r.dialTarget = r.p.dialAddress(r.target, h.url)
	r.dialHost, _, _ = net.SplitHostPort(r.dialTarget)
	r.resp.URL, r.resp.asked, r.resp.Elsewhere = r.p.url, "", false
	if r.resp.Redirects > 0 {
		r.resp.asked = Printable(h.url.String(), maxURL)
		r.resp.URL = Printable(r.secrets.clean(h.url.String()), maxURL) // the server wrote it
		r.resp.Elsewhere = !trusted(r.target, h.url)
	}
	r.resp.StatusCode, r.resp.Header, r.resp.HTTPVersion = 0, nil, ""
	r.resp.TLS, r.resp.RemoteAddr, r.peer = nil, "", nil
	r.unproven.Store(false)
}

// ask sends a hop's request and waits for the header of the answer.
func (r *run) ask(ctx context.Context, c *conn, h hop) (*http.Response, error) {
	req := &http.Request{
		Method: h.method, URL: h.url, Host: h.host, Header: h.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(h.body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(h.body)), int64(len(h.body))
	} else if h.method == http.MethodPost || h.method == http.MethodPut || h.method == http.MethodPatch {
		req.Body = http.NoBody // says Content-Length: 0
	}
	r.clock.enter(phaseProcessing)
	resp, err := c.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	r.clock.enter(phaseTransfer)
	return resp, nil
}

// receive takes in an answer: its header, and then its body or the request that
// it redirects to.
func (r *run) receive(h hop, resp *http.Response) (next *hop, err error) {
	defer resp.Body.Close()
	if p := r.p.proxy; p != nil && resp.StatusCode == http.StatusProxyAuthRequired && h.url.Scheme == "http" && p.isHTTP() {
		return nil, &proxyError{p, catalog.InternalError, errors.New("answered 407: it wants other credentials")}
	}
	r.resp.StatusCode = resp.StatusCode
	r.resp.Header = resp.Header
	r.resp.HTTPVersion = fmt.Sprintf("%d.%d", resp.ProtoMajor, resp.ProtoMinor)
	r.resp.Edge = EdgeOf(r.secrets.cleanHeader(resp.Header))
	if resp.StatusCode < 100 || resp.StatusCode > 999 { // HTTP/2 and 3 let more digits through
		err := fmt.Errorf("status code %03d", resp.StatusCode)
		r.resp.StatusCode = 0
		return nil, broken(catalog.ProtocolError, err)
	}
	follow := !r.p.req.NoRedirects && redirects(resp)
	r.resp.LedAway = follow && r.p.req.StayPinned && r.leadsAway(h, resp)
	if follow && !r.resp.LedAway {
		if r.p.req.Reuse {
			io.CopyN(io.Discard, resp.Body, 4<<10) // a connection is only worth keeping once it is drained
		}
		return r.redirect(h, resp)
	}
	r.resp.Body, r.resp.BodyTruncated, err = readBody(resp, r.p.req.MaxBodyBytes)
	return nil, err
}

// errInterim ends a hop whose server sends interim answers without end.
var errInterim = errors.New("too many interim answers (1xx)")

// trace follows the events of connections and answers. They come from other
// goroutines, several at once when two address families race.
func (r *run) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { r.clock.enter(phaseResolve) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			if info.Err == nil {
				r.clock.enter(phaseConnect)
			}
		},
		ConnectDone: func(_, addr string, err error) {
			if err != nil {
				r.tried(addr, err)
			}
		},
		GotFirstResponseByte: func() { r.clock.enter(phaseTransfer) },
		// An interim answer such as 103 is not the first byte of the real one.
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			r.clock.enter(phaseProcessing)
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.interim++; r.interim > interimLimit {
				return errInterim
			}
			return nil
		},
	}
}

// tried remembers an address that did not answer.
func (r *run) tried(addr string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.attempts) < 16 {
		r.attempts = append(r.attempts, attempt{addr, err})
	}
}

// dialAttempts are the addresses of this hop that did not answer.
func (r *run) dialAttempts() []attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attempts[:len(r.attempts):len(r.attempts)]
}

// idempotent tells whether asking twice does no more than asking once.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
