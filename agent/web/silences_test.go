package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

const silencesPath = "/api/v1/silences"

// ask sends a request with a body to the server's silences.
func (sc *scene) ask(t *testing.T, method, path, body string, edit func(*http.Request)) answer {
	t.Helper()
	return do(t, request(t, method, sc.Addr(), silencesPath+path, func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
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
}

// TestAPISilenceCounts holds that whoever mistypes a name is told that no check is
// like that. What depends on the alert to come may fit.
func TestAPISilenceCounts(t *testing.T) {
	alone, among := newScene(t, nil), newClusterScene(t, newMates())
	for _, tt := range []struct {
		matchers string
		sc       *scene
		want     int
	}{
		{`"site=shop"`, alone, 2},
		{`"site=shpo"`, alone, 0},
		{`"check=login"`, alone, 1},
		{`"team=storefront"`, alone, 3},
		{`"team=storefronts"`, alone, 0},
		{`"alertname=EsawatchCheckFailed"`, alone, 3},
		{`"site=shop", "condition=522"`, alone, 2},
		{`"condition=598"`, alone, 3},
		{`"condition=5222"`, alone, 0},
		{`"condition=~\"5..\"", "severity!=info"`, alone, 3},
		{`"severity=critcal"`, alone, 0},
		{`"fault=origin_link"`, alone, 3},
		{`"fault=orgin"`, alone, 0},
		{`"location=fra-1"`, alone, 3},
		{`"location=elsewhere"`, alone, 0},
		{`"site=shop", "location=elsewhere"`, among, 2},
	} {
		added := decode[silenceJSON](t, tt.sc.ask(t, "POST", "", `{"matchers": [`+tt.matchers+`], "duration": "2h", "author": "ana"}`, nil), 201)
		if added.Checks == nil {
			t.Fatalf("%s: it is not said how many checks", tt.matchers)
		}
		if got := *added.Checks; got != tt.want {
			t.Errorf("%s: %d checks, want %d", tt.matchers, got, tt.want)
		}
	}
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

// goWords are in the errors of encoding/json, and in no sentence for people.
var goWords = regexp.MustCompile(`json:|Go (struct|value)|silenceRequest|unmarshal|EOF|invalid character|parsing time|strconv|\^\(\?s:`)

func TestAPISilenceErrors(t *testing.T) {
	sc := newScene(t, nil)
	for _, tt := range []struct {
		name, body string
		status     int
		want       string // in the detail
		pointer    string // of the first error, "-" for no errors
	}{
		{"nothing", ``, 400, "the body is empty, want a JSON object", ""},
		{"blanks", " \n", 400, "the body is empty, want a JSON object", ""},
		{"no JSON", `site=shop`, 400, `the body is not JSON: line 1, column 1, near "site=shop"`, ""},
		{"no JSON far in", "{\n  \"matchers\": [site=shop]}", 400, `the body is not JSON: line 2, column 16, near "site=shop]}"`, ""},
		{"a comma too many", `{"matchers": [],}`, 400, `column 17, near "}"`, ""},
		{"cut off", `{"matchers": [`, 400, "the body ends in the middle of its JSON", ""},
		{"an array", `[]`, 400, "the body is an array, want a JSON object", ""},
		{"a text", `"site=shop"`, 400, "the body is a text, want a JSON object", ""},
		{"null", `null`, 400, "the body is null, want a JSON object", ""},
		{"another alphabet", "{\"comment\": \"\xff\"}", 400, "the body is not UTF-8", ""},
		{"more after it", `{"matchers": ["site=shop"], "duration": "1h", "author": "a"} {}`, 400, `nothing after it: line 1, column 61, near " {}"`, ""},
		{"a misspelled field", `{"matchers": ["site=shop"], "durration": "1h"}`, 400, `unknown field "durration": did you mean "duration"?`, "#/durration"},
		{"another case", `{"matchers": ["site=shop"], "Duration": "1h"}`, 400, `unknown field "Duration": did you mean "duration"?`, "#/Duration"},
		{"a field from elsewhere", `{"matchers": ["site=shop"], "duration": "1h", "startsAt": "now"}`, 400, `unknown field "startsAt": known: matchers, duration, until, author, comment`, "#/startsAt"},
		{"a field with a path", `{"a/b~c": 1}`, 400, `unknown field "a/b~c"`, "#/a~1b~0c"},
		{"a field twice", `{"matchers": ["site=shop"], "duration": "1h", "duration": "2h"}`, 400, `"duration" is given twice`, "#/duration"},
		{"matchers as Alertmanager's API has them", `{"matchers": [{"name": "site", "value": "shop"}], "duration": "1h"}`, 400, `matchers[0] is an object, want a text such as "site=shop"`, "#/matchers/0"},
		{"matchers that are none", `{"matchers": "site=shop", "duration": "1h"}`, 400, `matchers is a text, want an array of texts such as ["site=shop"]`, "#/matchers"},
		{"null for matchers", `{"matchers": null, "duration": "1h"}`, 400, `matchers is null, want`, "#/matchers"},
		{"a number for a duration", `{"matchers": ["site=shop"], "duration": 3600}`, 400, `duration is a number, want a text such as "2h"`, "#/duration"},
		{"a boolean for an author", `{"matchers": ["site=shop"], "duration": "1h", "author": true}`, 400, `author is a boolean, want a text such as "ana"`, "#/author"},
		{"a day for until", `{"matchers": ["site=shop"], "until": "tomorrow", "author": "a"}`, 400, `until is "tomorrow", want a time as RFC 3339 has it`, "#/until"},
		{"several at once", `{"matchers": [1, "site=shop", {}], "duration": 1}`, 400, `duration is a number, want a text such as "2h"; matchers[0] is a number`, "#/duration"},
		{"no matchers", `{"duration": "1h", "author": "a"}`, 400, "0 matchers", "-"},
		{"no operator", `{"matchers": ["site=shop", "shop"], "duration": "1h"}`, 400, `matchers[1]: matcher "shop": no operator`, "#/matchers/1"},
		{"no expression", `{"matchers": ["site=~\"(\""], "duration": "1h"}`, 400, "matchers[0]: not a regular expression of RE2: missing closing )", "#/matchers/0"},
		{"everything", `{"matchers": ["site=~\".*\""], "duration": "1h", "author": "a"}`, 400, "fit everything", "-"},
		{"no end", `{"matchers": ["site=shop"], "author": "a"}`, 400, "either a duration or until", ""},
		{"two ends", `{"matchers": ["site=shop"], "duration": "1h", "until": "2100-01-01T00:00:00Z", "author": "a"}`, 400, "either a duration or until", ""},
		{"no unit", `{"matchers": ["site=shop"], "duration": "10", "author": "a"}`, 400, "it has no unit", "#/duration"},
		{"no duration", `{"matchers": ["site=shop"], "duration": "", "author": "a"}`, 400, "duration: ", "#/duration"},
		{"negative", `{"matchers": ["site=shop"], "duration": "-1h", "author": "a"}`, 400, "negative", "#/duration"},
		{"over already", `{"matchers": ["site=shop"], "until": "2020-01-01T00:00:00Z", "author": "a"}`, 400, "over already", "-"},
		{"forever", `{"matchers": ["site=shop"], "duration": "100w", "author": "a"}`, 400, "longer than a year", "-"},
		{"nobody's", `{"matchers": ["site=shop"], "duration": "1h"}`, 400, "want an author", "-"},
		{"too large", `{"comment": "` + strings.Repeat("x", maxSilenceBody) + `"}`, 413, "the body is too large, want at most 65536 bytes", "-"},
		{"deep", strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), 400, `unknown field "a"`, "#/a"},
		{"deeper", strings.Repeat("[", 20000), 400, "the body is not JSON", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := decode[problemJSON](t, sc.ask(t, "POST", "", tt.body, nil), tt.status)
			if !strings.Contains(p.Detail, tt.want) || goWords.MatchString(p.Detail) || len(p.Detail) > 2000 {
				t.Errorf("detail %q, want %q in it", p.Detail, tt.want)
			}
			if tt.pointer == "-" && p.Errors != nil || tt.pointer != "-" && (len(p.Errors) == 0 || p.Errors[0].Pointer != tt.pointer) {
				t.Errorf("errors %+v, want the first to point to %q", p.Errors, tt.pointer)
			}
		})
	}
	if p := decode[problemJSON](t, sc.ask(t, "DELETE", "/none", "", nil), 404); !strings.Contains(p.Detail, `"none": no such silence`) {
		t.Errorf("detail %q", p.Detail)
	}
	decode[problemJSON](t, sc.ask(t, "POST", "?dry=1", anHour, nil), 400)
	decode[problemJSON](t, sc.ask(t, "DELETE", "/none?x=1", "", nil), 400)
	if got := get(t, sc.Server, silencesPath).body; got != "[]\n" {
		t.Errorf("something was added: %s", got)
	}
}

// TestAPISilenceContentType: what a page can send elsewhere without asking
// first, a form or a text, is not read.
func TestAPISilenceContentType(t *testing.T) {
	sc := newScene(t, nil)
	for sent, want := range map[string]int{
		"application/json": 201, "Application/JSON; charset=utf-8": 201,
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415,
		"application/json-patch+json": 415, "text/plain; application/json": 415, "application/json, text/plain": 415,
	} {
		got := sc.ask(t, "POST", "", anHour, func(r *http.Request) { r.Header.Set("Content-Type", sent) })
		if got.StatusCode != want {
			t.Errorf("%q: got %d %s, want %d", sent, got.StatusCode, got.body, want)
		}
	}
}

// TestAPISilenceCutOff: a body that does not come whole is not taken.
func TestAPISilenceCutOff(t *testing.T) {
	sc := newScene(t, nil)
	c, err := net.Dial("tcp", sc.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", silencesPath, len(anHour)+9, anHour); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var p problemJSON
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || p.Status != 400 || p.Detail != "the body did not arrive whole" {
		t.Errorf("got %+v, %v", p, err)
	}
}

// FuzzSilenceBody: whatever is sent, the errors are sentences and point
// somewhere, and what is taken is as the description says.
func FuzzSilenceBody(f *testing.F) {
	for _, seed := range []string{
		anHour, `{}`, `[]`, `{"matchers": ["a=~\"(\""]}`, `{"until": "2026-11-24T18:00:00+08:00", "matchers": []}`, `{"a": 1, "a": 2}`, "{\"\xff\": 1}",
		`{"matchers": [1, {}, null], "duration": null, "author": ["x"]}`, `{"duration": "1h", "duration": 2}`, `{"matchers":["site=\u0000"],"duration":"1h"} x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		one, faults := parseSilence(body, now)
		for _, fault := range faults {
			if fault.Detail == "" || !utf8.ValidString(fault.Detail) || len(fault.Detail) > 4000 {
				t.Errorf("detail %q", fault.Detail)
			}
			if fault.Pointer != "" && !strings.HasPrefix(fault.Pointer, "#") {
				t.Errorf("pointer %q", fault.Pointer)
			}
		}
		if len(faults) > 0 {
			return
		}
		for _, m := range one.Matchers {
			if again, err := incident.ParseMatcher(m.String()); err != nil || again.String() != m.String() {
				t.Errorf("%q is read again as %q, %v", m, again, err)
			}
		}
		if n := len(one.Matchers); n < 1 || n > 20 {
			return // the keeper refuses it
		}
		if err := descriptionOf(t).valid(string(body), "components", "schemas", "SilenceRequest"); err != nil {
			t.Errorf("taken, but not described: %v", err)
		}
	})
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
