package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

const (
	detailLimit = 512 // bytes of Response.Detail and of each note
	notesLimit  = 24
	// originReadTimeout is how long ESA waits for an origin's answer by default.
	originReadTimeout = 30 * time.Second
)

// failure is what kept a whole answer from coming. It is an error so that the
// code that finds the condition can hand it up like any other.
type failure struct {
	condition catalog.Condition
	detail    string
	notes     []string
}

func (f *failure) Error() string { return f.detail }

// broken is a failure with the condition c and the words of err.
func broken(c catalog.Condition, err error) *failure {
	return &failure{condition: c, detail: err.Error()}
}

// explain names what err means in the phase in which it struck. ctx is the
// run's own context, parent the caller's.
func (r *run) explain(ctx, parent context.Context, err error, phase string) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if e, ok := errors.AsType[*proxyError](err); ok {
		return r.proxyFailure(ctx, parent, e, phase)
	}
	switch {
	case is[*localError](err), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS):
		return broken(catalog.InternalError, err)
	case errors.Is(parent.Err(), context.Canceled):
		return &failure{condition: catalog.InternalError, detail: "the run was cancelled"}
	case len(unverified(err)) > 0:
		refused := refusal(err, unverified(err), r.serverName, time.Now())
		return &refused
	}
	late := ctx.Err() != nil || isTimeout(err)
	if !late {
		if f := quicFailure(err); f != nil {
			return f
		}
	}
	switch phase {
	case phaseResolve:
		return r.resolveFailure(ctx, err, late)
	case phaseConnect:
		return r.connectFailure(ctx, err, late)
	case phaseTLS:
		if !late {
			return handshakeFailure(err)
		}
	}
	if late {
		return r.lateness(phase)
	}
	if r.cutShort(err) {
		err = io.ErrUnexpectedEOF
	}
	return answerFailure(err)
}

// cutShort tells whether net/http calls an answer malformed whose header was
// only cut off by the end of the connection.
func (r *run) cutShort(err error) bool {
	if r.peer == nil || !r.peer.closed.Load() {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "malformed MIME header: missing colon") ||
		strings.Contains(text, "malformed HTTP status code") ||
		strings.Contains(text, `malformed HTTP response "HTTP/1`)
}

// connectFailure explains why no connection came about. A name may have
// several addresses; the most telling of their errors decides.
func (r *run) connectFailure(ctx context.Context, err error, late bool) *failure {
	if dns, ok := asDNSError(err); ok {
		return r.resolveFailure(ctx, err, dns.IsTimeout)
	}
	if is[*net.AddrError](err) {
		return r.resolveFailure(ctx, err, false) // addresses, but none of the family asked for
	}
	best := connectCondition(err, late)
	attempts := r.dialAttempts()
	for i, a := range attempts {
		if c := connectCondition(a.err, false); i == 0 || rank(c) > rank(best) {
			r.resp.RemoteAddr = a.addr
			if rank(c) > rank(best) {
				best, err = c, a.err
			}
		}
	}
	f := &failure{condition: best, detail: fmt.Sprintf("connect %s: %s", r.dialTarget, reason(err))}
	if best == catalog.ConnectTimeout {
		f.detail = fmt.Sprintf("connect %s: no answer within %s", r.dialTarget, r.p.req.Timeout)
	}
	if r.p.req.HTTPVersion == "3" {
		f.detail += " (UDP)"
		f.notes = append(f.notes, "HTTP/3: asked over UDP only, so the site may well be up over TCP; see that HTTP/3 is on in ESA and that nothing here blocks UDP")
	}
	if len(attempts) > 1 {
		for _, a := range attempts {
			f.notes = append(f.notes, fmt.Sprintf("address: %s: %s", a.addr, reason(a.err)))
		}
	}
	return f
}

func asDNSError(err error) (*net.DNSError, bool) { return errors.AsType[*net.DNSError](err) }

// rank orders the conditions of connecting by how much they tell: a refusal
// comes from the target, silence from somewhere on the way, and unreachable is
// often only this machine's lack of IPv6.
func rank(c catalog.Condition) int {
	switch c {
	case catalog.ConnectRefused:
		return 3
	case catalog.ConnectTimeout:
		return 2
	case catalog.ConnectUnreachable:
		return 1
	}
	return 0
}

// connectCondition names the error of one attempt to connect.
func connectCondition(err error, late bool) catalog.Condition {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return catalog.ConnectRefused
	case late, errors.Is(err, syscall.ETIMEDOUT), isTimeout(err):
		return catalog.ConnectTimeout
	}
	return catalog.ConnectUnreachable
}

