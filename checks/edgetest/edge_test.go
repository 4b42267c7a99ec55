package edgetest_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/checks/edgetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start gives an edge with short timeouts that ends with the test.
func start(t *testing.T, opts edgetest.Options) *edgetest.Edge {
	t.Helper()
	if opts.ReadTimeout == 0 {
		opts.ReadTimeout = 150 * time.Millisecond
	}
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = 100 * time.Millisecond
	}
	edge, err := edgetest.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	return edge
}

type reply struct {
	*http.Response
	body string
}

// get asks once, on a connection of its own, and follows no redirect.
func get(t *testing.T, edge *edgetest.Edge, path string, change ...func(*http.Request)) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, edge.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	r, err := ask(edge, req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ask(edge *edgetest.Edge, req *http.Request) (reply, error) {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: edge.CAPool()},
		ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, string(body)}, err
}

// header finds a header whatever its case.
func header(r reply, name string) string { return r.Header.Get(name) }

func checkESA(t *testing.T, edge *edgetest.Edge, r reply, before time.Time) {
	t.Helper()
	if got := header(r, "Server"); got != "ESA" {
		t.Errorf("Server = %q, want ESA", got)
	}
	if got := header(r, "Timing-Allow-Origin"); got != "*" {
		t.Errorf("Timing-Allow-Origin = %q, want *", got)
	}
	id := header(r, "EagleId")
	if len(id) != 26 {
		t.Fatalf("EagleId = %q, want 26 characters", id)
	}
	ip := make([]byte, 4)
	if _, err := fmt.Sscanf(id[:8], "%02x%02x%02x%02x", &ip[0], &ip[1], &ip[2], &ip[3]); err != nil {
		t.Fatalf("EagleId = %q: no address: %v", id, err)
	}
	if node, _ := netip.AddrFromSlice(ip); node != edge.NodeIP() {
		t.Errorf("EagleId holds %s, want %s", node, edge.NodeIP())
	}
	ms, err := strconv.ParseInt(id[8:21], 10, 64)
	if at := time.UnixMilli(ms); err != nil || at.Before(before.Truncate(time.Millisecond)) || at.After(time.Now()) {
		t.Errorf("EagleId holds time %s (%v), want one during the request", at, err)
	}
	nodes := strings.Split(header(r, "Via"), ", ")
	for _, node := range nodes {
		if !strings.HasPrefix(node, "ens-cache") {
			t.Errorf("Via has node %q, want ens-cacheN", node)
		}
	}
	if last := nodes[len(nodes)-1]; !strings.Contains(last, "."+edge.POP()+"[") {
		t.Errorf("last node of Via is %q, want one of %s", last, edge.POP())
	}
	cookie := ""
	for _, c := range r.Cookies() {
		if c.Name == "acw_tc" {
			cookie = c.Value
		}
	}
	if !strings.HasPrefix(cookie, id) {
		t.Errorf("cookie acw_tc = %q, want it to begin with %q", cookie, id)
	}
}

