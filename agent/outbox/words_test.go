package outbox

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// tale is a record in the making.
type tale struct {
	at  time.Time
	rec incident.Record
}

func (s *tale) after(d time.Duration) *tale { s.at = s.at.Add(d); return s }

func (s *tale) fails(check string, c catalog.Condition, severity catalog.Severity) *tale {
	s.rec, _ = incident.Next(s.rec, checks.Result{
		Site: "shop", Check: check, Location: "fra-1", URL: "https://shop.example.com/" + check, StartedAt: s.at,
		Outcome: checks.Fail, StatusCode: c.StatusCode(),
		Diagnosis: &catalog.Diagnosis{Condition: c, Title: titles[c], Fault: catalog.FaultOriginLink, Owner: "origin team", Severity: severity},
	}, incident.Policy{})
	return s
}

func (s *tale) passes(check string) *tale {
	s.rec, _ = incident.Next(s.rec, checks.Result{Site: "shop", Check: check, Location: "fra-1", StartedAt: s.at, Outcome: checks.Pass}, incident.Policy{})
	return s
}

var titles = map[catalog.Condition]string{
	"522": "Connection timed out", "525": "SSL handshake failed", catalog.Slow: "Slow answer",
}

func TestWording(t *testing.T) {
	begin := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	tales := []struct {
		name string
		told int // the Seq that the receiver was told
		make func(s *tale)
	}{
		{"one check", 0, func(s *tale) { s.fails("login", "522", catalog.Critical) }},
		{"a named condition", 0, func(s *tale) { s.fails("login", catalog.Slow, catalog.Warning) }},
		{"two checks, one condition", 0, func(s *tale) {
			s.fails("login", "522", catalog.Critical).fails("home", "522", catalog.Critical)
		}},
		{"eight checks, five conditions", 1, func(s *tale) {
			for i := range 8 {
				s.fails(fmt.Sprintf("check%d", i), catalog.Condition(fmt.Sprint(500+max(0, i-3))), catalog.Critical)
			}
		}},
		{"change and rise", 1, func(s *tale) {
			s.fails("login", "522", catalog.Warning).after(time.Minute).fails("login", "525", catalog.Critical)
		}},
		{"one leaves, and fails again", 0, func(s *tale) {
			s.fails("login", "522", catalog.Critical).fails("home", "522", catalog.Warning).after(250*time.Second).passes("home").
				after(time.Hour).fails("home", "525", catalog.Warning)
		}},
		{"one leaves", 2, func(s *tale) {
			s.fails("login", "522", catalog.Critical).fails("home", "522", catalog.Warning).after(250 * time.Second).passes("home")
		}},
		{"recovered", 1, func(s *tale) {
			s.fails("login", "522", catalog.Critical).after(2*time.Hour + 5*time.Minute).passes("login")
		}},
		{"over before it was told", 0, func(s *tale) {
			s.fails("login", "522", catalog.Critical).after(2 * time.Second).passes("login")
		}},
		{"removed", 1, func(s *tale) {
			s.fails("login", "522", catalog.Critical)
			s.rec, _ = incident.Remove(s.rec, func(string) bool { return false }, s.at.Add(time.Minute))
		}},
		{"reminder", 1, func(s *tale) {
			s.fails("login", "522", catalog.Critical)
			s.rec, _ = incident.Tick(s.rec, s.at.Add(4*time.Hour), incident.Timings{RepeatInterval: 4 * time.Hour})
		}},
		{"what later rooms tell", 0, func(s *tale) {
			s.fails("login", "522", catalog.Critical)
			for _, kind := range []incident.EventKind{incident.EventFlapping, incident.EventSteady, incident.EventMuted, incident.EventUnmuted} {
				inc := &s.rec.Incidents[0]
				inc.Seq++
				inc.Events = append(inc.Events, incident.Event{Seq: inc.Seq, At: s.at, Kind: kind, Check: "login", Condition: "522"})
			}
		}},
	}
	for _, lang := range []string{"en", "zh"} {
		w := newWriter(Receiver{Name: "oncall", Lang: lang}, "")
		var b strings.Builder
		for _, test := range tales {
			s := &tale{at: begin}
			test.make(s)
			n := w.notification(&s.rec.Incidents[0], incident.Delivery{Seq: test.told})
			fmt.Fprintf(&b, "# %s\n%s %s %s firing=%v %s\n", test.name, n.At.Format(time.TimeOnly), n.Severity, n.Reason, n.Firing, n.Summary)
			for _, a := range n.Alerts {
				fmt.Fprintf(&b, "  * %s %s firing=%v %v\n", a.Check, a.Severity, a.Firing, a.Conditions)
			}
			for _, e := range n.Events {
				fmt.Fprintf(&b, "  %d %s %s %s\n", e.Seq, e.At.Format(time.TimeOnly), e.Kind, e.Text)
			}
		}
		golden(t, "wording."+lang+".txt", b.String())
	}
}