// lateness is the failure of a run whose time ran out after it was connected.
func (r *run) lateness(phase string) *failure {
	timeout := r.p.req.Timeout
	f := &failure{condition: catalog.Timeout}
	switch phase {
	case phaseTLS:
		f.detail = fmt.Sprintf("connected, but no TLS handshake within %s", timeout)
	case phaseTransfer:
		f.detail = fmt.Sprintf("the answer began, but was not complete within %s", timeout)
		f.notes = append(f.notes, fmt.Sprintf("received: %d bytes of the body", len(r.resp.Body)))
	default:
		f.detail = fmt.Sprintf("connected and asked, but no answer within %s", timeout)
		if timeout < originReadTimeout+5*time.Second {
			f.notes = append(f.notes, fmt.Sprintf(
				"limit: ESA waits 30s for an origin before it answers 524; this check gives up after %s and cannot see that", timeout))
		}
	}
	return f
}

// answerFailure explains why no whole answer came over a connection that stood.
func answerFailure(err error) *failure {
	switch {
	case is[*decodeError](err):
		return broken(catalog.ProtocolError, err)
	case is[tls.AlertError](err), strings.HasPrefix(reason(err), "tls: "):
		// With TLS 1.3 a server judges our certificate after we think we are done.
		return broken(catalog.TLSHandshake, err)
	case isClosed(err):
		f := broken(catalog.ConnectionReset, err)
		f.detail = reason(err)
		return f
	}
	f := broken(catalog.ProtocolError, err)
	for _, prefix := range []string{"net/http: HTTP/1.x transport connection broken: ", "net/http: ", "http: "} {
		f.detail = strings.TrimPrefix(f.detail, prefix)
	}
	return f
}

// isClosed tells whether the other side ended the connection or the stream.
func isClosed(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) {
		return true
	}
	var stream h2StreamError
	if errors.As(err, &stream) {
		return stream.Code != h2ProtocolError && stream.Code != h2FlowControlError && stream.Code != h2CompressionError
	}
	text := err.Error()
	return slices.ContainsFunc(closedWords, func(words string) bool { return strings.Contains(text, words) })
}

// closedWords are in those errors of net/http for a closed connection that are
// text only.
var closedWords = []string{"GOAWAY", "client connection lost", "client conn is closed", "client conn not usable",
	"client conn could not be established", "server closed idle connection"}

// h2StreamError receives net/http's own, unexported error, whose As method
// fills any struct of this shape.
type h2StreamError struct {
	StreamID uint32
	Code     h2Code
	Cause    error
}

func (e h2StreamError) Error() string { return fmt.Sprintf("stream error: code %d", e.Code) }

// h2Code is an HTTP/2 error code of RFC 9113.
type h2Code uint32

const (
	h2ProtocolError    h2Code = 0x1
	h2FlowControlError h2Code = 0x3
	h2CompressionError h2Code = 0x9
)

// isTimeout tells whether err is one of time.
func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// reason is the innermost cause of err in plain words.
func reason(err error) string {
	if err == nil {
		return "connected"
	}
	for {
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Err == nil {
			break
		}
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed in the middle of the answer"
	case errors.Is(err, io.EOF):
		return "connection closed before the answer"
	}
	return err.Error()
}

// fail writes f into the response, cleaned of secrets and bounded.
func (r *run) fail(f *failure, phase string) {
	switch f.condition {
	case catalog.TLSHandshake, catalog.TLSExpired, catalog.TLSWrongHost, catalog.TLSUntrusted:
		phase = phaseTLS // also when QUIC shook hands while connecting, or the server judged us late
	case catalog.DNSFailure:
		phase = phaseResolve // also when there are addresses, but none of the family asked for
	}
	r.resp.Condition, r.resp.Phase = f.condition, phase
	r.resp.Detail = r.show(f.detail)
	for _, n := range f.notes {
		r.note(n)
	}
	if f.condition == catalog.TLSHandshake {
		if n := handshakeNote(f.detail, r.serverName); n != "" {
			r.note(n)
		}
	}
}

// note adds a finding.
func (r *run) note(n string) {
	if len(r.resp.Notes) < notesLimit {
		r.resp.Notes = append(r.resp.Notes, r.show(n))
	}
}

// show makes text fit for a detail or a note.
func (r *run) show(s string) string {
	return Printable(r.secrets.clean(s), detailLimit)
}
