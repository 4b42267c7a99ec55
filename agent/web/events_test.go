package web

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

// stream opens /events and returns a function that reads the next line that is
// not empty, "" at the end.
func stream(t *testing.T, s *Server, query string) (next func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := transport.RoundTrip(request(t, "GET", s.Addr(), "/events"+query, nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	return func() string {
		for lines.Scan() {
			if line := lines.Text(); line != "" {
				return line
			}
		}
		return ""
	}
}

func TestEventsTellOfNewResults(t *testing.T) {
	sc := newScene(t, nil)
	next := stream(t, sc.Server, "")
	if line := next(); !strings.HasPrefix(line, "retry:") {
		t.Fatalf("got %q", line)
	}
	sc.observe(t, "shop/home", "", nil)
	if line := next(); line != "data: new" {
		t.Errorf("got %q", line)
	}
}

// TestEventsTellOfConfiguration: a page whose site leaves must learn of it, even
// where no check is left that has results.
func TestEventsTellOfConfiguration(t *testing.T) {
	sc := newScene(t, nil)
	next := stream(t, sc.Server, "")
	next()
	sc.Show(Content{})
	if line := next(); line != "data: new" {
		t.Errorf("got %q", line)
	}
}

// TestEventsTellOfSilences: they change what is shown as results do.
func TestEventsTellOfSilences(t *testing.T) {
	sc := newScene(t, nil)
	next := stream(t, sc.Server, "")
	next()
	if _, err := sc.keeper.Silences().Add(t.Context(), incident.Silence{Until: time.Now().Add(time.Hour), Author: "ana",
		Matchers: []incident.Matcher{{Name: "site", Op: "=", Value: "shop"}}}); err != nil {
		t.Fatal(err)
	}
	if line := next(); line != "data: new" {
		t.Errorf("got %q", line)
	}
}

// TestEventsTellWhatWasMissed: what came between a page and its stream is told,
// and nothing when nothing came.
func TestEventsTellWhatWasMissed(t *testing.T) {
	sc := newScene(t, nil)
	page := get(t, sc.Server, "/")
	_, rest, _ := strings.Cut(page.body, `data-events="./events?since=`)
	since, _, _ := strings.Cut(rest, `"`)
	if want := strconv.FormatUint(sc.version(), 10); since != want {
		t.Fatalf("the page is of version %q, want %s", since, want)
	}
	sc.observe(t, "shop/home", "", nil)
	next := stream(t, sc.Server, "?since="+since)
	next()
	if line := next(); line != "data: new" {
		t.Errorf("got %q", line)
	}
}

// TestEventsEndWithTheServer: a page that listens holds up no stop.
func TestEventsEndWithTheServer(t *testing.T) {
	opts := options()
	s, stop := start(t, opts)
	next := stream(t, s, "")
	next()
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopped after %v, want at once", took)
	}
	if line := next(); line != "" {
		t.Errorf("got %q after the end", line)
	}
}

func TestEventsAreBounded(t *testing.T) {
	sc := newScene(t, nil)
	sc.listeners.Store(maxListeners)
	if got := get(t, sc.Server, "/events"); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("got %d", got.StatusCode)
	}
	if n := sc.listeners.Load(); n != maxListeners {
		t.Errorf("%d listeners afterwards, want %d", n, maxListeners)
	}
}

// sink is a connection that takes everything.
type sink struct {
	http.ResponseWriter
	header http.Header
	got    strings.Builder
}

func (s *sink) Header() http.Header               { return s.header }
func (s *sink) Write(b []byte) (int, error)       { return s.got.Write(b) }
func (s *sink) WriteHeader(int)                   {}
func (s *sink) Flush()                            {}
func (s *sink) SetWriteDeadline(time.Time) error  { return nil }
func (s *sink) SetReadDeadline(_ time.Time) error { return nil }

// TestEventsOverTime: silence is broken by heartbeats only, and after a while
// the stream ends so that nobody listens for ever.
func TestEventsOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recent := NewRecent()
		recent.SetChecks(checkList("shop/home"))
		s := &Server{opts: Options{Recent: recent, Incidents: incident.NewKeeper(memstore.New(), incident.Options{})}, stopping: make(chan struct{})}
		r, err := http.NewRequestWithContext(t.Context(), "GET", "/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &sink{header: http.Header{}}
		began := time.Now()
		go func() {
			time.Sleep(time.Minute + time.Second)
			for range 100 {
				recent.Observe(result(time.Now(), ""))
			}
		}()
		s.events(w, r)
		if took := time.Since(began); took != streamFor {
			t.Errorf("ended after %v, want %v", took, streamFor)
		}
		got := w.got.String()
		if n := strings.Count(got, "data: new"); n != 1 {
			t.Errorf("%d events for a hundred results at once, want 1", n)
		}
		if n, want := strings.Count(got, ": still here"), int(streamFor/(heartbeat+lookEvery)); n < want {
			t.Errorf("%d heartbeats, want %d at least", n, want)
		}
	})
}
