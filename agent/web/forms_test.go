package web

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/schedule"
)

// post sends a form as a browser does from one of our own pages.
func post(t *testing.T, s *Server, path string, form url.Values, edit func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr().String()+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	req.Header.Set("Origin", "http://"+s.Addr().String())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if edit != nil {
		edit(req)
	}
	return do(t, req)
}

// follow loads where a form led to.
func follow(t *testing.T, s *Server, a answer) answer {
	t.Helper()
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d, want 303:\n%s", a.StatusCode, a.body)
	}
	u, err := a.Request.URL.Parse(a.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return get(t, s, u.RequestURI())
}

func TestSilenceForm(t *testing.T) {
	sc := newScene(t, nil)
	has(t, get(t, sc.Server, "/silences?site=shop&check=login"), "Nothing is muted.", `name="site" value="shop"`, `name="check" value="login"`, `<option value="2h" selected>`, `<form class="fields" id="silence" method="post" action="./silences">`)
	form := url.Values{"site": {"shop"}, "check": {"login"}, "duration": {"4h"}, "author": {"Ana"}, "comment": {hostile}, "more": {" team=storefront \n\n"}}
	page := follow(t, sc.Server, post(t, sc.Server, "/silences", form, nil))
	list := sc.keeper.Silences().List()
	if len(list) != 1 || len(list[0].Matchers) != 3 || list[0].Comment != hostile {
		t.Fatalf("made %+v", list)
	}
	has(t, page, "Silenced for 3 h 59 min.", "by <b>Ana</b>", `site=&#34;shop&#34;`, `action="./silences/`+list[0].ID+`/expire"`, `<span class="count">`)
	lacks(t, page, "<script>alert", "<img")
	has(t, get(t, sc.Server, "/"), "Muted now", "by <b>Ana</b>")

	page = follow(t, sc.Server, post(t, sc.Server, "/silences/"+list[0].ID+"/expire", nil, nil))
	has(t, page, "The silence has ended.", "Nothing is muted.", "Over")
	lacks(t, page, "Silenced for", "/expire")
	// Its link says so no longer, since it is not true any more.
	lacks(t, get(t, sc.Server, "/silences?added="+list[0].ID), "Silenced for")
	if got := post(t, sc.Server, "/silences/none/expire", nil, nil); got.StatusCode != 404 || !strings.Contains(got.body, "no such silence") {
		t.Errorf("of none: got %d", got.StatusCode)
	}
}

// TestSilenceSentTwice: two clicks make one silence, another reason another.
func TestSilenceSentTwice(t *testing.T) {
	sc := newScene(t, nil)
	form := url.Values{"site": {"shop"}, "duration": {"1h"}, "author": {"Ana"}, "comment": {"new origin"}}
	for range 2 {
		has(t, follow(t, sc.Server, post(t, sc.Server, "/silences", form, nil)), "Silenced for 59 min.")
	}
	if n := len(sc.keeper.Silences().List()); n != 1 {
		t.Errorf("%d silences, want 1", n)
	}
	for field, value := range map[string]string{"site": "blog", "duration": "2h", "author": "Ben", "comment": "another"} {
		other := maps.Clone(form)
		other.Set(field, value)
		post(t, sc.Server, "/silences", other, nil)
	}
	if n := len(sc.keeper.Silences().List()); n != 5 {
		t.Errorf("%d silences, want 5", n)
	}
}

