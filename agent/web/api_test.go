package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// decode reads an answer of the API, which must be as it says it is.
func decode[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	mediaType := "application/json"
	if status >= 400 {
		mediaType = "application/problem+json"
	}
	if a.StatusCode != status || a.Header.Get("Content-Type") != mediaType {
		t.Fatalf("%s: got %d %s, want %d %s: %s", a.Request.URL, a.StatusCode, a.Header.Get("Content-Type"), status, mediaType, clip(a.body, 500))
	}
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s: %v: %s", a.Request.URL, err, clip(a.body, 500))
	}
	return v
}

func TestAPIResults(t *testing.T) {
	sc := newScene(t, nil)
	if got := get(t, sc.Server, "/api/v1/results"); got.body != "[]\n" {
		t.Errorf("with no results: %q, want an empty array", got.body)
	}
	sc.observe(t, "blog/home", "", nil)
	sc.observe(t, "shop/login", "", nil)
	sc.observe(t, "shop/login", "522", nil)
	all := decode[[]checks.Result](t, get(t, sc.Server, "/api/v1/results"), 200)
	if len(all) != 2 || all[0].Check != "login" || all[0].Condition() != "522" || all[1].Site != "blog" {
		t.Errorf("got %+v, want the newest of each check in the order of the configuration", all)
	}
	if !all[0].StartedAt.Equal(sc.clock) || len(all[0].Diagnosis.Steps) == 0 {
		t.Errorf("not the whole result: %+v", all[0])
	}
	if one := decode[[]checks.Result](t, get(t, sc.Server, "/api/v1/results?site=blog"), 200); len(one) != 1 || one[0].Site != "blog" {
		t.Errorf("of a site: %+v", one)
	}
	if p := decode[problemJSON](t, get(t, sc.Server, "/api/v1/results?site=none"), 404); p.Status != 404 || p.Title != "Not Found" || !strings.Contains(p.Detail, `"none"`) {
		t.Errorf("of a site that is not there: %+v", p)
	}
}

func TestAPIIncidents(t *testing.T) {
	sc := newScene(t, nil)
	if got := get(t, sc.Server, "/api/v1/incidents"); got.body != "[]\n" {
		t.Errorf("with none: %q, want an empty array", got.body)
	}
	for _, name := range []string{"shop/home", "blog/home"} {
		for range 2 {
			sc.observe(t, name, "522", nil)
		}
	}
	for range 2 {
		sc.observe(t, "shop/home", "", nil)
	}
	type incidents = []incidentJSON
	all := decode[incidents](t, get(t, sc.Server, "/api/v1/incidents"), 200)
	if len(all) != 2 || all[0].Site != "blog" || all[0].State != "open" || all[1].State != "resolved" {
		t.Fatalf("got %+v, want the open one first", all)
	}
	open, over := all[0], all[1]
	if open.ResolvedAt != nil || over.ResolvedAt == nil || over.Reason != "recovered" || over.Peak != catalog.Critical {
		t.Errorf("got %+v and %+v", open, over)
	}
	if want := "https://watch.example.com/esa/incidents/" + open.ID; open.URL != want {
		t.Errorf("url %q, want %q", open.URL, want)
	}
	if a := open.Alerts; len(a) != 1 || a[0].State != "firing" || a[0].ResolvedAt != nil || a[0].Result.StatusCode != 522 || a[0].Labels == nil {
		t.Errorf("alerts %+v", a)
	}
	if a := over.Alerts; len(a) != 1 || a[0].State != "resolved" || a[0].ResolvedAt == nil {
		t.Errorf("alerts %+v", a)
	}
	body := get(t, sc.Server, "/api/v1/incidents").body
	for _, private := range []string{"deliveries", "receipt", "0001-01-01"} {
		if strings.Contains(body, private) {
			t.Errorf("%q in %s", private, body)
		}
	}
	for path, want := range map[string]string{
		"?state=open": open.ID, "?state=resolved": over.ID, "?site=shop": over.ID, "?site=blog&state=open": open.ID, "?limit=1": open.ID,
		"?limit=1&state=resolved": over.ID,
	} {
		if got := decode[incidents](t, get(t, sc.Server, "/api/v1/incidents"+path), 200); len(got) != 1 || got[0].ID != want {
			t.Errorf("%s: got %+v, want %s", path, got, want)
		}
	}
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/incidents?site=none"), 404)
}

