package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestListenRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	inUse := taken.Addr().String()
	for _, tt := range []struct {
		name string
		edit func(*Options)
		want string
	}{
		{"port in use", func(o *Options) { o.Listen = inUse }, `web.listen "` + inUse + `": `},
		{"no port", func(o *Options) { o.Listen = "127.0.0.1" }, `web.listen "127.0.0.1": `},
		{"health port in use", func(o *Options) { o.HealthListen = inUse }, `web.health_listen "` + inUse + `": `},
		{"file that is missing", func(o *Options) { o.ConfigFile = filepath.Join(t.TempDir(), "none.yml") }, "web.config_file"},
		{"file with an unknown key", func(o *Options) { o.ConfigFile = file(t, "w.yml", "basic_auth: {}\n") }, "web.config_file"},
		{"certificate that is missing", func(o *Options) {
			o.ConfigFile = file(t, "w.yml", "tls_server_config: {cert_file: none.crt, key_file: none.key}\n")
		}, "web.config_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := options()
			tt.edit(&opts)
			s, err := Listen(opts)
			if err == nil {
				_ = s.Close()
				t.Fatal("got a server, want an error")
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %q, want %q…", err, tt.want)
			}
		})
	}
}

// TestListenReleases: what fails half-way leaves no port behind.
func TestListenReleases(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	free := listen(t, options())
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	opts := options()
	opts.Listen, opts.HealthListen = addr, taken.Addr().String()
	if _, err := Listen(opts); err == nil {
		t.Fatal("got a server on a port in use")
	}
	opts.HealthListen = ""
	s, err := Listen(opts)
	if err != nil {
		t.Fatalf("the first listener was not released: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestMetricsAreServed(t *testing.T) {
	opts := options()
	reg := prometheus.NewRegistry()
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "esawatch_test", Help: "A test's."})
	reg.MustRegister(gauge)
	gauge.Set(42)
	opts.Gatherer = reg
	s, _ := start(t, opts)
	if got := get(t, s, "/metrics"); got.StatusCode != 200 || !strings.Contains(got.body, "\nesawatch_test 42\n") {
		t.Errorf("got %d:\n%s", got.StatusCode, got.body)
	}
	got := do(t, request(t, "GET", s.Addr(), "/metrics", func(r *http.Request) {
		r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	}))
	if !strings.HasSuffix(got.body, "# EOF\n") || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/openmetrics-text") {
		t.Errorf("OpenMetrics: got %s:\n%s", got.Header.Get("Content-Type"), got.body)
	}
}

// TestHealthListener: health is told there with no password, and nothing else is.
func TestHealthListener(t *testing.T) {
	opts := options()
	opts.HealthListen = "127.0.0.1:0"
	opts.ConfigFile = file(t, "web.yml", basicAuth)
	s, _ := start(t, opts)
	health := s.health.Addr()
	for _, tt := range []struct {
		addr net.Addr
		path string
		user string
		want int
	}{
		{health, "/-/healthy", "", 200},
		{health, "/-/ready", "", 200},
		{health, "/metrics", "", 404},
		{health, "/-/reload", "", 404},
		{s.Addr(), "/-/healthy", "", 401},
		{s.Addr(), "/metrics", "", 401},
		{s.Addr(), "/metrics", "admin", 200},
		{s.Addr(), "/metrics", "root", 401},
	} {
		got := do(t, request(t, "GET", tt.addr, tt.path, func(r *http.Request) {
			if tt.user != "" {
				r.SetBasicAuth(tt.user, password)
			}
		}))
		if got.StatusCode != tt.want {
			t.Errorf("%s%s as %q: got %d, want %d", tt.addr, tt.path, tt.user, got.StatusCode, tt.want)
		}
	}
}

// TestFaultsOfOurOwnAreLogged: a panic in a handler is an error of this program,
// and what clients do wrong is not.
func TestFaultsOfOurOwnAreLogged(t *testing.T) {
	var log strings.Builder
	opts := options()
	opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	opts.Healthy = func() error { panic("never thought of") }
	opts.Ready = func() error { panic(http.ErrAbortHandler) }
	s, stop := start(t, opts)
	for _, path := range []string{"/-/ready", "/-/healthy"} {
		resp, err := http.DefaultTransport.RoundTrip(request(t, "GET", s.Addr(), path, nil))
		if err == nil {
			t.Errorf("%s: got %s, want a connection that breaks off", path, resp.Status)
			_ = resp.Body.Close()
		}
	}
	stop()
	if got := log.String(); strings.Count(got, "level=ERROR") != 1 ||
		!strings.Contains(got, "never thought of") || !strings.Contains(got, "path=/-/healthy") {
		t.Errorf("the log says\n%s", got)
	}
}

