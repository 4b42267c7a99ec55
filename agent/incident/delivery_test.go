package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var timings = Timings{GroupWait: 5 * time.Second, GroupInterval: time.Minute, RepeatInterval: 4 * time.Hour}

// opened is a record with an incident that opened at epoch with a warning.
func opened(t *testing.T) (Record, string) {
	t.Helper()
	rec, _ := Next(Record{}, result("a", "slow", epoch), Policy{})
	if len(rec.Incidents) != 1 {
		t.Fatal("no incident")
	}
	return rec, rec.Incidents[0].ID
}

func after(t *testing.T, rec Record, check, what string, d time.Duration) Record {
	t.Helper()
	rec, _ = Next(rec, result(check, what, epoch.Add(d)), Policy{})
	return rec
}

func must(t *testing.T) func(Record, bool) Record {
	return func(rec Record, ok bool) Record {
		t.Helper()
		if !ok {
			t.Fatal("nothing changed")
		}
		return rec
	}
}

func TestDue(t *testing.T) {
	wantDue := func(what string, rec Record, want time.Duration, owed bool) {
		t.Helper()
		due, ok := rec.Incidents[0].Due("oncall", timings)
		if ok != owed || owed && !due.Equal(epoch.Add(want)) {
			t.Errorf("%s: due after %v, %t, want %v, %t", what, due.Sub(epoch), ok, want, owed)
		}
	}
	start, id := opened(t)
	told := func(rec Record, at time.Duration) Record {
		t.Helper()
		a := Attempt{Incident: id, Receiver: "oncall", Seq: rec.Incidents[0].Seq, At: epoch.Add(at)}
		return must(t)(Told(must(t)(Begin(rec, a)), a, map[string]string{"ts": "1"}))
	}

	wantDue("opened", start, 5*time.Second, true)
	wantDue("joined before the first notice", after(t, start, "b", "slow", 2*time.Second), 5*time.Second, true)
	wantDue("over before the first notice", after(t, start, "a", "ok", 2*time.Second), 5*time.Second, true)
	once := told(after(t, start, "a", "ok", 2*time.Second), 5*time.Second)
	wantDue("told that it was over", once, 0, false)

	first := told(start, 6*time.Second)
	wantDue("told", first, 0, false)
	wantDue("joined soon after", after(t, first, "b", "slow", 10*time.Second), 66*time.Second, true)
	wantDue("joined long after", after(t, first, "b", "slow", time.Hour), time.Hour, true)
	wantDue("severity rises", after(t, first, "a", "522", 10*time.Second), 10*time.Second, true)
	wantDue("a louder check joins", after(t, first, "b", "522", 10*time.Second), 10*time.Second, true)
	wantDue("over", after(t, first, "a", "ok", 10*time.Second), 10*time.Second, true)

	// It was told of critical once: a second time is only a change.
	loud := told(after(t, first, "b", "522", 10*time.Second), 11*time.Second)
	again := after(t, after(t, loud, "b", "ok", 12*time.Second), "b", "522", 13*time.Second)
	wantDue("as loud as once told", again, 71*time.Second, true)
	// One that rose and fell between two notices interrupts nobody.
	fell := after(t, after(t, first, "b", "522", 12*time.Second), "b", "ok", 13*time.Second)
	wantDue("rose and fell", fell, 66*time.Second, true)

	remind, ok := Tick(first, epoch.Add(4*time.Hour), timings)
	if !ok {
		t.Fatal("no reminder")
	}
	wantDue("reminder", remind, 4*time.Hour, true)

	a := Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: epoch.Add(6 * time.Second)}
	failed := must(t)(Failed(start, a, Failure{Cause: "refused", NextTry: epoch.Add(30 * time.Second)}))
	wantDue("failed", failed, 30*time.Second, true)
	wantDue("over while it could not be told", after(t, failed, "a", "ok", 10*time.Second), 30*time.Second, true)
	dropped := must(t)(Refused(start, a, Failure{Cause: "invalid_auth"}))
	wantDue("refused for good", dropped, 0, false)
	wantDue("news after a refusal", after(t, dropped, "b", "slow", 10*time.Second), 10*time.Second, true)
	wantDue("over after a refusal", after(t, dropped, "a", "ok", 10*time.Second), 10*time.Second, true)
	skipped := must(t)(Skip(after(t, first, "a", "ok", 10*time.Second), Attempt{Incident: id, Receiver: "oncall", Seq: 2}))
	wantDue("skipped", skipped, 0, false)
	if due, ok := skipped.Incidents[0].Due("other", timings); !ok || !due.Equal(epoch.Add(5*time.Second)) {
		t.Errorf("another receiver: due %v, %t, want it owed the whole", due, ok)
	}
}