func TestBehaviours(t *testing.T) {
	edge := start(t, edgetest.Options{})
	tests := []struct {
		behaviour edgetest.Behaviour
		status    int
		cache     string
		header    string // "Name: value" that must be there
		body      string // a part of the body; "" = it is empty
	}{
		{edgetest.Healthy(), 200, "DYNAMIC", "Content-Type: text/html; charset=utf-8", "Welcome to the shop"},
		{edgetest.Behaviour{}, 200, "DYNAMIC", "", "Welcome to the shop"},
		{edgetest.Status(204), 204, "DYNAMIC", "", ""},
		{edgetest.Status(302), 302, "DYNAMIC", "Location: /status/200", "302 Found"},
		{edgetest.Status(401), 401, "DYNAMIC", `Www-Authenticate: Basic realm="shop"`, "401 Authorization Required"},
		{edgetest.Status(502), 502, "DYNAMIC", "", "<center>nginx</center>"},
		{edgetest.Status(504), 504, "DYNAMIC", "", "504 Gateway Time-out"},
		{edgetest.Status(521), 521, "MISS", "Content-Length: 0", ""},
		{edgetest.Status(582), 582, "MISS", "Content-Type: text/plain", "582 Version retrieval failed"},
		{edgetest.Status(403), 403, "BYPASS", "X-Tengine-Error: denied by http_custom", "Sorry, you have been blocked"},
		{edgetest.Blocked(), 403, "BYPASS", "X-Tengine-Error: denied by http_custom", "RuleID: "},
		{edgetest.RateLimited(), 403, "BYPASS", "X-Tengine-Error: denied by http_ratelimit", "RequestID: "},
		{edgetest.Challenge(403), 403, "BYPASS", "X-Tengine-Error: denied by http_custom", "aliyunCaptcha"},
		{edgetest.Challenge(200), 200, "BYPASS", "X-Tengine-Error: denied by http_custom", "<title>滑动验证页面</title>"},
		{edgetest.JSChallenge(), 200, "BYPASS", "", "acw_sc__v2"},
		{edgetest.WaitingRoom(200), 200, "BYPASS", "Cache-Control: no-store", "You are in line"},
		{edgetest.WaitingRoom(202), 202, "BYPASS", "Cache-Control: no-store", "You are in line"},
		{edgetest.WaitingRoom(429), 429, "BYPASS", "Cache-Control: no-store", "You are in line"},
		{edgetest.SlowOrigin(20 * time.Millisecond), 200, "DYNAMIC", "", "Welcome to the shop"},
		{edgetest.SlowOrigin(time.Hour), 524, "MISS", "", ""},
		{edgetest.ConnectTimeout(), 522, "MISS", "", ""},
		{edgetest.FunctionError(594), 594, "MISS", "", ""},
		{edgetest.ProxyStatusTLS(), 525, "MISS", "Proxy-Status: esa; error=tls_protocol_error; detail=os_error", ""},
		{edgetest.OriginStatus(503), 503, "DYNAMIC", "X-Powered-By: PHP/8.3.14", "503 Service Temporarily Unavailable"},
		{edgetest.CachedError(500, 90*time.Second), 500, "HIT", "Age: 90", "500 Internal Server Error"},
		{edgetest.StaleCopy(), 200, "STALE", "Age: 7200", "Welcome to the shop"},
	}
	for _, test := range tests {
		t.Run(test.behaviour.String(), func(t *testing.T) {
			edge.Set(test.behaviour)
			before := time.Now()
			r := get(t, edge, "/")
			checkESA(t, edge, r, before)
			if r.StatusCode != test.status {
				t.Errorf("status = %d, want %d", r.StatusCode, test.status)
			}
			if got := header(r, "X-Site-Cache-Status"); got != test.cache {
				t.Errorf("X-Site-Cache-Status = %q, want %q", got, test.cache)
			}
			if name, want, _ := strings.Cut(test.header, ": "); header(r, name) != want {
				t.Errorf("%s = %q, want %q", name, header(r, name), want)
			}
			if test.body == "" && r.body != "" || !strings.Contains(r.body, test.body) {
				t.Errorf("body = %q, want %q", r.body, test.body)
			}
		})
	}
}

func TestBlockedPageNamesTheRequest(t *testing.T) {
	edge := start(t, edgetest.Options{})
	edge.Set(edgetest.Blocked())
	r := get(t, edge, "/")
	if want := "RequestID: " + header(r, "EagleId"); !strings.Contains(r.body, want) {
		t.Errorf("body = %q, want %q in it", r.body, want)
	}
}

func TestWaitingRoomInJSON(t *testing.T) {
	edge := start(t, edgetest.Options{})
	edge.Set(edgetest.WaitingRoom(200))
	r := get(t, edge, "/", func(req *http.Request) { req.Header.Set("Accept", "application/json") })
	if header(r, "Content-Type") != "application/json" || !strings.Contains(r.body, `"inWaitingRoom":true`) {
		t.Errorf("got %q %q, want JSON", header(r, "Content-Type"), r.body)
	}
	found := false
	for _, c := range r.Cookies() {
		found = found || strings.HasPrefix(c.Name, "__aliwaitingroom_")
	}
	if !found {
		t.Errorf("cookies = %v, want one of the waiting room", r.Cookies())
	}
}

func TestNotESA(t *testing.T) {
	edge := start(t, edgetest.Options{})
	edge.Set(edgetest.NotESA())
	r := get(t, edge, "/")
	if r.StatusCode != 200 || header(r, "Server") != "nginx" {
		t.Errorf("got %d from %q, want 200 from nginx", r.StatusCode, header(r, "Server"))
	}
	for _, name := range []string{"Via", "EagleId", "X-Site-Cache-Status", "Timing-Allow-Origin", "Set-Cookie"} {
		if got := header(r, name); got != "" {
			t.Errorf("%s = %q, want none", name, got)
		}
	}
}

func TestEveryStatusHasItsPath(t *testing.T) {
	edge := start(t, edgetest.Options{})
	edge.Set(edgetest.Challenge(200)) // the fixed paths do not mind
	for code := 200; code <= 599; code++ {
		r := get(t, edge, fmt.Sprintf("/status/%d", code))
		if r.StatusCode != code {
			t.Errorf("status = %d, want %d", r.StatusCode, code)
		}
		if edgeMade := code >= 520 && code != 582; edgeMade && r.body != "" {
			t.Errorf("body of %d = %q, want none", code, r.body)
		}
	}
	for _, path := range []string{"/status/199", "/status/600", "/status/20", "/status/", "/status/200/x", "/status/+20"} {
		if r := get(t, edge, path); header(r, "X-Tengine-Error") == "" {
			t.Errorf("%s was answered %d by itself, want the edge's behaviour", path, r.StatusCode)
		}
	}
}