func TestHealthWords(t *testing.T) {
	var healthy, ready error
	opts := options()
	opts.Healthy = func() error { return healthy }
	opts.Ready = func() error { return ready }
	s, _ := start(t, opts)
	want := func(path string, code int, body string) {
		t.Helper()
		if got := get(t, s, path); got.StatusCode != code || got.body != body {
			t.Errorf("%s: got %d %q, want %d %q", path, got.StatusCode, got.body, code, body)
		}
	}
	want("/-/healthy", 200, "healthy\n")
	want("/-/ready", 200, "ready\n")
	ready = errors.New("the store cannot be written")
	want("/-/healthy", 200, "healthy\n")
	want("/-/ready", 503, "not ready: the store cannot be written\n")
	healthy = errors.New("the scheduler has stood still")
	want("/-/healthy", 503, "not healthy: the scheduler has stood still\n")
	if got := do(t, request(t, "POST", s.Addr(), "/-/healthy", nil)); got.StatusCode != 405 {
		t.Errorf("POST: got %d, want 405", got.StatusCode)
	}
}

func TestReloadSaysWhatIsWrong(t *testing.T) {
	opts := options()
	opts.Reload = func() error { return errors.New("a.yaml:3: sites[0].url: no scheme") }
	s, _ := start(t, opts)
	got := do(t, request(t, "POST", s.Addr(), "/-/reload", nil))
	if got.StatusCode != 500 || !strings.Contains(got.body, "a.yaml:3: sites[0].url: no scheme") {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
	if got := get(t, s, "/-/reload"); got.StatusCode != 405 {
		t.Errorf("GET: got %d, want 405", got.StatusCode)
	}
}

func TestTLS(t *testing.T) {
	// A server that is never asked lends its certificate.
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	defer lender.Close()
	key, err := x509.MarshalPKCS8PrivateKey(lender.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := file(t, "web.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw})))
	private := file(t, "web.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	opts := options()
	opts.HealthListen = "127.0.0.1:0"
	opts.ConfigFile = file(t, "web.yml", "tls_server_config: {cert_file: "+cert+", key_file: "+private+"}\n")
	s, _ := start(t, opts)

	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	got := doBy(t, transport, request(t, "GET", s.Addr(), "/-/ready", func(r *http.Request) { r.URL.Scheme = "https" }))
	if got.StatusCode != 200 || got.ProtoMajor != 2 {
		t.Errorf("got %d over %s, want 200 over HTTP/2", got.StatusCode, got.Proto)
	}
	if got := do(t, request(t, "GET", s.health.Addr(), "/-/ready", nil)); got.StatusCode != 200 {
		t.Errorf("health without TLS: got %d", got.StatusCode)
	}
	if got := get(t, s, "/-/ready"); got.StatusCode != 400 {
		t.Errorf("plain HTTP to the TLS port: got %d, want 400", got.StatusCode)
	}
}

// TestStopFinishesWhatIsUnderWay: a request that has come gets its answer.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	opts := options()
	opts.Reload = func() error { close(entered); <-release; return nil }
	s, stop := start(t, opts)
	code := make(chan int, 1)
	go func() { code <- do(t, request(t, "POST", s.Addr(), "/-/reload", nil)).StatusCode }()
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	waitRefused(t, s.Addr())
	select {
	case <-stopped:
		t.Error("Run came back before the request had ended")
	default:
	}
	close(release)
	if got := <-code; got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	<-stopped
}

// waitRefused waits until nobody listens at addr any more.
func waitRefused(t *testing.T, addr net.Addr) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			return
		}
		_ = c.Close()
	}
	t.Fatal("the listener stays open")
}

// TestRunEndsWithItsListener: a listener that fails is an error, not silence.
func TestRunEndsWithItsListener(t *testing.T) {
	opts := options()
	opts.HealthListen = "127.0.0.1:0"
	s := listen(t, opts)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	if got := do(t, request(t, "GET", s.health.Addr(), "/-/ready", nil)); got.StatusCode != 200 {
		t.Fatalf("got %d", got.StatusCode)
	}
	if err := s.health.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
	waitRefused(t, s.Addr())
}