func TestDelivery(t *testing.T) {
	rec, id := opened(t)
	before := clone(t, rec)
	first := Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: epoch.Add(5 * time.Second)}
	second := Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: epoch.Add(40 * time.Second)}
	delivery := func(rec Record) Delivery { return rec.Incidents[0].Deliveries["oncall"] }
	receipt := map[string]string{"channel": "C1", "ts": "1.2"}

	begun := must(t)(Begin(rec, first))
	if d := delivery(begun); d.Sending != 1 || !d.SendingAt.Equal(first.At) || d.Seq != 0 {
		t.Errorf("begun: %+v", d)
	}
	// A timeout leaves the doubt, and the doubt dates from the first attempt.
	failed := must(t)(Failed(begun, first, Failure{Cause: strings.Repeat("x", 5000), NextTry: epoch.Add(30 * time.Second), Doubtful: true, Receipt: receipt}))
	if d := delivery(failed); d.Sending != 1 || d.Attempts != 1 || len(d.LastError) > maxText || d.Receipt["ts"] != "1.2" {
		t.Errorf("failed in doubt: %+v", d)
	}
	begunAgain := must(t)(Begin(failed, second))
	if d := delivery(begunAgain); !d.SendingAt.Equal(first.At) {
		t.Errorf("doubtful since %v, want %v", d.SendingAt, first.At)
	}
	told := must(t)(Told(begunAgain, second, nil))
	want := Delivery{Seq: 1, ToldAt: second.At, Severity: "warning", Receipt: receipt}
	if diff := cmp.Diff(want, delivery(told)); diff != "" {
		t.Errorf("told:\n%s", diff)
	}
	receipt["ts"] = "changed by the caller"
	if d := delivery(told); d.Receipt["ts"] != "1.2" {
		t.Error("the receipt is the caller's map")
	}
	// A failure with an answer leaves no doubt.
	plain := must(t)(Failed(begun, first, Failure{Cause: "429", NextTry: epoch.Add(time.Minute)}))
	if d := delivery(plain); d.Sending != 0 || !d.SendingAt.IsZero() {
		t.Errorf("failed: %+v, want no doubt", d)
	}
	refused := must(t)(Refused(plain, second, Failure{Cause: "invalid_auth"}))
	if d := delivery(refused); !d.Dropped || d.Seq != 1 || !d.ToldAt.IsZero() || d.LastError != "invalid_auth" || d.Attempts != 2 {
		t.Errorf("refused: %+v", d)
	}
	if back := must(t)(Told(refused, second, nil)); delivery(back).Dropped {
		t.Error("still dropped though it was told")
	}
	// A digest is noted with what was told in it, and stays.
	member := Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: second.At, Digest: "lead"}
	joined := must(t)(Joined(rec, member))
	if diff := cmp.Diff(Delivery{Digest: "lead"}, delivery(joined)); diff != "" {
		t.Errorf("joined:\n%s", diff)
	}
	if again := must(t)(Told(must(t)(Told(rec, member, nil)), second, nil)); delivery(again).Digest != "lead" {
		t.Errorf("told in a digest: %+v", delivery(again))
	}
	// A receiver told again what it knew may have another receipt, no more.
	resent := must(t)(Resent(told, second, map[string]string{"ts": "2"}))
	want.Receipt = map[string]string{"ts": "2"}
	if diff := cmp.Diff(want, delivery(resent)); diff != "" {
		t.Errorf("resent:\n%s", diff)
	}
	if _, ok := Begin(rec, Attempt{Incident: "gone", Receiver: "oncall"}); ok {
		t.Error("an incident that is not there was changed")
	}
	if diff := cmp.Diff(before, rec); diff != "" {
		t.Errorf("the record was changed in place:\n%s", diff)
	}
}

func TestPrune(t *testing.T) {
	rec, id := opened(t)
	all := func(*Incident) bool { return true }
	if _, _, ok := Prune(rec, all); ok {
		t.Error("an open incident was taken out")
	}
	rec = after(t, rec, "a", "ok", time.Minute)
	if _, _, ok := Prune(rec, func(*Incident) bool { return false }); ok {
		t.Error("an incident that is owed was taken out")
	}
	pruned, gone, ok := Prune(rec, all)
	if !ok || len(gone) != 1 || gone[0].ID != id || !pruned.Empty() || rec.Empty() {
		t.Errorf("pruned %v, %+v, left %+v", ok, gone, pruned)
	}
}
