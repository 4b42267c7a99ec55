package incident

import (
	"slices"
	"testing"
)

// toldAlone is what an agent on its own told somebody of.
func toldAlone(t *testing.T) Record {
	t.Helper()
	rec := seenFrom(Policy{Single: true}, from("fra", "522", 0))
	id := rec.Incidents[0].ID
	rec = must(t)(Begin(rec, Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: at(5)}))
	return must(t)(Told(rec, Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: at(6)}, map[string]string{"ts": "1"}))
}

// What was told alone becomes the shared incident, with what was told of it, and
// is resolved as any other.
func TestAdopt(t *testing.T) {
	alone := toldAlone(t)
	id := alone.Incidents[0].ID
	rec, ok := Adopt(Record{}, alone, "fra", at(60))
	if !ok || rec.Site != "shop" || states(rec) != "a=firing" || rec.Incidents[0].ID != id {
		t.Fatalf("adopted %t: %s", ok, states(rec))
	}
	inc := rec.Incidents[0]
	if d := inc.Deliveries["oncall"]; d.Receipt["ts"] != "1" || !inc.Single {
		t.Errorf("delivery %+v, want what was told alone", d)
	}
	if _, owed := inc.Due("oncall", timings); owed {
		t.Error("something is owed although nothing new happened")
	}
	if _, again := Adopt(rec, alone, "fra", at(61)); again {
		t.Error("adopted twice")
	}
	if left, _ := Forget(alone, true, "", at(60)); !left.Empty() {
		t.Errorf("the agent still remembers %d incidents", len(left.Incidents))
	}
	// Others see it too: it goes on, as one story.
	more, _ := Next(rec, from("lon", "522", 62), three)
	if len(more.Incidents) != 1 || story(more) != "opened:a(>522) shared spread:a(>522)" {
		t.Errorf("seen from another: %q", story(more))
	}
	// Or they do not: it is over.
	over, _ := Next(rec, from("lon", "ok", 62), three)
	if over.Incidents[0].Open() {
		t.Error("nobody else sees it, and it is still open")
	}
}

// What others have told already is not told once more: the one told alone ends as
// a part of it.
func TestMerge(t *testing.T) {
	alone := toldAlone(t)
	shared := seenFrom(three, from("lon", "522", 1), from("sin", "522", 2))
	if _, ok := Adopt(shared, alone, "fra", at(60)); ok {
		t.Fatal("adopted beside an open incident")
	}
	left, ok := Forget(alone, false, shared.Incidents[0].ID, at(60))
	if !ok || len(left.Checks) > 0 || len(left.Incidents) != 1 {
		t.Fatalf("forgot %t: %+v", ok, left)
	}
	inc := left.Incidents[0]
	if inc.Open() || inc.Reason != ReasonMerged || inc.Into != shared.Incidents[0].ID {
		t.Errorf("open %t, reason %q, into %q", inc.Open(), inc.Reason, inc.Into)
	}
	if _, owed := inc.Due("oncall", timings); !owed {
		t.Error("who was told of it does not learn that it is over")
	}
}

// Of what nobody was told nothing is left.
func TestForgetUntold(t *testing.T) {
	alone := seenFrom(Policy{Single: true}, from("fra", "522", 0))
	if left, ok := Forget(alone, false, "", at(60)); !ok || !left.Empty() {
		t.Errorf("forgot %t, %d incidents are left", ok, len(left.Incidents))
	}
	if _, ok := Forget(Record{}, false, "", at(60)); ok {
		t.Error("forgot what there was not")
	}
}

// An agent that is cut off in the middle of an incident that was told has no news
// of it, until it has seen it recover.
func TestBlind(t *testing.T) {
	shared := seenFrom(three, from("lon", "522", 1), from("sin", "522", 2))
	own, ok := Blind(Record{}, "shop", &shared.Incidents[0], "fra")
	if !ok || states(own) != "a=firing" {
		t.Fatalf("%t, %s", ok, states(own))
	}
	p := Policy{Single: true}
	for seconds := 10; seconds < 60; seconds += 10 {
		own, _ = Next(own, from("fra", "522", seconds), p)
	}
	if len(own.Incidents) > 0 {
		t.Error("told again, alone, what all had told")
	}
	own, _ = Next(own, from("fra", "ok", 60), p)
	if !own.Empty() {
		t.Errorf("after it recovered: %s", states(own))
	}
	own, _ = Next(own, from("fra", "522", 70), p)
	if len(own.Incidents) != 1 || !own.Incidents[0].Single {
		t.Error("a new outage is not told")
	}
}

// The views survive the store.
func TestViewsAreStored(t *testing.T) {
	rec := seenFrom(three, from("fra", "522", 0), from("lon", "522", 1))
	again := clone(t, rec)
	if !slices.Equal(alertIn(again).Views, alertIn(rec).Views) || !again.Checks["a"].Locations["fra"].Kept.Equal(at(0)) {
		t.Errorf("after the store: %+v", alertIn(again).Views)
	}
}