func TestBadSilenceForms(t *testing.T) {
	sc := newScene(t, nil)
	good := url.Values{"site": {"shop"}, "duration": {"1h"}, "author": {"Ana"}, "comment": {"new origin"}}
	for name, tt := range map[string]struct{ field, value, want string }{
		"no site":      {"site", "", "Say what to silence"},
		"bad matcher":  {"more", "team", "no operator"},
		"bad duration": {"duration", "soon", "Duration: "},
		"no duration":  {"duration", "", "Duration: "},
		"backwards":    {"duration", "-1h", "uration"},
		"nobody":       {"author", " ", "Want an author"},
		"no reason":    {"comment", "", "Want a reason"},
		"all alerts":   {"more", `site=~".*"`, ""},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		form.Set(tt.field, tt.value)
		if name == "all alerts" {
			form.Set("site", "")
			tt.want = "fit everything"
		}
		got := post(t, sc.Server, "/silences", form, nil)
		if got.StatusCode != 400 || !strings.Contains(got.body, "Nothing was silenced.") || !strings.Contains(got.body, tt.want) || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s: got %d, want 400 with %q:\n%s", name, got.StatusCode, tt.want, got.body)
		}
		if name != "no reason" && !strings.Contains(got.body, `value="new origin"`) {
			t.Errorf("%s: the form has lost what was filled in", name)
		}
	}
	long := url.Values{"comment": {strings.Repeat("x", maxForm)}}
	if got := post(t, sc.Server, "/silences", long, nil); got.StatusCode != 413 {
		t.Errorf("a book: got %d, want 413", got.StatusCode)
	}
	if n := len(sc.keeper.Silences().List()); n != 0 {
		t.Errorf("%d silences came of it", n)
	}
}

func TestRunForm(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "", nil)
	led := post(t, sc.Server, "/sites/shop/checks/home/run", nil, nil)
	if to := led.Header.Get("Location"); !strings.HasPrefix(to, "../../../../sites/shop?at=") || !strings.HasSuffix(to, "&ran=home#check-home") {
		t.Errorf("led to %q", to)
	}
	has(t, follow(t, sc.Server, led), "It runs now")
	if len(sc.ran) != 1 || sc.ran[0] != "shop/home" {
		t.Errorf("ran %q", sc.ran)
	}
	sc.runErr = schedule.ErrBusy // it runs already: what was wanted
	has(t, follow(t, sc.Server, post(t, sc.Server, "/sites/shop/checks/home/run", nil, nil)), "It runs now")
	sc.clock = time.Now()
	sc.observe(t, "shop/home", "522", nil)
	page := follow(t, sc.Server, led)
	has(t, page, "It ran: <b>522 Connection timed out in 200 ms</b>.")
	lacks(t, page, "It runs now")
	lacks(t, get(t, sc.Server, "/sites/shop?ran=home&at=1"), "It ran", "It runs")

	sc.runErr = schedule.ErrStopped
	if got := post(t, sc.Server, "/sites/shop/checks/home/run", nil, nil); got.StatusCode != 503 || !strings.Contains(got.body, "The check was not run") {
		t.Errorf("while it stops: got %d", got.StatusCode)
	}
	if got := post(t, sc.Server, "/sites/shop/checks/none/run", nil, nil); got.StatusCode != 404 {
		t.Errorf("of none: got %d", got.StatusCode)
	}
	// Who comes back to it by the address bar.
	if got := get(t, sc.Server, "/sites/shop/checks/home/run"); got.StatusCode != 303 || got.Header.Get("Location") != "../../../../" {
		t.Errorf("GET: got %d, led to %q", got.StatusCode, got.Header.Get("Location"))
	}
}

