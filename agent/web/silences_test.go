package web

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

const silencesPath = "/api/v1/silences"

// ask sends a request with a body to the server's silences.
func (sc *scene) ask(t *testing.T, method, path, body string, edit func(*http.Request)) answer {
	t.Helper()
	return do(t, request(t, method, sc.Addr(), silencesPath+path, func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(body))
		if edit != nil {
			edit(r)
		}
	}))
}

func TestAPISilences(t *testing.T) {
	sc := newScene(t, nil)
	if got := get(t, sc.Server, silencesPath); got.StatusCode != 200 || got.body != "[]\n" {
		t.Errorf("with none: %d %q, want an empty array", got.StatusCode, got.body)
	}
	began := time.Now()
	added := decode[silenceJSON](t, sc.ask(t, "POST", "",
		`{"matchers": ["site=\"shop\"", "check =~ \"log.*\"", "severity!=warning"], "duration": "2h", "author": "ana", "comment": "new origin"}`, nil), 201)
	if want := []string{`site="shop"`, `check=~"log.*"`, `severity!="warning"`}; !slices.Equal(added.Matchers, want) {
		t.Errorf("matchers %q, want %q", added.Matchers, want)
	}
	if lasts := added.Until.Sub(began); lasts < 2*time.Hour || lasts > 2*time.Hour+time.Minute {
		t.Errorf("it lasts %v, want 2h", lasts)
	}
	if added.ID == "" || added.State != "active" || added.Author != "ana" || added.Comment != "new origin" || added.CreatedAt.Before(began.Round(0)) {
		t.Errorf("got %+v", added)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	second := decode[silenceJSON](t, sc.ask(t, "POST", "", fmt.Sprintf(`{"matchers": ["site=shop", "check!~\"a|b\""], "until": %q, "author": "bo"}`, until.Format(time.RFC3339)), nil), 201)
	if !second.Until.Equal(until) {
		t.Errorf("it lasts until %v, want %v", second.Until, until)
	}

	type list = []silenceJSON
	ids := func(path string) (ids []string) {
		t.Helper()
		for _, one := range decode[list](t, get(t, sc.Server, silencesPath+path), 200) {
			ids = append(ids, one.ID)
		}
		return ids
	}
	if got := ids(""); !slices.Equal(got, []string{added.ID, second.ID}) {
		t.Errorf("listed %q, want %q and %q", got, added.ID, second.ID)
	}
	over := decode[silenceJSON](t, sc.ask(t, "DELETE", "/"+added.ID, "", nil), 200)
	if over.State != "expired" || over.Until.After(time.Now()) {
		t.Errorf("after its end: %+v", over)
	}
	again := decode[silenceJSON](t, sc.ask(t, "DELETE", "/"+added.ID, "", nil), 200)
	if !again.Until.Equal(over.Until) {
		t.Errorf("ended again: %v, want it to stay %v", again.Until, over.Until)
	}
	if active, expired := ids("?state=active"), ids("?state=expired"); !slices.Equal(active, []string{second.ID}) || !slices.Equal(expired, []string{added.ID}) {
		t.Errorf("active %q, expired %q", active, expired)
	}
	decode[problemJSON](t, get(t, sc.Server, silencesPath+"?state=old"), 400)
}

// TestAPISilenceMutes: what is added is what the keeper decides by.
func TestAPISilenceMutes(t *testing.T) {
	sc := newScene(t, nil)
	decode[silenceJSON](t, sc.ask(t, "POST", "", `{"matchers": ["site=shop"], "duration": "1h", "author": "ana"}`, nil), 201)
	for _, name := range []string{"shop/home", "blog/home"} {
		for range 2 {
			sc.observe(t, name, "522", nil)
		}
	}
	for site, want := range map[string]bool{"shop": true, "blog": false} {
		inc := decode[[]incidentJSON](t, get(t, sc.Server, "/api/v1/incidents?site="+site), 200)
		if len(inc) != 1 {
			t.Fatalf("%s has %d incidents, want 1: a mute does not keep one from being recorded", site, len(inc))
		}
		if e := inc[0].Events[0]; e.Kind != incident.EventOpened || e.Quiet != want {
			t.Errorf("%s is told quietly: %v, want %v: %+v", site, e.Quiet, want, e)
		}
	}
}

func TestAPISilenceErrors(t *testing.T) {
	sc := newScene(t, nil)
	for _, tt := range []struct {
		name, body string
		status     int
		want       string // in the detail
	}{
		{"nothing", ``, 400, "it is empty"},
		{"no JSON", `site=shop`, 400, "invalid character"},
		{"cut off", `{"matchers": [`, 400, "unexpected EOF"},
		{"more after it", `{"matchers": ["site=shop"], "duration": "1h", "author": "a"} {}`, 400, "nothing after it"},
		{"a misspelled field", `{"matchers": ["site=shop"], "durration": "1h"}`, 400, `"durration"`},
		{"matchers of another kind", `{"matchers": [{"name": "site"}], "duration": "1h"}`, 400, "matchers"},
		{"no matchers", `{"duration": "1h", "author": "a"}`, 400, "0 matchers"},
		{"no operator", `{"matchers": ["shop"], "duration": "1h"}`, 400, "no operator"},
		{"no expression", `{"matchers": ["site=~\"(\""], "duration": "1h"}`, 400, "not a regular expression"},
		{"everything", `{"matchers": ["site=~\".*\""], "duration": "1h", "author": "a"}`, 400, "fit everything"},
		{"no end", `{"matchers": ["site=shop"], "author": "a"}`, 400, "either a duration or until"},
		{"two ends", `{"matchers": ["site=shop"], "duration": "1h", "until": "2100-01-01T00:00:00Z", "author": "a"}`, 400, "either a duration or until"},
		{"no unit", `{"matchers": ["site=shop"], "duration": "10", "author": "a"}`, 400, "it has no unit"},
		{"negative", `{"matchers": ["site=shop"], "duration": "-1h", "author": "a"}`, 400, "negative"},
		{"over already", `{"matchers": ["site=shop"], "until": "2020-01-01T00:00:00Z", "author": "a"}`, 400, "over already"},
		{"forever", `{"matchers": ["site=shop"], "duration": "100w", "author": "a"}`, 400, "longer than a year"},
		{"nobody's", `{"matchers": ["site=shop"], "duration": "1h"}`, 400, "want an author"},
		{"too large", `{"comment": "` + strings.Repeat("x", maxSilenceBody) + `"}`, 413, "too large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := decode[problemJSON](t, sc.ask(t, "POST", "", tt.body, nil), tt.status)
			if !strings.Contains(p.Detail, tt.want) {
				t.Errorf("detail %q, want %q in it", p.Detail, tt.want)
			}
		})
	}
	if p := decode[problemJSON](t, sc.ask(t, "DELETE", "/none", "", nil), 404); !strings.Contains(p.Detail, `"none": no such silence`) {
		t.Errorf("detail %q", p.Detail)
	}
	for _, tt := range []struct{ method, path, allow string }{{"PUT", "", "GET, POST"}, {"DELETE", "", "GET, POST"}, {"GET", "/x", "DELETE"}} {
		got := sc.ask(t, tt.method, tt.path, "", nil)
		decode[problemJSON](t, got, 405)
		if allow := got.Header.Get("Allow"); allow != tt.allow {
			t.Errorf("%s %s: Allow %q, want %q", tt.method, tt.path, allow, tt.allow)
		}
	}
	if got := get(t, sc.Server, silencesPath).body; got != "[]\n" {
		t.Errorf("something was added: %s", got)
	}
}

