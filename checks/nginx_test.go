package checks_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// nginxConfig takes the folder, the address to listen on and the upstream's.
const nginxConfig = `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	server_tokens off;
	gzip on;
	gzip_min_length 1;
	default_type text/html;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	limit_req_zone $binary_remote_addr zone=unset:32k rate=1r/m;
	limit_req_zone $binary_remote_addr zone=asked:32k rate=1r/m;
	server {
		listen %[2]s;
		root %[1]s/html;
		location = /ready { return 204; }
		location = /page.html { }
		location = /gone { return 444; }
		location = /loop { return 302 /loop; }
		location = /limited { limit_req zone=unset; }
		location = /limited-429 { limit_req zone=asked; limit_req_status 429; }
		location /upstream { proxy_pass http://%[3]s; proxy_read_timeout 300ms; proxy_connect_timeout 300ms; }
		location ~ ^/status/(?<code>[0-9]+)$ {
			# nginx takes no variable here, and has pages for these only.
%[4]s		}
	}
}
`

// nginxPages are the statuses that nginx has a page of its own for, and that a
// client may be sent; at 408 it hangs up without a word.
var nginxPages = []int{400, 401, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 416, 429, 500, 502, 503, 504}

// startNginx runs a real nginx before upstream and gives its base URL. Where
// there is no nginx in PATH the test says so and ends, or fails when
// ESAWATCH_REQUIRE_SERVERS is set.
func startNginx(t *testing.T, upstream string) string {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("ESAWATCH_REQUIRE_SERVERS") != "" {
			t.Fatalf("ESAWATCH_REQUIRE_SERVERS is set: %v", err)
		}
		t.Skipf("this test runs against a real nginx: %v", err)
	}
	folder := t.TempDir()
	page := filepath.Join(folder, "html", "page.html")
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"page.html", "limited", "limited-429"} {
		if err := os.WriteFile(filepath.Join(folder, "html", name), []byte(strings.Repeat("all is well\n", 100)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// nginx cannot be given a listener, and the free port that is found for it
	// may be taken before it gets there.
	for range 5 {
		address := freeAddress(t)
		if runNginx(t, binary, folder, address, upstream) {
			return "http://" + address
		}
	}
	log, _ := os.ReadFile(filepath.Join(folder, "error.log"))
	t.Fatalf("nginx did not start:\n%s", log)
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// runNginx starts nginx until the end of the test and tells whether it serves.
func runNginx(t *testing.T, binary, folder, address, upstream string) bool {
	t.Helper()
	var statuses strings.Builder
	for _, code := range nginxPages {
		fmt.Fprintf(&statuses, "\t\t\tif ($code = %d) { return %d; }\n", code, code)
	}
	config := filepath.Join(folder, "nginx.conf")
	text := fmt.Sprintf(nginxConfig, folder, address, upstream, statuses.String())
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-p", folder, "-c", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed, or it says why in its log
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if fetch(t, "http://"+address+"/ready").status == http.StatusNoContent {
			return true
		}
	}
	return false
}

type fetched struct {
	status int // 0 with no answer
	body   []byte
}

func fetch(t *testing.T, url string) fetched {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fetched{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read %s: %v", url, err)
	}
	return fetched{resp.StatusCode, body}
}

// run checks url once, as the daemon would.
func run(t *testing.T, url string) checks.Result {
	t.Helper()
	p, err := probe.New(probe.Request{URL: url, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	expect, err := assert.Build(assert.Expect{})
	if err != nil {
		t.Fatal(err)
	}
	check := checks.Check{
		Site: "shop", Name: "home", URL: url, Method: http.MethodGet,
		Edge: p, Expect: expect, Catalog: catalog.Default(),
	}
	return check.Run(t.Context())
}

// TestRealNginx checks a real nginx whose upstream breaks in turn.
func TestRealNginx(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	nginx := startNginx(t, edge.Origin().Addr())

	tests := []struct {
		name     string
		upstream edgetest.OriginState
		path     string
		status   int
		want     catalog.Condition
	}{
		{"a page, compressed", edgetest.OriginUp(), "/page.html", 200, ""},
		{"a page of the upstream", edgetest.OriginUp(), "/upstream", 200, ""},
		{"upstream stopped", edgetest.OriginStopped(), "/upstream", 502, "502"},
		{"upstream crashes", edgetest.OriginCrashing(), "/upstream", 502, "502"},
		{"upstream does not answer", edgetest.OriginHanging(), "/upstream", 504, "504"},
		{"upstream fails by itself", edgetest.OriginFailing(500), "/upstream", 500, "500"},
		{"upstream back", edgetest.OriginUp(), "/upstream", 200, ""},
		{"first within the limit", edgetest.OriginUp(), "/limited", 200, ""},
		{"second beyond it", edgetest.OriginUp(), "/limited", 503, "503"},
		{"first within the other limit", edgetest.OriginUp(), "/limited-429", 200, ""},
		{"second beyond that", edgetest.OriginUp(), "/limited-429", 429, "429"},
		{"no such page", edgetest.OriginUp(), "/nowhere", 404, "404"},
		{"closed in place of an answer", edgetest.OriginUp(), "/gone", 0, catalog.ConnectionReset},
		{"a redirect to itself", edgetest.OriginUp(), "/loop", 302, catalog.RedirectLoop},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := edge.Origin().Set(test.upstream); err != nil {
				t.Fatal(err)
			}
			r := run(t, nginx+test.path)
			if r.StatusCode != test.status || r.Condition() != test.want {
				t.Errorf("got %d %q, want %d %q; %+v", r.StatusCode, r.Condition(), test.status, test.want, r.Diagnosis)
			}
			if r.Edge.ViaESA != "no" {
				t.Errorf("via_esa = %q for a bare nginx, want no", r.Edge.ViaESA)
			}
			if r.Diagnosis != nil && len(r.Diagnosis.Steps) == 0 {
				t.Error("the diagnosis says not what to do")
			}
		})
	}
}

// TestSimulatedPagesAreNginxs holds the simulated edge to the real thing: what
// it relays as an origin's page is what a real nginx sends.
func TestSimulatedPagesAreNginxs(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	nginx := startNginx(t, edge.Origin().Addr())
	for _, code := range nginxPages {
		path := fmt.Sprintf("/status/%d", code)
		real, simulated := fetch(t, nginx+path), fetch(t, edge.URL()+path)
		if real.status != code || simulated.status != code {
			t.Errorf("%s gave %d by nginx and %d by the edge", path, real.status, simulated.status)
		}
		if !bytes.Equal(real.body, simulated.body) {
			t.Errorf("%s is %q by nginx and %q by the edge", path, real.body, simulated.body)
		}
	}
}