// TestFormsAreGuarded: nothing is changed for another site's page, under a
// borrowed name, or where anyone can reach us, and a page says why.
func TestFormsAreGuarded(t *testing.T) {
	for name, tt := range map[string]struct {
		listen string
		edit   func(*http.Request)
		want   string
	}{
		"another site":  {"127.0.0.1:0", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, "another site"},
		"another page":  {"127.0.0.1:0", func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http://evil.example") }, "another site"},
		"borrowed name": {"127.0.0.1:0", func(r *http.Request) { r.Host = "evil.example"; r.Header.Set("Origin", "http://evil.example") }, "evil.example"},
		"open to all":   {"0.0.0.0:0", nil, "web.listen on a loopback address"},
	} {
		t.Run(name, func(t *testing.T) {
			sc := newScene(t, func(o *Options) { o.Listen = tt.listen })
			one, err := sc.keeper.Silences().Add(t.Context(), incident.Silence{Until: time.Now().Add(time.Hour), Author: "ana",
				Matchers: []incident.Matcher{{Name: "site", Op: "=", Value: "shop"}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/silences", "/silences/" + one.ID + "/expire", "/sites/shop/checks/home/run"} {
				got := post(t, sc.Server, path, url.Values{"site": {"blog"}, "duration": {"1h"}, "author": {"eve"}, "comment": {"x"}}, tt.edit)
				if got.StatusCode != 403 || !strings.Contains(got.body, tt.want) {
					t.Errorf("%s: got %d, want 403 with %q:\n%s", path, got.StatusCode, tt.want, got.body)
				}
			}
			list := sc.keeper.Silences().List()
			if len(list) != 1 || !list[0].Active(time.Now()) || len(sc.ran) != 0 {
				t.Errorf("silences %+v, ran %q", list, sc.ran)
			}
			if tt.listen != "127.0.0.1:0" {
				page := get(t, sc.Server, "/silences")
				has(t, page, "No silence can be made from here", "esawatch silence add")
				lacks(t, page, "<form")
				lacks(t, get(t, sc.Server, "/sites/shop"), "<form", "Silence…")
			}
		})
	}
}

// TestMaintenanceIsShown: what is in force, what it covers, and what is to come.
func TestMaintenanceIsShown(t *testing.T) {
	sc := newScene(t, nil)
	for _, name := range []string{"shop/home", "shop/login", "blog/home"} {
		sc.observe(t, name, "", nil)
	}
	now := time.Now()
	site := []incident.Matcher{{Name: "site", Op: "=", Value: "shop"}}
	sc.keeper.SetWindows([]incident.Window{
		{Mute: incident.Mute{Name: "maintenance patching", Matchers: site}, Start: now.Add(-time.Hour), End: now.Add(time.Hour)},
		{Mute: incident.Mute{Name: "maintenance move"}, Start: now.Add(25*time.Hour + time.Minute), End: now.Add(26 * time.Hour)},
		{Mute: incident.Mute{Name: "maintenance past"}, Start: now.Add(-26 * time.Hour), End: now.Add(-25 * time.Hour)},
	})
	page := get(t, sc.Server, "/silences")
	has(t, page, "<b>patching</b>", "2 checks in 1 site", "shop/login", "Maintenance to come", "1 d 1 h", "everything", `id="mute-of-patching"`)
	lacks(t, page, "past</b>")
	page = get(t, sc.Server, "/")
	has(t, page, "Muted now", "maintenance patching until")
	if n := strings.Count(page.body, `badge idle small`); n != 2 {
		t.Errorf("%d checks are marked as muted, want the two of the site", n)
	}
	has(t, get(t, sc.Server, "/sites/shop"), "<b>patching</b>")
	lacks(t, get(t, sc.Server, "/sites/blog"), "<b>patching</b>")
}

func TestMuteCovers(t *testing.T) {
	c := &Check{Name: "login", Labels: map[string]string{"team": "web"}}
	for text, want := range map[string][2]bool{
		"site=shop": {true, true}, "site=blog": {}, "check=~log.*": {true, true}, "location=fra-1": {true, true}, "team=web": {true, true},
		"team=app": {}, "condition=522": {true, false}, "severity!=info": {true, false}, "alertname=EsawatchCheckFailed": {true, true},
	} {
		m, err := incident.ParseMatcher(text)
		if err != nil {
			t.Fatal(err)
		}
		may, sure := (&mute{matchers: []incident.Matcher{m}}).covers("shop", "fra-1", c)
		if may != want[0] || sure != want[1] {
			t.Errorf("%s: may %t, sure %t, want %v", text, may, sure, want)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain <b> 中文 é":              "plain <b> 中文 é",
		"a\x00b\x1b[31mc\r\n":         "a�b�[31mc� ",
		"evil\u202Egnp.exe\u2066":     "evil�gnp.exe�",
		"zero\u200bwidth\ufeff":       "zero�width�",
		"bad \xff utf-8":              "bad � utf-8",
		strings.Repeat("x", 700):      strings.Repeat("x", maxWords) + "…",
		strings.Repeat("中", maxWords): strings.Repeat("中", maxWords),
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