func TestNotificationOfASample(t *testing.T) {
	at := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	opened, resolved, err := Sample(Receiver{Name: "oncall", Lang: "en"}, "https://watch.example.com/esa/", at)
	if err != nil {
		t.Fatal(err)
	}
	// The catalog's words are its own affair.
	for _, n := range []*notify.Notification{&opened, &resolved} {
		a := &n.Alerts[0]
		if a.Title == "" || a.Summary == "" || len(a.Steps) == 0 || a.Verdict == "" || a.Owner == "" || a.DocURL == "" {
			t.Errorf("the sample teaches too little: %+v", a)
		}
		a.Summary, a.Steps, a.Verdict, a.Owner, a.DocURL = "…", []string{"…"}, "…", "…", "https://…"
	}
	text, err := json.MarshalIndent([]notify.Notification{opened, resolved}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.json", string(text)+"\n")
}

func TestNotificationSharesNothing(t *testing.T) {
	s := &tale{at: time.Now()}
	s.fails("login", "522", catalog.Critical)
	inc := s.rec.Incidents[0]
	a := inc.Alerts["login"]
	a.Labels = map[string]string{"team": "web"}
	a.Result.Diagnosis.Steps = []string{"look"}
	inc.Alerts["login"] = a
	receipt := map[string]string{"ts": "1"}
	n := newWriter(Receiver{}, "").notification(&inc, incident.Delivery{Receipt: receipt})
	n.Receipt["ts"], n.Alerts[0].Labels["team"], n.Alerts[0].Steps[0] = "x", "x", "x"
	if receipt["ts"] != "1" || a.Labels["team"] != "web" || a.Result.Diagnosis.Steps[0] != "look" {
		t.Error("a receiver can change the record")
	}
}

func TestPages(t *testing.T) {
	for external, want := range map[string]string{
		"":                                  "",
		"http://127.0.0.1:9522":             "http://127.0.0.1:9522/incidents/a%2Fb",
		"https://watch.example.com/esa/":    "https://watch.example.com/esa/incidents/a%2Fb",
		"https://watch.example.com/esa?x=1": "https://watch.example.com/esa/incidents/a%2Fb?x=1",
	} {
		if got := newWriter(Receiver{}, external).page("incidents", "a/b"); got != want {
			t.Errorf("page below %q: %q, want %q", external, got, want)
		}
	}
	for check, want := range map[string]string{
		"https://shop.example.com:8443/a?b=c": "https://shop.example.com:8443", "https://u:p@shop.example.com": "https://shop.example.com", "%": "", "": "",
	} {
		if got := siteURL(check); got != want {
			t.Errorf("site of %q: %q, want %q", check, got, want)
		}
	}
}

func TestEveryLanguageHasEveryPhrase(t *testing.T) {
	en, zh := reflect.ValueOf(phrasesFor("en")), reflect.ValueOf(phrasesFor("zh"))
	for i := range en.NumField() {
		name, a, b := en.Type().Field(i).Name, en.Field(i).String(), zh.Field(i).String()
		if a == "" || b == "" || strings.Count(a, "%s") != strings.Count(b, "%s") {
			t.Errorf("%s: %q in English, %q in Chinese", name, a, b)
		}
	}
}