func TestPathsHaveBehavioursOfTheirOwn(t *testing.T) {
	edge := start(t, edgetest.Options{})
	edge.Set(edgetest.Status(521))
	edge.SetPath("/login", edgetest.Status(502))
	edge.SetPath("/status/404", edgetest.Status(410))
	for path, want := range map[string]int{"/": 521, "/login": 502, "/login/x": 521, "/status/404": 410, "/status/405": 405} {
		if got := get(t, edge, path).StatusCode; got != want {
			t.Errorf("%s gave %d, want %d", path, got, want)
		}
	}
	edge.Reset()
	for path, want := range map[string]int{"/": 200, "/login": 200, "/status/404": 404} {
		if got := get(t, edge, path).StatusCode; got != want {
			t.Errorf("%s gave %d after Reset, want %d", path, got, want)
		}
	}
}

// TestOrigin breaks the real origin and sees what the edge makes of it.
func TestOrigin(t *testing.T) {
	edge := start(t, edgetest.Options{})
	tests := []struct {
		state  edgetest.OriginState
		status int
		body   string
	}{
		{edgetest.OriginUp(), 200, "Welcome"},
		{edgetest.OriginStopped(), 521, ""},
		{edgetest.OriginStopped(), 521, ""},
		{edgetest.OriginFailing(503), 503, "<center>nginx</center>"},
		{edgetest.OriginSlow(20 * time.Millisecond), 200, "Welcome"},
		{edgetest.OriginSlow(time.Minute), 524, ""},
		{edgetest.OriginHanging(), 524, ""},
		{edgetest.OriginStopped(), 521, ""},
		{edgetest.OriginCrashing(), 520, ""},
		{edgetest.OriginUp(), 200, "Welcome"},
	}
	for _, test := range tests {
		t.Run(test.state.String(), func(t *testing.T) {
			if err := edge.Origin().Set(test.state); err != nil {
				t.Fatal(err)
			}
			before := time.Now()
			r := get(t, edge, "/")
			checkESA(t, edge, r, before)
			if r.StatusCode != test.status || !strings.Contains(r.body, test.body) || test.body == "" && r.body != "" {
				t.Errorf("got %d %q, want %d %q", r.StatusCode, r.body, test.status, test.body)
			}
		})
	}
}

func TestOriginPastTheEdge(t *testing.T) {
	edge := start(t, edgetest.Options{})
	direct := func() (reply, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, edge.Origin().URL()+"/api/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		return ask(edge, req)
	}
	r, err := direct()
	if err != nil {
		t.Fatal(err)
	}
	if header(r, "Server") != "nginx" || r.body != `{"status":"ok"}`+"\n" {
		t.Errorf("got %q from %q, want the shop's JSON from nginx", r.body, header(r, "Server"))
	}
	if edge.Requests() != 0 || edge.Origin().Requests() != 1 {
		t.Errorf("edge saw %d requests, origin %d; want 0, 1", edge.Requests(), edge.Origin().Requests())
	}
	if err := edge.Origin().Set(edgetest.OriginStopped()); err != nil {
		t.Fatal(err)
	}
	if _, err := direct(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a stopped origin gave %v, want connection refused", err)
	}
}

func TestOriginHandlerAndRequestPassThrough(t *testing.T) {
	type seen struct{ host, path, forwarded, body string }
	got := make(chan seen, 1)
	edge := start(t, edgetest.Options{Origin: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Host, r.URL.String(), r.Header.Get("X-Forwarded-For"), string(body)}
		w.Header().Set("X-App", "yes")
		w.WriteHeader(http.StatusTeapot)
	})})
	r := get(t, edge, "/a%2Fb?q=1", func(req *http.Request) {
		req.Method, req.Host = http.MethodPost, "shop.invalid"
		req.Body = io.NopCloser(strings.NewReader("hello"))
	})
	if r.StatusCode != http.StatusTeapot || header(r, "X-App") != "yes" || header(r, "Server") != "ESA" {
		t.Errorf("got %d, headers %v", r.StatusCode, r.Header)
	}
	if want := (seen{"shop.invalid", "/a%2Fb?q=1", "127.0.0.1", "hello"}); <-got != want {
		t.Errorf("the origin did not see %+v", want)
	}
}