func TestAPICatalog(t *testing.T) {
	sc := newScene(t, nil)
	all := decode[[]catalog.View](t, get(t, sc.Server, "/api/v1/catalog"), 200)
	if len(all) != len(catalog.Default().Conditions()) {
		t.Errorf("%d entries, want all", len(all))
	}
	zh := decode[[]catalog.View](t, get(t, sc.Server, "/api/v1/catalog?lang=zh&q=522"), 200)
	if len(zh) == 0 || zh[0].Condition != "522" || zh[0].Title != "连接源站超时" {
		t.Errorf("in Chinese: %+v", zh)
	}
}

func TestAPIRun(t *testing.T) {
	sc := newScene(t, nil)
	const path = "/api/v1/checks/shop/login/run"
	post := func(path string, edit func(*http.Request)) answer {
		t.Helper()
		return do(t, request(t, "POST", sc.Addr(), path, edit))
	}
	if got := post(path, nil); got.StatusCode != 202 || got.body != `{"site":"shop","check":"login"}`+"\n" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
	if len(sc.ran) != 1 || sc.ran[0] != "shop/login" {
		t.Errorf("ran %q", sc.ran)
	}
	for _, path := range []string{"/api/v1/checks/shop/none/run", "/api/v1/checks/none/home/run", "/api/v1/checks/a%2Fb/home/run"} {
		decode[problemJSON](t, post(path, nil), 404)
	}
	decode[problemJSON](t, post(path+"?now=1", nil), 400)
	if len(sc.ran) != 1 {
		t.Errorf("ran %q", sc.ran)
	}
	for err, want := range map[error]int{schedule.ErrBusy: 409, schedule.ErrUnknown: 404, schedule.ErrStopped: 503, errors.New("odd"): 503} {
		sc.runErr = err
		got := post(path, nil)
		if p := decode[problemJSON](t, got, want); p.Detail != err.Error() || (want == 503) != (got.Header.Get("Retry-After") != "") {
			t.Errorf("detail %q, want %q; Retry-After %q", p.Detail, err, got.Header.Get("Retry-After"))
		}
	}
	before := len(sc.ran)
	got := post(path, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	decode[problemJSON](t, got, 403)
	if len(sc.ran) != before {
		t.Error("another site's page had it run")
	}
}

// TestRunNeedsALoopbackListener: others are answered with the reason.
func TestRunNeedsALoopbackListener(t *testing.T) {
	sc := newScene(t, func(o *Options) { o.Listen = "0.0.0.0:0" })
	p := decode[problemJSON](t, do(t, request(t, "POST", sc.Addr(), "/api/v1/checks/shop/home/run", nil)), 403)
	if len(sc.ran) != 0 || !strings.Contains(p.Detail, "loopback address") {
		t.Errorf("ran %q, %q", sc.ran, p.Detail)
	}
}

func TestAPIErrors(t *testing.T) {
	sc := newScene(t, nil)
	for _, path := range []string{"/api/v1/nothing", "/api/", "/api/v1/results/", "/api/v1/checks/shop/home"} {
		if p := decode[problemJSON](t, get(t, sc.Server, path), 404); !strings.Contains(p.Detail, "openapi.json") || p.Instance != path {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/api/v1/results", "GET, HEAD"},
		{"OPTIONS", "/api/v1/incidents", "GET, HEAD"},
		{"PUT", "/api/v1/silences", "GET, HEAD, POST"},
		{"DELETE", "/api/v1/silences", "GET, HEAD, POST"},
		{"GET", "/api/v1/silences/x", "DELETE"},
		{"GET", "/api/v1/checks/shop/home/run", "POST"},
		{"QUERY", "/api/v1/catalog", "GET, HEAD"},
	} {
		got := do(t, request(t, tt.method, sc.Addr(), tt.path, nil))
		decode[problemJSON](t, got, 405)
		if allow := got.Header.Get("Allow"); allow != tt.allow {
			t.Errorf("%s %s: Allow %q, want %q", tt.method, tt.path, allow, tt.allow)
		}
	}
}

// TestAPIQueries: a filter that is misspelled is an error, with what is wrong.
func TestAPIQueries(t *testing.T) {
	sc := newScene(t, nil)
	for query, want := range map[string]string{
		"results?sites=shop":           `unknown parameter "sites": did you mean "site"?`,
		"results?x=1":                  `unknown parameter "x": known: site, check, outcome`,
		"results?site=shop&site=blog":  `parameter "site" is given 2 times, want it once`,
		"results?outcome=bad":          `outcome "bad": want pass, degraded or fail`,
		"results?site=%zz":             "the query cannot be read: want NAME=VALUE, joined by &, with all else percent-encoded",
		"results?a;b":                  "the query cannot be read: want NAME=VALUE, joined by &, with all else percent-encoded",
		"results?a=1&b=2":              `unknown parameter "a": known: site, check, outcome; unknown parameter "b": known: site, check, outcome`,
		"openapi.json?x=1":             `unknown parameter "x": there are none here`,
		"incidents?limit=1001":         `limit "1001": want a number from 1 to 1000`,
		"incidents?limit=0&state=shut": `state "shut": want open or resolved; limit "0": want a number from 1 to 1000`,
		"silences?state=old":           `state "old": want active or expired`,
		"catalog?lang=fr":              `lang "fr": want en or zh`,
	} {
		if p := decode[problemJSON](t, get(t, sc.Server, "/api/v1/"+query), 400); p.Detail != want || len(p.Errors) == 0 {
			t.Errorf("%s: detail %q, want %q", query, p.Detail, want)
		}
	}
	if p := decode[problemJSON](t, get(t, sc.Server, "/api/v1/incidents?state=x"), 400); p.Errors[0].Parameter != "state" {
		t.Errorf("errors %+v", p.Errors)
	}
}

func TestAPIAccept(t *testing.T) {
	sc := newScene(t, nil)
	for accept, want := range map[string]int{
		"": 200, "*/*": 200, "application/json": 200, "application/*;q=0.1": 200, "text/html, */*;q=0.8": 200,
		"application/json; charset=utf-8": 200, "text/html": 406, "application/json;q=0, */*": 406, "application/xml, text/*": 406,
	} {
		got := do(t, request(t, "GET", sc.Addr(), "/api/v1/silences", func(r *http.Request) {
			if accept != "" {
				r.Header.Set("Accept", accept)
			}
		}))
		if got.StatusCode != want {
			t.Errorf("Accept %q: got %d, want %d", accept, got.StatusCode, want)
		}
	}
}

// TestAPIHead: the headers alone, of all that has GET.
func TestAPIHead(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "522", nil)
	for _, e := range sc.endpoints() {
		if e.method != "GET" {
			continue
		}
		head := do(t, request(t, "HEAD", sc.Addr(), e.path, nil))
		full := get(t, sc.Server, e.path)
		if head.StatusCode != 200 || head.body != "" || head.Header.Get("Content-Type") != "application/json" {
			t.Errorf("HEAD %s: %d %q %q", e.path, head.StatusCode, head.Header.Get("Content-Type"), head.body)
		}
		cache := full.Header.Get("Cache-Control")
		if stable := full.Header.Get("Etag") != ""; cache != map[bool]string{true: "private, no-cache", false: "no-store"}[stable] || cache != head.Header.Get("Cache-Control") {
			t.Errorf("%s: Cache-Control %q", e.path, cache)
		}
	}
}

// TestAPIIncidentsPage: a list can be gone on with to its end, with nothing
// twice and nothing left out, though many begin in one moment.
func TestAPIIncidentsPage(t *testing.T) {
	sc := newScene(t, nil)
	for range 3 {
		for _, condition := range []catalog.Condition{"522", "522", "", ""} {
			at := sc.clock
			for _, name := range []string{"shop/home", "blog/home"} {
				sc.clock = at
				sc.observe(t, name, condition, nil)
			}
		}
	}
	sc.observe(t, "shop/home", "522", nil)
	sc.observe(t, "shop/home", "522", nil)
	type incidents = []incidentJSON
	all := decode[incidents](t, get(t, sc.Server, "/api/v1/incidents"), 200)
	if len(all) != 7 || all[0].State != "open" {
		t.Fatalf("%d incidents, want 7", len(all))
	}
	for _, limit := range []string{"1", "2", "3", "7"} {
		var paged incidents
		for path := "?limit=" + limit; path != ""; {
			got := get(t, sc.Server, "/api/v1/incidents"+path)
			paged = append(paged, decode[incidents](t, got, 200)...)
			path, _, _ = strings.Cut(strings.TrimPrefix(got.Header.Get("Link"), "<"), ">")
			if len(paged) > 20 {
				t.Fatal("it has no end")
			}
		}
		same := slices.EqualFunc(all, paged, func(a, b incidentJSON) bool { return a.ID == b.ID })
		if !same {
			t.Errorf("limit %s: got %+v, want %+v", limit, paged, all)
		}
	}
	got := decode[incidents](t, get(t, sc.Server, "/api/v1/incidents?site=blog&before="+all[0].ID), 200)
	if len(got) != 3 || got[0].Site != "blog" {
		t.Errorf("of a site: %+v", got)
	}
	if p := decode[problemJSON](t, get(t, sc.Server, "/api/v1/incidents?before=none"), 404); !strings.Contains(p.Detail, `"none"`) {
		t.Errorf("detail %q", p.Detail)
	}
}

// TestAPIResultsFilter by check and by outcome.
func TestAPIResultsFilter(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "blog/home", "slow", nil)
	sc.observe(t, "shop/home", "", nil)
	sc.observe(t, "shop/login", "522", nil)
	for query, want := range map[string][]string{
		"":                         {"shop/home", "shop/login", "blog/home"},
		"?check=home":              {"shop/home", "blog/home"},
		"?check=home&site=shop":    {"shop/home"},
		"?outcome=fail":            {"shop/login"},
		"?outcome=degraded":        {"blog/home"},
		"?outcome=fail&check=home": {},
		"?site=&check=&outcome=":   {"shop/home", "shop/login", "blog/home"},
	} {
		names := []string{}
		for _, r := range decode[[]checks.Result](t, get(t, sc.Server, "/api/v1/results"+query), 200) {
			names = append(names, checks.FullName(r.Site, r.Check))
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: got %q, want %q", query, names, want)
		}
	}
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/results?check=none"), 404)
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/results?check=login&site=blog"), 404)
}

