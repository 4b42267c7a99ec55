package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// password is the one of the user "admin" in basicAuth.
const password = "correct horse"

const basicAuth = "basic_auth_users: {admin: $2a$04$FGSP3jSX9PZvxxlG99nK9Otp.HHb0XRekjaSVnQ7RwIwXc43yBL1K}\n"

// options are those of a server on loopback with nothing to show.
func options() Options {
	return Options{
		Listen: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		Recent: NewRecent(), Incidents: incident.NewKeeper(memstore.New(), incident.Options{}),
		RunNow:  func(string) error { return schedule.ErrUnknown },
		Healthy: func() error { return nil }, Ready: func() error { return nil }, Reload: func() error { return nil },
	}
}

// listen opens a server that is closed with the test.
func listen(t testing.TB, opts Options) *Server {
	t.Helper()
	s, err := Listen(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // closed before by Run, where it ran
	return s
}

// start runs a server until the returned stop is called, or the test ends.
func start(t testing.TB, opts Options) (s *Server, stop func()) {
	t.Helper()
	s = listen(t, opts)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// answer is a response read to its end.
type answer struct {
	*http.Response
	body string
}

// do sends a request by a client that keeps no connection and follows nothing.
func do(t testing.TB, req *http.Request) answer {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	return doBy(t, transport, req)
}

func doBy(t testing.TB, transport *http.Transport, req *http.Request) answer {
	t.Helper()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	a := answer{resp, string(body)}
	if err := descriptionOf(t).conforms(req, &a); err != nil {
		t.Errorf("%s %s is not answered as openapi.yaml says: %v", req.Method, req.URL, err)
	}
	return a
}

// request is one for the server's address; edit may be nil.
func request(t testing.TB, method string, addr net.Addr, path string, edit func(*http.Request)) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+addr.String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(req)
	}
	return req
}

func get(t testing.TB, s *Server, path string) answer {
	t.Helper()
	return do(t, request(t, "GET", s.Addr(), path, nil))
}

// file writes a file of the test's own and returns its path.
func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
