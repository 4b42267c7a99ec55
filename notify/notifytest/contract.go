package notifytest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/notify"
)

// Kind is a kind of receiver that tells by HTTP, as Run tests it.
type Kind struct {
	// New makes a notifier for the server at url, with timeout as the bound of
	// one request and nothing that slows a test down. A notifier with a method
	// Close() error is closed.
	New func(t *testing.T, url string, timeout time.Duration) notify.Notifier
	// Server is a new server that takes what the notifier sends, and refuses
	// what the real one would refuse.
	Server func() http.Handler
	// Secrets must be in no error: tokens, and URLs that are secrets.
	Secrets []string
	// AnyBody: the kind takes every body beside a 2xx, as a plain webhook does.
	AnyBody bool
}

// The bounds of one request: with a server that does not answer, and with one
// that does, however slow the machine.
const (
	impatient = time.Second
	patient   = 20 * time.Second
)

// Run tests that a kind of receiver keeps its contract: it delivers whatever a
// notification holds; it comes back in time, with the right kind of error and
// no secret in it, whatever the server does; and it delivers afterwards.
func Run(t *testing.T, k Kind) {
	t.Run("delivers every sample", func(t *testing.T) { deliverSamples(t, k) })
	for _, f := range faults() {
		if f.body && k.AnyBody {
			continue
		}
		t.Run(f.name, func(t *testing.T) { survive(t, k, f) })
	}
	t.Run("refused connection", func(t *testing.T) { refusedConnection(t, k) })
	t.Run("untrusted certificate", func(t *testing.T) { untrusted(t, k) })
	t.Run("canceled", func(t *testing.T) { canceled(t, k) })
	t.Run("redirect is not followed", func(t *testing.T) { redirect(t, k) })
}

// start makes a notifier for url; what it holds is closed, and no goroutine of
// it may be left, when the test ends.
func (k Kind) start(t *testing.T, url string, timeout time.Duration) notify.Notifier {
	t.Helper()
	n := k.New(t, url, timeout)
	t.Cleanup(func() {
		if c, ok := n.(interface{ Close() error }); ok {
			if err := c.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return n
}

// serve starts a server that stops before the test ends. The goroutines there
// are now may be there in the end, no others.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	before := goleak.IgnoreCurrent()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := goleak.Find(before); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	return server
}

func deliverSamples(t *testing.T, k Kind) {
	for _, s := range Samples() {
		t.Run(s.Name, func(t *testing.T) {
			n := k.start(t, serve(t, k.Server()).URL, patient)
			m := s.Notification
			for range 2 { // as the first notification, and as a later one
				receipt, err := n.Notify(t.Context(), m)
				if err != nil {
					t.Fatalf("notify: %v", err)
				}
				m.Receipt = receipt
			}
		})
	}
}

// survive lets the server fail, checks the error, then heals the server and
// wants the same notification delivered.
func survive(t *testing.T, k Kind, f fault) {
	healthy := k.Server()
	var broken atomic.Bool
	broken.Store(true)
	timeout := patient
	if f.silent {
		timeout = impatient
	}
	n := k.start(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			f.answer(w, r)
			return
		}
		healthy.ServeHTTP(w, r)
	})).URL, timeout)

	m := Story()[0]
	receipt, err := timed(t, timeout, func() (notify.Receipt, error) { return n.Notify(t.Context(), m) })
	k.check(t, err)
	if got := notify.ReasonOf(err); !f.allows(got) {
		t.Errorf("error %v has reason %q, want one of %q", err, got, f.reasons)
	}
	if got := notify.RetryDelay(err); got < f.atLeast || f.atMost > 0 && got > f.atMost {
		t.Errorf("error %v asks for a pause of %v, want %v to %v", err, got, f.atLeast, f.atMost)
	}
	if notify.IsPermanent(err) && !f.permanent {
		t.Errorf("error %v is permanent, yet the server may recover", err)
	}

	broken.Store(false)
	m.Receipt = receipt
	begin := time.Now()
	_, err = n.Notify(t.Context(), m)
	for f.silent && notify.ReasonOf(err) == notify.ReasonTimeout && time.Since(begin) < patient {
		_, err = n.Notify(t.Context(), m) // a slow machine
	}
	if err != nil {
		t.Errorf("after the server recovered: %v", err)
	}
}

// check checks what every error has to be: there, clean, and of a known reason.
func (k Kind) check(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range k.Secrets {
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), secret) {
				t.Errorf("error holds the secret %q: %v", secret, e)
			}
		}
	}
	if text := err.Error(); text != notify.Line(text, 600) {
		t.Errorf("error is not one clean line: %q", text)
	}
	if reason := notify.ReasonOf(err); reason == notify.ReasonOther {
		t.Errorf("error %v has no reason", err)
	}
}

// timed runs notify and wants it back within timeout, with no more memory taken
// than a bounded reader takes.
func timed(t *testing.T, timeout time.Duration, notify func() (notify.Receipt, error)) (notify.Receipt, error) {
	t.Helper()
	const grace, maxAlloc = 10 * time.Second, 64 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	receipt, err := notify()
	if took := time.Since(begin); took > timeout+grace {
		t.Errorf("took %v, want at most %v", took, timeout+grace)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > maxAlloc {
		t.Errorf("allocated %d bytes", got)
	}
	return receipt, err
}

func refusedConnection(t *testing.T, k Kind) {
	n := k.start(t, "http://"+RefusingAddress(t), patient)
	_, err := timed(t, patient, func() (notify.Receipt, error) { return n.Notify(t.Context(), Story()[0]) })
	k.check(t, err)
	if got := notify.ReasonOf(err); got != notify.ReasonUnreachable {
		t.Errorf("error %v has reason %q", err, got)
	}
	if notify.IsPermanent(err) {
		t.Errorf("error %v is permanent", err)
	}
}

func untrusted(t *testing.T, k Kind) {
	server := httptest.NewUnstartedServer(k.Server())
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	n := k.start(t, server.URL, patient)
	_, err := timed(t, patient, func() (notify.Receipt, error) { return n.Notify(t.Context(), Story()[0]) })
	k.check(t, err)
	if got := notify.ReasonOf(err); got != notify.ReasonTLS {
		t.Errorf("error %v has reason %q", err, got)
	}
}

// canceled wants Notify back at once when its context ends.
func canceled(t *testing.T, k Kind) {
	ctx, cancel := context.WithCancel(t.Context())
	n := k.start(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hang(w, r)
	})).URL, patient)
	begin := time.Now()
	_, err := n.Notify(ctx, Story()[0])
	k.check(t, err)
	if got := notify.ReasonOf(err); got != notify.ReasonCanceled {
		t.Errorf("error %v has reason %q", err, got)
	}
	if took := time.Since(begin); took >= patient {
		t.Errorf("came back after %v only", took)
	}
}

// redirect wants nothing sent to where a server points.
func redirect(t *testing.T, k Kind) {
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		n := k.start(t, serve(t, http.RedirectHandler(other.URL, status)).URL, patient)
		_, err := n.Notify(t.Context(), Story()[0])
		k.check(t, err)
	}
}