// TestAPIIsBounded: as many lists at once as there is room for, and one more is
// told to come later.
func TestAPIIsBounded(t *testing.T) {
	sc := newScene(t, nil)
	for range maxLists {
		sc.lists <- struct{}{}
	}
	got := get(t, sc.Server, "/api/v1/results")
	decode[problemJSON](t, got, 503)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if got := sc.ask(t, "POST", "", anHour, nil); got.StatusCode != 201 {
		t.Errorf("a change: %d, want it to go through", got.StatusCode)
	}
	<-sc.lists
	decode[[]checks.Result](t, get(t, sc.Server, "/api/v1/results"), 200)
	if len(sc.lists) != maxLists-1 {
		t.Errorf("%d places are taken, want %d", len(sc.lists), maxLists-1)
	}
}

// TestAPIPatience: who would wait for ever is told to come later.
func TestAPIPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		s := &Server{opts: opts, reading: make(chan struct{}, 1), lists: make(chan struct{}, maxLists)}
		s.Show(Content{})
		s.reading <- struct{}{} // somebody reads, and never ends
		w := httptest.NewRecorder()
		began := time.Now()
		s.api().ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/incidents", nil))
		if w.Code != 503 || time.Since(began) != apiPatience {
			t.Errorf("got %d after %v: %s", w.Code, time.Since(began), w.Body)
		}
	})
}

