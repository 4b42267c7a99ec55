package incident

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

var epoch = time.Date(2026, 11, 24, 0, 34, 12, 0, time.UTC)

// result makes a result from a short form: "ok", or a condition, which is
// degraded if the catalog says so. Degraded ones are warnings, others critical.
func result(check, what string, at time.Time) checks.Result {
	r := checks.Result{Site: "shop", Check: check, Location: "fra", StartedAt: at, Outcome: checks.Pass, Success: true}
	if what == "ok" {
		return r
	}
	condition := catalog.Condition(what)
	r.Outcome, r.Success = checks.Fail, false
	severity := catalog.Critical
	if condition.Degrades() {
		r.Outcome, r.Success, severity = checks.Degraded, true, catalog.Warning
	}
	r.Diagnosis = &catalog.Diagnosis{Condition: condition, Severity: severity, Evidence: []string{"status: " + what}}
	return r
}

// story is the events of the site's last incident in a short form.
func story(rec Record) string {
	if len(rec.Incidents) == 0 {
		return ""
	}
	inc := rec.Incidents[len(rec.Incidents)-1]
	var words []string
	for _, e := range inc.Events {
		word := string(e.Kind)
		if e.Check != "" {
			word += ":" + e.Check
		}
		if e.Was != "" || e.Condition != "" {
			word += fmt.Sprintf("(%s>%s)", e.Was, e.Condition)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// states is the states of the checks in a short form.
func states(rec Record) string {
	var words []string
	for check, state := range rec.Checks {
		words = append(words, check+"="+string(state.State))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// Each row feeds results one second apart, written CHECK:CONDITION, with
// "remove:CHECK" for a check that leaves the configuration, "tick:DURATION" for
// a clock that comes by that much later, and CHECK@SECONDS:CONDITION for one
// that started so long before.
func TestMachine(t *testing.T) {
	twice := Policy{Failures: 2, ResolveAfter: 2}
	for _, tt := range []struct {
		name      string
		policy    Policy
		feed      string
		states    string
		story     string
		incidents int
		severity  catalog.Severity // of the last incident
		reason    string
	}{
		{name: "well", policy: twice, feed: "a:ok a:ok b:ok"},
		{name: "one failure is pending", policy: twice, feed: "a:522", states: "a=pending"},
		{name: "a pass clears pending", policy: twice, feed: "a:522 a:ok"},
		{name: "failures count in a row", policy: twice, feed: "a:522 a:ok a:522", states: "a=pending"},
		{name: "no policy fires at once", policy: Policy{}, feed: "a:522 a:ok",
			story: "opened:a(>522) resolved:a(522>)", incidents: 1, severity: "critical", reason: "recovered"},
		{name: "opens", policy: twice, feed: "a:522 a:522", states: "a=firing",
			story: "opened:a(>522)", incidents: 1, severity: "critical"},
		{name: "monika#403 failures count whatever their conditions", policy: Policy{Failures: 3}, feed: "a:522 a:timeout a:503",
			states: "a=firing", story: "opened:a(>503)", incidents: 1, severity: "critical"},
		{name: "more of the same is no event", policy: twice, feed: "a:522 a:522 a:522 a:522", states: "a=firing",
			story: "opened:a(>522)", incidents: 1, severity: "critical"},
		{name: "one pass does not resolve", policy: twice, feed: "a:522 a:522 a:ok a:522 a:ok", states: "a=firing",
			story: "opened:a(>522)", incidents: 1, severity: "critical"},
		{name: "resolves", policy: twice, feed: "a:522 a:522 a:ok a:ok",
			story: "opened:a(>522) resolved:a(522>)", incidents: 1, severity: "critical", reason: "recovered"},
		{name: "a check joins and leaves", policy: twice, feed: "a:522 a:522 b:522 b:522 a:ok a:ok b:ok b:ok",
			story:     "opened:a(>522) joined:b(>522) left:a(522>) resolved:b(522>)",
			incidents: 1, severity: "critical", reason: "recovered"},
		{name: "a check joins again", policy: twice, feed: "a:522 a:522 b:522 b:522 a:ok a:ok a:525 a:525", states: "a=firing b=firing",
			story:     "opened:a(>522) joined:b(>522) left:a(522>) joined:a(>525)",
			incidents: 1, severity: "critical"},
		{name: "a new spell is a new incident", policy: Policy{}, feed: "a:522 a:ok a:525", states: "a=firing",
			story: "opened:a(>525)", incidents: 2, severity: "critical"},
		{name: "the condition changes", policy: twice, feed: "a:522 a:522 a:525", states: "a=firing",
			story: "opened:a(>522) changed:a(522>525)", incidents: 1, severity: "critical"},
		{name: "alternating conditions are told once each way", policy: twice,
			feed:   "a:522 a:522" + strings.Repeat(" a:525 a:522", 50),
			states: "a=firing", story: "opened:a(>522) changed:a(522>525) changed:a(525>522)", incidents: 1, severity: "critical"},
		{name: "degraded is a warning", policy: twice, feed: "a:slow a:slow", states: "a=firing",
			story: "opened:a(>slow)", incidents: 1, severity: "warning"},
		{name: "severity rises", policy: twice, feed: "a:slow a:slow a:522", states: "a=firing",
			story: "opened:a(>slow) changed:a(slow>522) severity:a(>522)", incidents: 1, severity: "critical"},
		{name: "severity does not fall within a spell", policy: twice, feed: "a:slow a:slow a:522 a:slow a:522 a:slow", states: "a=firing",
			story: "opened:a(>slow) changed:a(slow>522) severity:a(>522) changed:a(522>slow)", incidents: 1, severity: "critical"},
		{name: "severity falls when the loud one leaves, and the end has the highest", policy: Policy{}, feed: "a:slow b:522 b:ok",
			states: "a=firing", story: "opened:a(>slow) joined:b(>522) severity:b(>522) left:b(522>)", incidents: 1, severity: "warning"},
		{name: "the end has the highest severity", policy: Policy{}, feed: "a:slow b:522 b:ok a:ok",
			story:     "opened:a(>slow) joined:b(>522) severity:b(>522) left:b(522>) resolved:a(slow>)",
			incidents: 1, severity: "critical", reason: "recovered"},
		{name: "a removed check leaves", policy: Policy{}, feed: "a:522 b:522 remove:a", states: "b=firing",
			story: "opened:a(>522) joined:b(>522) removed:a(522>)", incidents: 1, severity: "critical"},
		{name: "removing the last closes", policy: Policy{}, feed: "a:522 remove:a",
			story: "opened:a(>522) removed:a(522>) resolved:a(522>)", incidents: 1, severity: "critical", reason: "removed"},
		{name: "recovery after a removal", policy: Policy{}, feed: "a:522 b:522 remove:a b:ok",
			story:     "opened:a(>522) joined:b(>522) removed:a(522>) resolved:b(522>)",
			incidents: 1, severity: "critical", reason: "recovered"},
		{name: "removing a pending check", policy: twice, feed: "a:522 remove:a"},
		{name: "removing a well check", policy: Policy{}, feed: "a:522 remove:b", states: "a=firing",
			story: "opened:a(>522)", incidents: 1, severity: "critical"},
		{name: "a late pass does not clear", policy: Policy{}, feed: "a:522 a@30:ok", states: "a=firing",
			story: "opened:a(>522)", incidents: 1, severity: "critical"},
		{name: "a duplicate does not count", policy: twice, feed: "a:522 a@1:522", states: "a=pending"},
		{name: "a clock set back blinds nobody", policy: Policy{}, feed: "a:522 a@3600:ok",
			story: "opened:a(>522) resolved:a(522>)", incidents: 1, severity: "critical", reason: "recovered"},
		{name: "a reminder", policy: Policy{}, feed: "a:522 tick:1h tick:4h tick:4h1m", states: "a=firing",
			story: "opened:a(>522) reminder", incidents: 1, severity: "critical"},
		{name: "no reminder once resolved", policy: Policy{}, feed: "a:522 a:ok tick:5h",
			story: "opened:a(>522) resolved:a(522>)", incidents: 1, severity: "critical", reason: "recovered"},
		{name: "our own failure is told, as a warning", policy: twice, feed: "a:internal_error a:internal_error", states: "a=firing",
			story: "opened:a(>internal_error)", incidents: 1, severity: "warning"},
		{name: "our own failure does not count with real ones", policy: twice, feed: "a:522 a:internal_error", states: "a=pending"},
		{name: "our own failure does not clear a real one", policy: twice, feed: "a:522 a:internal_error a:522", states: "a=firing",
			story: "opened:a(>522)", incidents: 1, severity: "critical"},
		{name: "a real failure after our own starts its count", policy: twice, feed: "a:internal_error a:522", states: "a=pending"},
		{name: "our own failure is no news of a firing check", policy: twice, feed: "a:522 a:522 a:ok a:internal_error a:ok",
			story: "opened:a(>522) resolved:a(522>)", incidents: 1, severity: "critical", reason: "recovered"},
		{name: "a real failure raises our own", policy: Policy{}, feed: "a:internal_error a:522", states: "a=firing",
			story: "opened:a(>internal_error) changed:a(internal_error>522) severity:a(>522)", incidents: 1, severity: "critical"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, now := Record{}, epoch
			for step := range strings.FieldsSeq(tt.feed) {
				now = now.Add(time.Second)
				rec = feed(t, rec, step, now, tt.policy)
			}
			if got := states(rec); got != tt.states {
				t.Errorf("states %q, want %q", got, tt.states)
			}
			if got := story(rec); got != tt.story {
				t.Errorf("story %q\n want %q", got, tt.story)
			}
			if len(rec.Incidents) != tt.incidents {
				t.Fatalf("%d incidents, want %d", len(rec.Incidents), tt.incidents)
			}
			if tt.incidents > 0 {
				last := rec.Incidents[tt.incidents-1]
				if last.Severity != tt.severity || last.Reason != tt.reason || last.Open() != (tt.reason == "") {
					t.Errorf("severity %q, reason %q, open %t, want %q, %q", last.Severity, last.Reason, last.Open(), tt.severity, tt.reason)
				}
			}
		})
	}
}

// feed takes one step of TestMachine, and holds every one to what must always
// be so.
func feed(t *testing.T, rec Record, step string, now time.Time, p Policy) Record {
	t.Helper()
	subject, what, _ := strings.Cut(step, ":")
	before := clone(t, rec)
	old := rec
	var next Record
	var save bool
	switch subject {
	case "remove":
		next, save = Remove(rec, func(check string) bool { return check != what }, now)
	case "tick":
		later, err := time.ParseDuration(what)
		if err != nil {
			t.Fatal(err)
		}
		next, save = Tick(rec, now.Add(later), Timings{RepeatInterval: 4 * time.Hour})
	default:
		check, ago, _ := strings.Cut(subject, "@")
		if ago != "" {
			back, err := time.ParseDuration(ago + "s")
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(-back)
		}
		next, save = Next(rec, result(check, what, now), p)
	}
	if diff := cmp.Diff(before, old); diff != "" {
		t.Errorf("%s changed its input:\n%s", step, diff)
	}
	if !save && seqs(next) != seqs(old) {
		t.Errorf("%s made an event that need not be saved", step)
	}
	if diff := cmp.Diff(next, clone(t, next)); diff != "" {
		t.Errorf("%s: the record is not the same from the store:\n%s", step, diff)
	}
	return next
}

// clone is the record as it comes back from the store.
func clone(t interface{ Fatal(...any) }, rec Record) Record {
	raw, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	var back Record
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func seqs(rec Record) (n int) {
	for _, inc := range rec.Incidents {
		n += inc.Seq
	}
	return n
}

func TestPassingAllocatesNothing(t *testing.T) {
	rec, _ := Next(Record{}, result("a", "522", epoch), Policy{})
	r, p := result("b", "ok", epoch), Policy{Failures: 3, ResolveAfter: 2}
	var save bool
	if n := testing.AllocsPerRun(100, func() { rec, save = Next(rec, r, p) }); n != 0 || save {
		t.Errorf("a pass of a check that is well: %v allocations, save %t, want 0 and false", n, save)
	}
}

// What is not saved is no loss: only the newest result of what is known.
func TestMoreOfTheSameIsNotSaved(t *testing.T) {
	p := Policy{Failures: 2}
	rec := Record{}
	for i, want := range []bool{true, true, false, false} {
		var save bool
		if rec, save = Next(rec, result("a", "522", epoch.Add(time.Duration(i)*time.Second)), p); save != want {
			t.Errorf("result %d: save %t, want %t", i, save, want)
		}
	}
	if got := rec.Incidents[0].Alerts["a"].Result.StartedAt; !got.Equal(epoch.Add(3 * time.Second)) {
		t.Errorf("the alert shows the result of %v, want the newest", got)
	}
}

func TestAConditionThatStaysIsTold(t *testing.T) {
	p := Policy{}
	now, rec := epoch, Record{}
	for _, what := range []string{"522", "525", "522", "525"} {
		now = now.Add(time.Minute)
		rec, _ = Next(rec, result("a", what, now), p)
	}
	for range 20 {
		now = now.Add(time.Minute)
		rec, _ = Next(rec, result("a", "525", now), p)
	}
	want := "opened:a(>522) changed:a(522>525) changed:a(525>522) changed:a(522>525)"
	if got := story(rec); got != want {
		t.Errorf("story %q\n want %q", got, want)
	}
	if at := rec.Incidents[0].Events[3].At.Sub(epoch); at != 14*time.Minute {
		t.Errorf("told after %v, want when it had held for ten minutes", at)
	}
}

func TestLocations(t *testing.T) {
	at := func(seconds int, location, what string) checks.Result {
		r := result("a", what, epoch.Add(time.Duration(seconds)*time.Second))
		r.Location = location
		return r
	}
	run := func(p Policy, results ...checks.Result) (rec Record) {
		for _, r := range results {
			rec, _ = Next(rec, r, p)
		}
		return rec
	}
	two := Policy{Quorum: 2, Locations: []string{"fra", "sin"}}

	if got := states(run(two, at(1, "fra", "522"), at(2, "fra", "522"))); got != "a=pending" {
		t.Errorf("one of a quorum of two: %s, want pending", got)
	}
	both := run(two, at(1, "fra", "522"), at(1, "sin", "525"))
	if got := states(both); got != "a=firing" {
		t.Errorf("two of two: %s, want firing", got)
	}
	if got := both.Incidents[0].Alerts["a"].Conditions; !slices.Equal(got, []catalog.Condition{"522", "525"}) {
		t.Errorf("conditions %q, want those of both locations", got)
	}
	one := run(two, at(1, "fra", "522"), at(1, "sin", "525"), at(2, "fra", "ok"))
	if states(one) != "a=pending" || one.Incidents[0].Open() {
		t.Errorf("one of two left: %s, open %t, want pending and resolved", states(one), one.Incidents[0].Open())
	}
	renamed := run(Policy{}, at(1, "pod-1", "522"), at(2, "pod-2", "ok"))
	if states(renamed) != "" || renamed.Incidents[0].Open() {
		t.Errorf("after the only location was renamed: %q, open %t, want it to recover", states(renamed), renamed.Incidents[0].Open())
	}
	gone, _ := Next(both, at(2, "sin", "ok"), Policy{Locations: []string{"sin"}})
	if states(gone) != "" || gone.Incidents[0].Open() {
		t.Errorf("after a location was given up: %q, open %t, want it to recover", states(gone), gone.Incidents[0].Open())
	}
	// A quorum lowered by a reload is no reason to fire on a pass.
	lowered, _ := Next(run(two, at(1, "fra", "522")), at(2, "sin", "ok"), Policy{Locations: two.Locations})
	if got := states(lowered); got != "a=pending" {
		t.Errorf("a pass under a lower quorum: %s, want pending", got)
	}
	lowered, _ = Next(lowered, at(3, "fra", "522"), Policy{Locations: two.Locations})
	if got := states(lowered); got != "a=firing" {
		t.Errorf("the next failure under a lower quorum: %s, want firing", got)
	}
}

// A check that does its worst for a long time makes a record of bounded size.
func TestBounds(t *testing.T) {
	rec, now := Record{}, epoch
	step := func(check string, r checks.Result) {
		now = now.Add(time.Minute)
		r.Check, r.StartedAt = check, now
		rec, _ = Next(rec, r, Policy{})
	}
	huge := strings.Repeat("é", 50_000)
	fail := func(code int) checks.Result {
		r := result("", fmt.Sprint(code), now)
		r.URL = huge
		r.TLS = &checks.TLS{Issuer: huge, Subject: huge}
		r.Diagnosis.Summary, r.Diagnosis.Verdict = huge, huge
		for range 100 {
			r.Diagnosis.Evidence = append(r.Diagnosis.Evidence, huge)
		}
		return r
	}
	step("keep", fail(500))
	for i := range 1000 {
		step("a", fail(500+i%100))
		if i%3 == 0 {
			step("a", result("", "ok", now))
		}
	}
	inc := rec.Incidents[0]
	if len(rec.Incidents) != 1 || len(inc.Events) != maxEvents {
		t.Errorf("%d incidents, %d events, want 1 and %d", len(rec.Incidents), len(inc.Events), maxEvents)
	}
	if inc.Events[0].Seq != 1 || inc.Events[maxEvents-1].Seq != inc.Seq || inc.Seq <= maxEvents {
		t.Errorf("events %d to %d of %d, want the first and the newest", inc.Events[0].Seq, inc.Events[maxEvents-1].Seq, inc.Seq)
	}
	if !slices.IsSortedFunc(inc.Events, func(a, b Event) int { return a.Seq - b.Seq }) {
		t.Error("events are not in order")
	}
	if n := len(inc.Alerts["a"].Conditions); n != maxConditions {
		t.Errorf("%d conditions, want %d", n, maxConditions)
	}
	raw, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 150_000 {
		t.Errorf("record of %d bytes, want at most 150000", len(raw))
	}
	if strings.Contains(string(raw), `\ufffd`) {
		t.Error("a text was cut in the middle of a character")
	}
}

func TestID(t *testing.T) {
	var rec Record
	at := time.Date(2026, 11, 24, 0, 34, 12, 345, time.FixedZone("", 8*3600))
	id := rec.newID("shop", at)
	if again := rec.newID("shop", at); again != id {
		t.Errorf("%q, then %q, want the same", id, again)
	}
	if !strings.HasPrefix(id, "shop-20261123T163412Z-") || len(id) != len("shop-20261123T163412Z-abcdef") {
		t.Errorf("id %q, want shop-20261123T163412Z- and six digits", id)
	}
	rec.Incidents = []Incident{{ID: id}}
	if other := rec.newID("shop", at); other == id {
		t.Errorf("%q is taken", other)
	}
	long := strings.Repeat("x", 63)
	if a, b := rec.newID(long, at), rec.newID(long[:62]+"y", at); len(a) != 63 || a == b {
		t.Errorf("ids %q and %q of long names, want two of 63 characters", a, b)
	}
}

// Two futures of one record do not write into each other.
func TestFutures(t *testing.T) {
	rec, now := Record{}, epoch
	next := func(rec Record, what string) Record {
		now = now.Add(time.Second)
		rec, _ = Next(rec, result("a", what, now), Policy{})
		return rec
	}
	for i := range 15 {
		one := next(rec, fmt.Sprint(500+i))
		before := clone(t, one)
		next(rec, "timeout")
		if diff := cmp.Diff(before, one); diff != "" {
			t.Fatalf("with %d conditions:\n%s", i+1, diff)
		}
		rec = one
	}
}

func TestSince(t *testing.T) {
	rec, p := Record{}, Policy{Failures: 2}
	for i, check := range []string{"slow", "quick", "quick", "slow"} {
		rec, _ = Next(rec, result(check, "522", epoch.Add(time.Duration(i)*time.Second)), p)
	}
	inc := rec.Incidents[0]
	if !inc.Since.Equal(epoch) || !inc.OpenedAt.Equal(epoch.Add(2*time.Second)) {
		t.Errorf("since %v, opened %v, want the first failure of all and the first confirmation", inc.Since, inc.OpenedAt)
	}
}