func TestKnownVisitorGetsNoNewCookie(t *testing.T) {
	edge := start(t, edgetest.Options{})
	r := get(t, edge, "/", func(req *http.Request) { req.AddCookie(&http.Cookie{Name: "acw_tc", Value: "x"}) })
	if got := header(r, "Set-Cookie"); got != "" {
		t.Errorf("Set-Cookie = %q, want none", got)
	}
}

func TestHeadHasNoBody(t *testing.T) {
	edge := start(t, edgetest.Options{})
	r := get(t, edge, "/status/502", func(req *http.Request) { req.Method = http.MethodHead })
	if r.StatusCode != 502 || r.body != "" || r.ContentLength <= 0 {
		t.Errorf("got %d, body %q, length %d; want 502, no body, a length", r.StatusCode, r.body, r.ContentLength)
	}
}

func TestTLS(t *testing.T) {
	edge := start(t, edgetest.Options{TLS: true, Hosts: []string{"shop.invalid"}})
	before := time.Now()
	r := get(t, edge, "/")
	checkESA(t, edge, r, before)
	if r.Proto != "HTTP/2.0" || r.StatusCode != 200 {
		t.Errorf("got %s %d, want HTTP/2.0 200", r.Proto, r.StatusCode)
	}
	if err := r.TLS.PeerCertificates[0].VerifyHostname("shop.invalid"); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(string(edge.CAPEM()), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("CAPEM = %q", edge.CAPEM())
	}
}

func TestExpiredCertificate(t *testing.T) {
	edge := start(t, edgetest.Options{TLS: true, CertExpires: time.Now().Add(-time.Hour)})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, edge.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(edge, req); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v, want an expired certificate", err)
	}
}

func TestNewRefuses(t *testing.T) {
	taken := start(t, edgetest.Options{})
	for name, opts := range map[string]edgetest.Options{
		"a taken port":         {Addr: taken.Addr()},
		"a taken origin port":  {OriginAddr: taken.Addr()},
		"an IPv6 node address": {NodeIP: netip.MustParseAddr("2001:db8::1")},
	} {
		if edge, err := edgetest.New(opts); err == nil {
			edge.Close()
			t.Errorf("%s was taken", name)
		} else if !strings.HasPrefix(err.Error(), "start edge: ") {
			t.Errorf("%s gave %q", name, err)
		}
	}
}

// TestConcurrent changes everything while many clients ask; the race detector
// and the leak check of TestMain judge it.
func TestConcurrent(t *testing.T) {
	edge := start(t, edgetest.Options{})
	var clients, changer sync.WaitGroup
	stop := make(chan struct{})
	changer.Go(func() {
		states := []edgetest.OriginState{edgetest.OriginUp(), edgetest.OriginFailing(500), edgetest.OriginStopped(), edgetest.OriginHanging()}
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			edge.Set(edgetest.Status(500 + i%100))
			edge.SetPath("/a", edgetest.Healthy())
			if err := edge.Origin().Set(states[i%len(states)]); err != nil {
				t.Error(err)
				return
			}
			edge.Reset()
		}
	})
	for range 8 {
		clients.Go(func() {
			for range 20 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, edge.URL()+"/a", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if r, err := ask(edge, req); err != nil {
					t.Errorf("the edge gave no answer: %v", err)
				} else if r.StatusCode < 200 {
					t.Errorf("status = %d", r.StatusCode)
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	changer.Wait()
	if got := edge.Requests(); got != 160 {
		t.Errorf("edge counted %d requests, want 160", got)
	}
}

// TestCloseEndsWhatHangs closes an edge under requests that wait for ever.
func TestCloseEndsWhatHangs(t *testing.T) {
	for _, withTLS := range []bool{false, true} {
		edge := start(t, edgetest.Options{TLS: withTLS, ReadTimeout: time.Hour})
		if err := edge.Origin().Set(edgetest.OriginHanging()); err != nil {
			t.Fatal(err)
		}
		edge.SetPath("/slow", edgetest.SlowOrigin(time.Minute))
		var clients sync.WaitGroup
		for _, path := range []string{"/", "/", "/slow"} {
			clients.Go(func() {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, edge.URL()+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if r, err := ask(edge, req); err == nil {
					t.Errorf("got %d from an edge that closed, want an error", r.StatusCode)
				}
			})
		}
		for edge.Requests() < 3 || edge.Origin().Requests() < 2 {
			time.Sleep(time.Millisecond)
		}
		edge.Close()
		edge.Close()
		clients.Wait()
		goleak.VerifyNone(t)
		if err := edge.Origin().Set(edgetest.OriginUp()); err == nil {
			t.Error("a closed origin came back")
		}
	}
}
