package incident

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What users of other monitors complain of, each as a test with the complaint
// as its name. Those of the agent's own network are in package agent, those of
// telling in package outbox.

func TestMonika403OnlyTheLastReasonIsReported(t *testing.T) {
	p, rec := Policy{Failures: 4}, Record{}
	for i, what := range []string{"522", "timeout", "503", "connection_reset"} {
		rec, _ = Next(rec, result("a", what, at(i)), p)
	}
	if states(rec) != "a=firing" {
		t.Fatalf("four failures in a row: %s", states(rec))
	}
	var seen []string
	for _, c := range rec.Incidents[0].Alerts["a"].Conditions {
		seen = append(seen, string(c))
	}
	if got := strings.Join(seen, " "); got != "522 timeout 503 connection_reset" {
		t.Errorf("conditions %q, want all that were seen", got)
	}
}

func TestGatus679RestartAlertsEverythingAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	p := policies(Policy{Failures: 2, Flapping: Flapping{Changes: 6, Window: time.Hour}}, "shop/a", "shop/b", "shop/c")
	kv := openBolt(t, path)
	k := start(t, kv, Options{}, p)
	for i := range 2 {
		observe(t, k, result("a", "522", at(i)))
		observe(t, k, met("b", "old", at(i)))
	}
	told := func(rec Record) (Record, bool) {
		return Told(rec, Attempt{Incident: rec.Incidents[0].ID, Receiver: "oncall", Seq: rec.Incidents[0].Seq, At: at(10)}, nil)
	}
	if _, err := k.Update(t.Context(), "shop", told); err != nil {
		t.Fatal(err)
	}
	for restart := range 10 {
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		kv = openBolt(t, path)
		k = start(t, kv, Options{}, p)
		observe(t, k, result("a", "522", at(60*restart+60)))
		observe(t, k, met("b", "old", at(60*restart+60)))
		observe(t, k, result("c", "ok", at(60*restart+60)))
	}
	rec, _ := k.Record("shop")
	if _, owed := rec.Incidents[0].Due("oncall", timings); owed || len(rec.Incidents) != 1 {
		t.Errorf("after ten restarts something is owed again: %q", story(rec))
	}
}

// The check recovers while nobody looks; its end is told by the next process.
func TestGrafana68162ResolvedWhileRestartingIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	p := policies(Policy{ResolveAfter: 2}, "shop/a")
	kv := openBolt(t, path)
	k := start(t, kv, Options{}, p)
	observe(t, k, result("a", "522", at(0)))
	id := k.Open()[0].ID
	if _, err := k.Update(t.Context(), "shop", func(rec Record) (Record, bool) {
		return Told(rec, Attempt{Incident: id, Receiver: "oncall", Seq: 1, At: at(5)}, map[string]string{"ts": "1"})
	}); err != nil {
		t.Fatal(err)
	}
	observe(t, k, result("a", "ok", at(10))) // the first of two passes, then the machine goes down
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	kv = openBolt(t, path)
	k = start(t, kv, Options{}, p)
	observe(t, k, result("a", "ok", at(3600)))
	rec, _ := k.Record("shop")
	inc := rec.Incidents[0]
	if _, owed := inc.Due("oncall", timings); inc.Open() || !owed || inc.ID != id || inc.Deliveries["oncall"].Receipt["ts"] != "1" {
		t.Errorf("open %t, %+v: want the end owed, to the message that was sent", inc.Open(), inc.Deliveries)
	}
}

// The receiver is out of reach from before the failure until after its end.
func TestUptimeKuma6046AnUpArrivesWithoutADown(t *testing.T) {
	rec, _ := Next(Record{}, result("a", "522", at(0)), Policy{})
	inc := rec.Incidents[0]
	attempt := Attempt{Incident: inc.ID, Receiver: "oncall", Seq: 1, At: at(5)}
	rec, _ = Begin(rec, attempt)
	rec, _ = Failed(rec, attempt, Failure{Cause: "no such host", NextTry: at(65)})
	rec, _ = Next(rec, result("a", "ok", at(30)), Policy{})
	inc = rec.Incidents[0]
	if due, owed := inc.Due("oncall", timings); !owed || !due.Equal(at(65)) {
		t.Errorf("due %v, %t, want it told at the next try", due, owed)
	}
	// It is one telling, of both.
	told := inc.Told()
	if d := inc.Deliveries["oncall"]; d.Seq != 0 || len(told.Events) != 2 || told.Events[0].Kind != EventOpened || told.Events[1].Kind != EventResolved {
		t.Errorf("told are %+v after %d", told.Events, d.Seq)
	}
}
