package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWith(t *testing.T) {
	c, err := Default().With([]Override{
		{Condition: "503", Severity: Warning, Owner: "storefront team", Title: "Shop is full", Summary: "{host} is full.",
			RunbookURL: "https://wiki.example/503", StepsBefore: []string{"Call Ann."}, StepsAfter: []string{"Tell {host}'s users."}},
		{Condition: "503", StepsBefore: []string{"Call Bob."}},
		{Condition: "522", Steps: []string{"Ring the hoster."}},
		{Condition: "451", Title: "Blocked by law"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{"en", "zh"} {
		d, _ := c.Explain(Query{Edge: *leg("503"), Origin: leg("503"), Host: "shop.example.com", Lang: language})
		want := Diagnosis{Condition: "503", Title: "Shop is full", Fault: FaultOrigin, Owner: "storefront team", Severity: Warning,
			Summary: "shop.example.com is full.", RunbookURL: "https://wiki.example/503"}
		got := d
		got.Evidence, got.Steps, got.Verdict, got.DocURL = nil, nil, "", ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", language, diff)
		}
		plain, _ := Default().Explain(Query{Edge: *leg("503"), Origin: leg("503"), Host: "shop.example.com", Lang: language})
		steps := slices.Concat([]string{"Call Ann.", "Call Bob."}, plain.Steps, []string{"Tell shop.example.com's users."})
		if diff := cmp.Diff(steps, d.Steps); diff != "" {
			t.Errorf("%s: steps (-want +got):\n%s", language, diff)
		}
	}

	// The user's own steps are not mixed with a verdict's; the verdict is still told.
	d, _ := c.Explain(Query{Edge: *leg("522"), Origin: leg(""), CacheStatus: "HIT"})
	if diff := cmp.Diff([]string{"Ring the hoster."}, d.Steps); diff != "" || d.Verdict == "" {
		t.Errorf("steps (-want +got):\n%s\nverdict %q", diff, d.Verdict)
	}

	// A code with no entry gets one, in its place, and the rest of the fallback.
	if e, ok := c.Entry("451"); !ok || e.Title.Zh != "Blocked by law" || len(e.Steps) < 2 || e.Condition != "451" {
		t.Errorf("451: %v, %+v", ok, e)
	}
	order := c.Conditions()
	if i := slices.Index(order, "451"); i < 1 || order[i-1] != "429" || order[i+1] != "499" {
		t.Errorf("451 stands at the wrong place: %v", order)
	}
	if len(c.Entries()) != len(Default().Entries())+1 {
		t.Errorf("got %d entries", len(c.Entries()))
	}

	// What the overrides were applied to is as it was.
	if e, _ := Default().Entry("503"); e.Severity != Critical || e.RunbookURL != "" || e.Title.En != official["503"] {
		t.Errorf("the default catalog changed: %+v", e)
	}
	again, err := c.With([]Override{{Condition: "503", Severity: Info}})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("503")
	f, _ := again.Entry("503")
	if e.Severity != Warning || f.Severity != Info || f.Owner.En != "storefront team" {
		t.Errorf("overrides on top of overrides: %+v, then %+v", e, f)
	}
}

func TestWithNothingIsTheSame(t *testing.T) {
	if c, err := Default().With(nil); c != Default() || err != nil {
		t.Errorf("With(nil) = %p, %v", c, err)
	}
}

func TestWithWrongOverrides(t *testing.T) {
	_, err := Default().With([]Override{
		{Condition: "tls_expird"},
		{Condition: "tls-expired"},
		{Condition: "522", Severity: "loud"},
		{Condition: "600"},
		{Condition: "0522"},
		{Condition: ""},
		{Condition: Condition(strings.Repeat("x", 1<<20))},
	})
	if err == nil {
		t.Fatal("got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{
		`catalog override 1: unknown condition "tls_expird", did you mean "tls_expired"?`,
		`catalog override 2: unknown condition "tls-expired", did you mean "tls_expired"?`,
		`catalog override 3: severity "loud": want info, warning or critical`,
		`catalog override 4: unknown condition "600": want a status code from 400 to 599 or a named condition such as "tls_expired"`,
		`catalog override 5: unknown condition "0522": want a status code from 400 to 599 or a named condition such as "tls_expired"`,
		`catalog override 6: unknown condition "": want a status code from 400 to 599 or a named condition such as "tls_expired"`,
	}
	if diff := cmp.Diff(want, lines[:len(lines)-1]); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if last := lines[len(lines)-1]; len(last) > 300 {
		t.Errorf("an error of %d bytes", len(last))
	}
}

func FuzzWith(f *testing.F) {
	f.Add("503", "warning", "team", "title", "{host} {", "step `{url}`")
	f.Add("5xx", "", "", "", "", "")
	f.Add("tls_expird", "loud", "`", "{", "}", "{{host}}")
	f.Add("451", "info", "", "{origin_ms}", "`{request_id}", "\x00\xff")
	f.Fuzz(func(t *testing.T, condition, severity, owner, title, summary, step string) {
		o := Override{Condition: Condition(condition), Severity: Severity(severity), Owner: owner, Title: title, Summary: summary,
			StepsBefore: []string{step}, Steps: []string{step}, StepsAfter: []string{step}}
		c, err := Default().With([]Override{o, o})
		if err != nil {
			if c != nil || len(err.Error()) > 1000 {
				t.Errorf("With: %v with an error of %d bytes", c, len(err.Error()))
			}
			return
		}
		e, ok := c.Entry(o.Condition)
		if !ok || e.Severity.Rank() == 0 || title != "" && e.Title != both(title) {
			t.Fatalf("Entry(%q) = %+v, %v", condition, e, ok)
		}
		q := known
		q.Edge, q.Origin = Leg{Condition: o.Condition}, leg("")
		if d, ok := c.Explain(q); !ok || d.Condition != o.Condition || len(d.Steps) != 5 {
			t.Errorf("Explain(%q) = %+v, %v", condition, d, ok)
		}
		if c.View(o.Condition, "zh").Condition != o.Condition || len(c.Entries()) < len(Default().Entries()) {
			t.Error("the listing lost an entry")
		}
	})
}

func BenchmarkWith(b *testing.B) {
	o := []Override{{Condition: "503", Severity: Warning, StepsBefore: []string{"Call Ann at {host}."}}}
	for b.Loop() {
		if _, err := Default().With(o); err != nil {
			b.Fatal(err)
		}
	}
}
