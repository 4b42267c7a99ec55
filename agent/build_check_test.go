package agent

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// ear is a server that remembers what it was asked.
type ear struct {
	*httptest.Server
	mu    sync.Mutex
	asked []heard
}

// heard is a request as it arrived.
type heard struct {
	method, host, path, body, proto, serverName, peer string
	header                                            http.Header
}

// listen starts a server; with TLS, its certificate is one for example.com.
func listen(t *testing.T, secured, http2 bool) *ear {
	t.Helper()
	e := &ear{}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := heard{method: r.Method, host: r.Host, path: r.URL.Path, body: string(body), proto: r.Proto, peer: r.RemoteAddr, header: r.Header}
		if r.TLS != nil {
			h.serverName = r.TLS.ServerName
		}
		e.mu.Lock()
		e.asked = append(e.asked, h)
		e.mu.Unlock()
		switch r.URL.Path {
		case "/token":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"fetched","token_type":"Bearer","expires_in":3600}`)
			return
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
			return
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
			return
		case "/hang":
			<-r.Context().Done()
			return
		}
		time.Sleep(2 * time.Millisecond) // more than the shortest max_duration
		fmt.Fprint(w, "hello, this is the shop")
	}))
	e.EnableHTTP2 = http2
	e.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are meant to fail
	if secured {
		e.TLS = &tls.Config{}
		e.StartTLS()
	} else {
		e.Start()
	}
	t.Cleanup(e.Close)
	return e
}

// address is HOST:PORT of the server.
func (e *ear) address() string { return e.Listener.Addr().String() }

// all are the requests so far.
func (e *ear) all() []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// last is the newest request.
func (e *ear) last(t *testing.T) heard {
	t.Helper()
	asked := e.all()
	if len(asked) == 0 {
		t.Fatal("nothing was asked")
	}
	return asked[len(asked)-1]
}

// caFile is a file with the certificate to trust.
func (e *ear) caFile(t *testing.T) string {
	t.Helper()
	block := &pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw}
	return writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), string(pem.EncodeToMemory(block)))
}

// runFirst runs the first check of a configuration.
func runFirst(t *testing.T, text string) checks.Result {
	t.Helper()
	return planOf(t, text).Checks[0].Run(t.Context())
}

// TestRequestIsTheConfigured has a server say what each setting made of the request.
func TestRequestIsTheConfigured(t *testing.T) {
	bodyFile := writeFile(t, filepath.Join(t.TempDir(), "login.json"), `{"user":"probe"}`)
	tests := []struct {
		check string // its settings
		want  func(heard) bool
	}{
		{`path: /api/login`, func(h heard) bool {
			return h.method == "GET" && h.path == "/api/login" && h.body == "" && h.header.Get("User-Agent") == "esawatch/1.2.3"
		}},
		{`method: POST, body: "a=b"`, func(h heard) bool { return h.method == "POST" && h.body == "a=b" }},
		{`method: PUT, body_file: ` + bodyFile, func(h heard) bool { return h.method == "PUT" && h.body == `{"user":"probe"}` }},
		{`headers: {accept: application/json, X-Tier: gold}`, func(h heard) bool {
			return slices.Equal(h.header["Accept"], []string{"application/json"}) && h.header.Get("X-Tier") == "gold"
		}},
		{`headers: {Host: www.example.com}`, func(h heard) bool { return h.host == "www.example.com" && h.header.Get("Host") == "" }},
		{`headers: {User-Agent: watcher}`, func(h heard) bool { return h.header.Get("User-Agent") == "watcher" }},
		{`auth: {basic: {username: probe, password: pass}}`, func(h heard) bool {
			user, password, ok := (&http.Request{Header: h.header}).BasicAuth()
			return ok && user == "probe" && password == "pass"
		}},
		{`auth: {bearer: {token: secret}}`, func(h heard) bool { return h.header.Get("Authorization") == "Bearer secret" }},
		{`auth: {oauth2: {token_url: "TOKEN_URL", client_id: id, client_secret: s, scopes: [read]}}`,
			func(h heard) bool { return h.header.Get("Authorization") == "Bearer fetched" }},
		{`path: /moved, follow_redirects: false, expect: {status: [302]}`, func(h heard) bool { return h.path == "/moved" }},
		{`path: /moved`, func(h heard) bool { return h.path == "/" }},
		{`http_version: 1.1`, func(h heard) bool { return h.proto == "HTTP/1.1" }},
		{`http_version: 2`, func(h heard) bool { return h.proto == "HTTP/2.0" }},
		{`connection: reuse`, func(h heard) bool { return h.proto == "HTTP/2.0" }},
	}
	for _, test := range tests {
		t.Run(test.check, func(t *testing.T) {
			server := listen(t, true, true)
			tokens := listen(t, false, false)
			text := fmt.Sprintf("sites: [{name: shop, url: 'https://example.com', checks: [{name: home, connect_to: %q, tls: {ca_file: %q}, %s}]}]\n",
				server.address(), server.caFile(t), strings.ReplaceAll(test.check, "TOKEN_URL", tokens.URL+"/token"))
			r := runFirst(t, text)
			if r.Outcome != checks.Pass {
				t.Fatalf("%s: %+v", r.Outcome, r.Diagnosis)
			}
			if h := server.last(t); !test.want(h) {
				t.Errorf("asked %+v", h)
			}
		})
	}
}

// TestLimitsOfTheCheck holds that what bounds a request is what was configured.
func TestLimitsOfTheCheck(t *testing.T) {
	server := listen(t, true, false)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	for _, test := range []struct {
		check   string
		want    catalog.Condition
		alright func(checks.Result) bool // nil: whatever else
	}{
		{"max_body_bytes: 10B", "", func(r checks.Result) bool { return r.BodyBytes == 10 }},
		{"path: /round, max_redirects: 4", catalog.RedirectLoop, func(r checks.Result) bool { return r.Redirects == 4 }},
		{"path: /hang, timeout: 50ms", catalog.Timeout, func(r checks.Result) bool { return r.DurationSeconds < 5 }},
		{"path: /x, connect_to: '" + old.Listener.Addr().String() + "', tls: {insecure_skip_verify: true, min_version: 1.3}", catalog.TLSHandshake, nil},
		{"path: /x, tls: {insecure_skip_verify: true, server_name: www.example.com}", "", nil},
		{"path: /x, tls: {min_version: 1.3}", catalog.TLSUntrusted, nil},
	} {
		t.Run(test.check, func(t *testing.T) {
			settings := test.check
			if !strings.Contains(settings, "tls:") {
				settings += ", tls: {insecure_skip_verify: true}"
			}
			if !strings.Contains(settings, "connect_to:") {
				settings += fmt.Sprintf(", connect_to: %q", server.address())
			}
			r := runFirst(t, "sites: [{name: shop, url: 'https://example.com', checks: [{name: home, "+settings+"}]}]")
			if r.Condition() != test.want || test.alright != nil && !test.alright(r) {
				t.Errorf("condition %q, want %q: %+v", r.Condition(), test.want, r)
			}
		})
	}
	paths, _ := refused(t, "sites: [{name: shop, url: 'http://127.0.0.1', checks: [{name: home, ip_family: 6}]}]")
	if !sameSet(paths, []string{"sites[shop].checks[home].ip_family"}) {
		t.Errorf("an IPv4 address with ip_family 6: complaints about %q", paths)
	}
}

// TestConnectionOfTheCheck counts the connections of two runs.
func TestConnectionOfTheCheck(t *testing.T) {
	for setting, want := range map[string]int{"fresh": 2, "reuse": 1} {
		server := listen(t, false, false)
		check := planOf(t, fmt.Sprintf("sites: [{name: shop, url: %q, checks: [{name: home, connection: %s}]}]", server.URL, setting)).Checks[0]
		for range 2 {
			if r := check.Run(t.Context()); r.Outcome != checks.Pass {
				t.Fatalf("%s: %+v", setting, r.Diagnosis)
			}
		}
		peers := map[string]bool{}
		for _, h := range server.all() {
			peers[h.peer] = true
		}
		if len(peers) != want {
			t.Errorf("%s: two runs made %d connections, want %d", setting, len(peers), want)
		}
	}
}

// TestScopesAreAskedFor reads what the token endpoint was sent.
func TestScopesAreAskedFor(t *testing.T) {
	server := listen(t, false, false)
	r := runFirst(t, fmt.Sprintf("sites: [{name: shop, url: %q, checks: [{name: home, auth: {oauth2: {token_url: %q, client_id: id, client_secret: s, scopes: [read, stock]}}}]}]",
		server.URL, server.URL+"/token"))
	if asked := server.all(); r.Outcome != checks.Pass || len(asked) != 2 || !strings.Contains(asked[0].body, "scope=read+stock") {
		t.Errorf("%s after %+v", r.Outcome, asked)
	}
}

// TestExpectationsOfTheCheck holds that each of them reaches the judge: the
// server's answer meets none.
func TestExpectationsOfTheCheck(t *testing.T) {
	server := listen(t, false, false)
	for expect, want := range map[string]catalog.Condition{
		`status: [404]`:                     catalog.UnexpectedStatus,
		`body_contains: [basket]`:           catalog.BodyMismatch,
		`body_not_contains: [shop]`:         catalog.BodyMismatch,
		`body_matches: ["^shop"]`:           catalog.BodyMismatch,
		`body_not_matches: ["sh.p"]`:        catalog.BodyMismatch,
		`headers: {Content-Type: "json"}`:   catalog.HeaderMismatch,
		`json: {"$.status": ok}`:            catalog.JSONMismatch,
		`expr: ["status_code == 201"]`:      catalog.ExprMismatch,
		`max_duration: 1ms`:                 catalog.Slow,
		`via_esa: true`:                     catalog.NotViaESA,
		`body_contains: [hello], json: {}`:  "",
		`max_duration: 0s, challenge: fail`: "",
	} {
		t.Run(expect, func(t *testing.T) {
			r := runFirst(t, fmt.Sprintf("sites: [{name: shop, url: %q, checks: [{name: home, expect: {%s}}]}]", server.URL, expect))
			if r.Condition() != want {
				t.Errorf("condition %q, want %q: %+v", r.Condition(), want, r.Diagnosis)
			}
		})
	}
}

// TestOriginIsAskedItsOwnWay has an edge and an origin say what each was asked.
func TestOriginIsAskedItsOwnWay(t *testing.T) {
	tests := []struct {
		name          string
		origin, check string // settings beside the address and the trust
		plain         bool   // the origin speaks no TLS
		want          func(edge, origin heard) bool
	}{
		{"the same", "", "headers: {X-Tier: gold}, method: POST, body: 'a=b'", false, func(e, o heard) bool {
			return o.host == "example.com" && o.serverName == "example.com" && o.method == "POST" && o.body == "a=b" &&
				o.header.Get("X-Tier") == "gold" && o.header.Get("User-Agent") == e.header.Get("User-Agent")
		}},
		{"host", "host: origin.invalid, insecure_skip_verify: true", "", false, func(e, o heard) bool {
			return e.host == "example.com" && o.host == "origin.invalid" && o.serverName == "origin.invalid"
		}},
		{"host in place of the check's header", "host: origin.example.com, insecure_skip_verify: true", "headers: {Host: www.example.com}, tls: {insecure_skip_verify: true}", false,
			func(e, o heard) bool { return e.host == "www.example.com" && o.host == "origin.example.com" }},
		{"server name", "server_name: www.example.com, insecure_skip_verify: true", "", false, func(e, o heard) bool {
			return o.host == "example.com" && o.serverName == "www.example.com" && e.serverName == "example.com"
		}},
		{"plain HTTP", "scheme: http", "", true, func(e, o heard) bool {
			return e.serverName == "example.com" && o.serverName == "" && o.host == "example.com"
		}},
		{"credentials", "", "auth: {bearer: {token: secret}}", false, func(e, o heard) bool {
			return e.header.Get("Authorization") == "Bearer secret" && o.header.Get("Authorization") == "Bearer secret"
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			edge, origin := listen(t, true, true), listen(t, !test.plain, false)
			if test.check == "" || !strings.Contains(test.check, "tls:") {
				test.check = strings.TrimPrefix(test.check+fmt.Sprintf(", tls: {ca_file: %q}", edge.caFile(t)), ", ")
			}
			r := runFirst(t, fmt.Sprintf("sites: [{name: shop, url: 'https://example.com', origin: {address: %q, %s}, checks: [{name: home, connect_to: %q, %s}]}]",
				origin.address(), test.origin, edge.address(), test.check))
			if r.Outcome != checks.Pass || r.Origin == nil || !r.Origin.Success {
				t.Fatalf("%s, origin %+v: %+v", r.Outcome, r.Origin, r.Diagnosis)
			}
			if e, o := edge.last(t), origin.last(t); !test.want(e, o) {
				t.Errorf("asked\n  edge %+v\norigin %+v", e, o)
			}
		})
	}
}

// TestOriginOfAnotherScheme holds that the port of the address that visitors
// use says nothing of the origin's, and that the steps name what was asked.
func TestOriginOfAnotherScheme(t *testing.T) {
	origin := listen(t, false, false)
	check := planOf(t, fmt.Sprintf("sites: [{name: shop, url: 'https://example.com:8443/shop', origin: {address: %q, scheme: http}, checks: [{name: home, path: /x}]}]",
		origin.address())).Checks[0]
	if check.Origin.URL != "http://example.com/shop/x" || check.Origin.Addr != origin.address() || check.URL != "https://example.com:8443/shop/x" {
		t.Errorf("url %q, at the origin %q, at %q", check.URL, check.Origin.URL, check.Origin.Addr)
	}
	check.Edge = answering{522}
	r := check.Run(t.Context())
	if h := origin.last(t); h.host != "example.com" || h.path != "/shop/x" || r.Origin == nil || !r.Origin.Success {
		t.Errorf("asked %+v, origin %+v", h, r.Origin)
	}
	same := planOf(t, fmt.Sprintf("sites: [{name: shop, url: 'http://example.com:8080', origin: {address: %q, scheme: http}}]", origin.address())).Checks[0]
	same.Edge = answering{200}
	if same.Run(t.Context()); same.Origin.URL != "" || origin.last(t).host != "example.com:8080" {
		t.Errorf("with the same scheme: url %q, asked %+v", same.Origin.URL, origin.last(t))
	}
}

// TestOriginIsNoEdge holds that nothing is expected of an origin that only an
// edge can give: that would be an outage that there is none.
func TestOriginIsNoEdge(t *testing.T) {
	origin := listen(t, false, false)
	plan := planOf(t, fmt.Sprintf("sites: [{name: shop, url: %q, origin: {address: %q}, checks: [{name: home, expect: {via_esa: true, challenge: fail, cert_valid_for: 14d}}]}]",
		origin.URL, origin.address()))
	r := plan.Checks[0].Run(t.Context())
	if r.Condition() != catalog.NotViaESA || r.Origin == nil || !r.Origin.Success || r.Origin.Condition != "" {
		t.Errorf("condition %q, origin %+v; want the edge alone to be held against ESA", r.Condition(), r.Origin)
	}
}

// TestOriginPastTheProxy holds that the proxy is for the way to the edge.
func TestOriginPastTheProxy(t *testing.T) {
	origin, proxy := listen(t, false, false), listen(t, false, false)
	r := runFirst(t, fmt.Sprintf("sites: [{name: shop, url: 'http://shop.invalid', origin: {address: %q}, checks: [{name: home, proxy_url: %q}]}]",
		origin.address(), proxy.URL))
	if r.Outcome != checks.Pass {
		t.Fatalf("%s: %+v", r.Outcome, r.Diagnosis)
	}
	if len(proxy.all()) != 1 || len(origin.all()) != 1 || origin.last(t).host != "shop.invalid" {
		t.Errorf("the proxy was asked %+v, the origin %+v", proxy.all(), origin.all())
	}
}

// TestBodyFileIsBounded refuses what is too large to send again and again, and
// what has no end.
func TestBodyFileIsBounded(t *testing.T) {
	folder := t.TempDir()
	big := writeFile(t, filepath.Join(folder, "big"), "")
	if err := os.Truncate(big, maxBodyFile+1); err != nil {
		t.Fatal(err)
	}
	most := writeFile(t, filepath.Join(folder, "most"), "")
	if err := os.Truncate(most, maxBodyFile); err != nil {
		t.Fatal(err)
	}
	for file, wrong := range map[string]bool{big: true, most: false, folder: true, filepath.Join(folder, "none"): true, "/dev/zero": true} {
		body, err := bodyOf(&config.Check{Settings: config.Settings{BodyFile: file}})
		if field, _ := errors.AsType[*probe.FieldError](err); wrong && (field == nil || field.Field != "body_file" || body != nil) {
			t.Errorf("%s: %d bytes, error %v, want one about body_file", file, len(body), err)
		}
		if !wrong && (err != nil || len(body) != maxBodyFile) {
			t.Errorf("%s: %d bytes, error %v, want all %d", file, len(body), err, maxBodyFile)
		}
	}
	if body, err := bodyOf(&config.Check{Settings: config.Settings{Body: "a=b"}}); err != nil || string(body) != "a=b" {
		t.Errorf("body %q, %v", body, err)
	}
}

// TestFieldsOfTheOriginHaveTheirPlace holds that what is wrong with an origin
// is told at the origin, not at the check.
func TestFieldsOfTheOriginHaveTheirPlace(t *testing.T) {
	cfg := configOf(t, "sites: [{name: shop, url: 'https://shop.example.com', origin: {address: 'o.example.com:443'}}]")
	site := &cfg.Sites[0]
	for field, want := range map[string]string{
		"timeout":                "sites[shop].checks[home].timeout",
		"tls.ca_file":            "sites[shop].checks[home].tls.ca_file",
		"origin.connect_to":      "sites[shop].origin.address",
		"origin.tls.server_name": "sites[shop].origin.server_name",
		"origin.http_version":    "sites[shop].origin",
	} {
		if got := fieldPath(site, &site.Checks[0], field); got != want {
			t.Errorf("%s is told at %s, want %s", field, got, want)
		}
	}
	err := prefixed("origin.", errors.Join(&probe.FieldError{Field: "a", Err: errors.New("x")}, errors.Join(errors.New("y"), &probe.FieldError{Field: "b", Err: errors.New("z")})))
	var fields []string
	for _, e := range fieldErrors(err) {
		if f, ok := errors.AsType[*probe.FieldError](e); ok {
			fields = append(fields, f.Field)
		} else {
			fields = append(fields, e.Error())
		}
	}
	if want := []string{"origin.a", "y", "origin.b"}; !slices.Equal(fields, want) {
		t.Errorf("fields %q, want %q", fields, want)
	}
	if prefixed("origin.", nil) != nil {
		t.Error("no error becomes one")
	}
}

// TestSecretInURL: what opens something in a check's URL is sent and judged as it is,
// also where a redirect keeps it, and shown nowhere: not in a result, which a server
// may fill with it, nor on a page.
func TestSecretInURL(t *testing.T) {
	const key = "1609459200-0-0-aabb"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/final?"+r.URL.RawQuery, http.StatusFound)
			return
		}
		if r.FormValue("auth_key") != key {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("EagleId", r.FormValue("auth_key"))
		_, _ = fmt.Fprintf(w, "you asked for %s", r.URL)
	}))
	defer server.Close()
	plan := planOf(t, fmt.Sprintf(`
sites:
  - name: shop
    url: %[1]s
    origin: {address: %[2]q}
    checks:
      - name: home
        path: /?auth_key=%[3]s
        expect: {body_contains: [in stock], expr: ['url endsWith "/final?auth_key=%[3]s"']}
`, server.URL, strings.TrimPrefix(server.URL, "http://"), key))
	r := plan.Checks[0].Run(t.Context())
	if r.Condition() != catalog.BodyMismatch {
		t.Errorf("condition %s, want %s", r.Condition(), catalog.BodyMismatch)
	}
	for what, shown := range map[string]any{
		"result": r, "Chinese result": plan.Checks[0].In("zh", r), "pages": contentOf(plan, "").Sites, "check": plan.Checks[0].URL,
	} {
		text, err := json.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), key) || !strings.Contains(string(text), "auth_key=SECRET") {
			t.Errorf("%s: %s", what, text)
		}
		if strings.Contains(string(text), "expr_mismatch") {
			t.Errorf("%s: the URL is not judged as it is: %s", what, text)
		}
	}
}