const anHour = `{"matchers": ["site=shop"], "duration": "1h", "author": "ana"}`

func TestAPISilencesAreGuarded(t *testing.T) {
	sc := newScene(t, nil)
	one := decode[silenceJSON](t, sc.ask(t, "POST", "", anHour, nil), 201)
	for name, edit := range map[string]func(*http.Request){
		"another site's page":       func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a name made to point here": func(r *http.Request) { r.Host = "evil.example" },
	} {
		t.Run(name, func(t *testing.T) {
			decode[problemJSON](t, sc.ask(t, "POST", "", anHour, edit), 403)
			decode[problemJSON](t, sc.ask(t, "DELETE", "/"+one.ID, "", edit), 403)
		})
	}
	if list := decode[[]silenceJSON](t, get(t, sc.Server, silencesPath), 200); len(list) != 1 || list[0].State != "active" {
		t.Errorf("got %+v, want the one, active", list)
	}
}

// TestAPISilencesWhereAnyoneCanReach: they may be read, but changed only by who
// gave a password, whose name is the author's.
func TestAPISilencesWhereAnyoneCanReach(t *testing.T) {
	open := newScene(t, func(o *Options) { o.Listen = "0.0.0.0:0" })
	if p := decode[problemJSON](t, open.ask(t, "POST", "", anHour, nil), 403); !strings.Contains(p.Detail, "loopback") {
		t.Errorf("detail %q, want the reason", p.Detail)
	}
	decode[[]silenceJSON](t, get(t, open.Server, silencesPath), 200)

	closed := newScene(t, func(o *Options) { o.Listen, o.ConfigFile = "0.0.0.0:0", file(t, "auth.yml", basicAuth) })
	const nobodys = `{"matchers": ["site=shop"], "duration": "1h"}`
	if got := closed.ask(t, "POST", "", nobodys, nil); got.StatusCode != 401 {
		t.Errorf("with no password: %d, want 401", got.StatusCode)
	}
	one := decode[silenceJSON](t, closed.ask(t, "POST", "", nobodys, func(r *http.Request) { r.SetBasicAuth("admin", password) }), 201)
	if one.Author != "admin" {
		t.Errorf("the author is %q, want admin", one.Author)
	}
}

// TestAPISilenceNotSaved: what would be gone with the next start is not promised.
func TestAPISilenceNotSaved(t *testing.T) {
	kv := memstore.New()
	sc := newScene(t, func(o *Options) { o.Incidents = incident.NewKeeper(kv, incident.Options{}) })
	one := decode[silenceJSON](t, sc.ask(t, "POST", "", anHour, nil), 201)
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	for _, got := range []answer{sc.ask(t, "POST", "", anHour, nil), sc.ask(t, "DELETE", "/"+one.ID, "", nil)} {
		if p := decode[problemJSON](t, got, 503); !strings.Contains(p.Detail, "it could not be saved: ") || !strings.Contains(p.Detail, "store is closed") {
			t.Errorf("detail %q", p.Detail)
		}
	}
	if list := decode[[]silenceJSON](t, get(t, sc.Server, silencesPath), 200); len(list) != 1 || list[0].State != "active" {
		t.Errorf("got %+v, want the one that was saved, active", list)
	}
}
