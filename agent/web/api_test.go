package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

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
		t.Fatalf("%s: got %d %s, want %d %s: %s", a.Request.URL, a.StatusCode, a.Header.Get("Content-Type"), status, mediaType, a.body)
	}
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s: %v: %s", a.Request.URL, err, a.body)
	}
	return v
}

type problemJSON struct {
	Title, Detail string
	Status        int
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
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/incidents?state=closed"), 400)
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/incidents?limit=0"), 400)
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/incidents?limit=many"), 400)
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
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/catalog?lang=fr"), 400)
}

func TestAPIRun(t *testing.T) {
	sc := newScene(t, nil)
	const path = "/api/v1/checks/shop/login/run"
	post := func(path string, edit func(*http.Request)) answer {
		t.Helper()
		return do(t, request(t, "POST", sc.Addr(), path, edit))
	}
	browser := func(r *http.Request) { r.Header.Set("Accept", "text/html,application/xhtml+xml") }

	if got := post(path, nil); got.StatusCode != 202 || got.body != `{"site":"shop","check":"login"}`+"\n" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
	if len(sc.ran) != 1 || sc.ran[0] != "shop/login" {
		t.Errorf("ran %q", sc.ran)
	}
	got := post(path, browser)
	if to, err := got.Location(); got.StatusCode != 303 || err != nil || to.RequestURI() != "/sites/shop" || to.Fragment != "check-login" {
		t.Errorf("a browser: got %d, led to %v, %v", got.StatusCode, to, err)
	}
	for _, path := range []string{"/api/v1/checks/shop/none/run", "/api/v1/checks/none/home/run", "/api/v1/checks/a%2Fb/home/run"} {
		decode[problemJSON](t, post(path, nil), 404)
	}
	if len(sc.ran) != 2 {
		t.Errorf("ran %q", sc.ran)
	}
	for err, want := range map[error]int{schedule.ErrBusy: 409, schedule.ErrUnknown: 404, schedule.ErrStopped: 503, errors.New("odd"): 503} {
		sc.runErr = err
		if p := decode[problemJSON](t, post(path, nil), want); p.Detail != err.Error() {
			t.Errorf("detail %q, want %q", p.Detail, err)
		}
	}
	sc.runErr = schedule.ErrBusy
	if got := post(path, browser); got.StatusCode != 303 {
		t.Errorf("a browser and a busy check: got %d, want to be led to where its result will be", got.StatusCode)
	}
	sc.runErr = schedule.ErrStopped
	if got := post(path, browser); got.StatusCode != 503 || !strings.Contains(got.body, "Back to the site") {
		t.Errorf("a browser: got %d %s", got.StatusCode, got.body)
	}
	before := len(sc.ran)
	got = post(path, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	decode[problemJSON](t, got, 403)
	if len(sc.ran) != before {
		t.Error("another site's page had it run")
	}
}

// TestRunNeedsALoopbackListener: no button, and no answer to those who try.
func TestRunNeedsALoopbackListener(t *testing.T) {
	sc := newScene(t, func(o *Options) { o.Listen = "0.0.0.0:0" })
	decode[problemJSON](t, do(t, request(t, "POST", sc.Addr(), "/api/v1/checks/shop/home/run", nil)), 403)
	if len(sc.ran) != 0 {
		t.Error("it ran")
	}
	page := get(t, sc.Server, "/sites/shop")
	has(t, page, "Checks cannot be run from here: changes over HTTP need web.listen on a loopback address")
	lacks(t, page, "<form")
}

func TestAPIErrors(t *testing.T) {
	sc := newScene(t, nil)
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/nothing"), 404)
	decode[problemJSON](t, get(t, sc.Server, "/api/"), 404)
	for path, allowed := range map[string]string{"/api/v1/results": "POST", "/api/v1/checks/shop/home/run": "GET"} {
		got := do(t, request(t, allowed, sc.Addr(), path, nil))
		decode[problemJSON](t, got, 405)
		if allow := got.Header.Get("Allow"); allow == "" || allow == allowed {
			t.Errorf("%s %s: Allow %q", allowed, path, allow)
		}
	}
}

// TestAPIResultsOfOldClocks: what was observed in an impossible time still shows.
func TestAPIResultsOfOldClocks(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "", func(r *checks.Result) { r.StartedAt = time.Time{} })
	has(t, get(t, sc.Server, "/"), "100 %")
	has(t, get(t, sc.Server, "/sites/shop"), "Last 1 results")
}