// TestAPIStopsForNobody: a list that nobody reads to its end is not a whole one.
func TestAPIStopsForNobody(t *testing.T) {
	items := func(yield func(any) bool) {
		for range 10000 {
			if !yield(map[string]int{"n": 1}) {
				return
			}
		}
	}
	for _, encoding := range []string{"", "gzip"} {
		func() {
			defer func() {
				if recover() != http.ErrAbortHandler {
					t.Errorf("%q: it went on to the end", encoding)
				}
			}()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Encoding", encoding)
			streamArray(&leaver{ResponseRecorder: httptest.NewRecorder(), left: 100}, r, items)
		}()
	}
}

// leaver is a client that goes away after some bytes.
type leaver struct {
	*httptest.ResponseRecorder
	left int
}

func (d *leaver) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, net.ErrClosed
	}
	return len(b), nil
}

// TestProblemsElsewhere: who asks for JSON gets every error as a problem; who
// does not, a text or a page.
func TestProblemsElsewhere(t *testing.T) {
	sc := newScene(t, func(o *Options) {
		o.Reload = func() error {
			return fmt.Errorf("the configuration has 2 errors:\n%w",
				config.Errors{{File: "a.yaml", Line: 3, Path: "web.listen", Msg: "is wrong"}, {File: "b.yaml", Msg: "is missing"}})
		}
		o.Ready = func() error { return errors.New("the disk is full") }
	})
	json := func(r *http.Request) { r.Header.Set("Accept", "application/json") }
	for _, tt := range []struct {
		method, path string
		edit         func(*http.Request)
		status       int
		detail       string
	}{
		{"GET", "/-/reload", nil, 405, "/-/reload is for POST"},
		{"POST", "/-/ready", nil, 405, "Method Not Allowed"},
		{"GET", "/-/ready", nil, 503, "not ready: the disk is full"},
		{"GET", "/nothing", nil, 404, ""},
		{"GET", "/sites/nothing", nil, 404, ""},
		{"PUT", "/", nil, 405, "Method Not Allowed"},
		{"POST", "/-/reload", func(r *http.Request) { r.Host = "evil.example" }, 403, `host "evil.example" is neither an address nor that of web.external_url`},
		{"GET", "/", func(r *http.Request) { r.Host = "evil.example" }, 403, `host "evil.example" is neither an address nor that of web.external_url`},
		{"POST", "/-/reload", nil, 500, "the configuration was not loaded, the old one stays in force: a.yaml:3: web.listen: is wrong; b.yaml: is missing"},
	} {
		got := do(t, request(t, tt.method, sc.Addr(), tt.path, func(r *http.Request) {
			if json(r); tt.edit != nil {
				tt.edit(r)
			}
		}))
		p := decode[problemJSON](t, got, tt.status)
		if tt.detail != "" && p.Detail != tt.detail || p.Status != tt.status || p.Instance != tt.path {
			t.Errorf("%s %s: %+v, want %q", tt.method, tt.path, p, tt.detail)
		}
		if tt.status == 500 && (len(p.Errors) != 2 || p.Errors[0].Detail != "a.yaml:3: web.listen: is wrong") {
			t.Errorf("errors %+v", p.Errors)
		}
		plain := do(t, request(t, tt.method, sc.Addr(), tt.path, tt.edit))
		if plain.StatusCode != tt.status || strings.Contains(plain.Header.Get("Content-Type"), "json") {
			t.Errorf("%s %s in plain: %d %s", tt.method, tt.path, plain.StatusCode, plain.Header.Get("Content-Type"))
		}
		if plain.Header.Get("Allow") != got.Header.Get("Allow") {
			t.Errorf("%s %s: Allow %q and %q", tt.method, tt.path, plain.Header.Get("Allow"), got.Header.Get("Allow"))
		}
	}
	if page := do(t, request(t, "GET", sc.Addr(), "/", json)); page.StatusCode != 200 || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("what is no error stays: %d %s", page.StatusCode, page.Header.Get("Content-Type"))
	}
}

// TestAPIResultsOfOldClocks: what was observed in an impossible time still shows.
func TestAPIResultsOfOldClocks(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "", func(r *checks.Result) { r.StartedAt = time.Time{} })
	has(t, get(t, sc.Server, "/"), "100 %")
	has(t, get(t, sc.Server, "/sites/shop"), "Last 1 results")
}
