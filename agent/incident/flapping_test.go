package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store/memstore"
)

// And K#6054, A#204: a check that comes and goes is told as flapping once,
// and then not before it is steady. Each row feeds results a minute apart.
func TestUptimeKuma3031FlappingFloods(t *testing.T) {
	p := Policy{Flapping: Flapping{Changes: 3, Window: 30 * time.Minute}}
	comeAndGo := func(n int) string { return strings.Repeat("a:522 a:ok ", n) }
	const upToNotice = "OPENED:a(>522) FLAPPING:a(>522)"
	for _, tt := range []struct {
		name, feed, want string
		incidents        int
		state            State
	}{
		{"as often as is allowed", comeAndGo(1) + "a:522", "OPENED:a(>522)", 2, Firing},
		{"once more, with a recovery", comeAndGo(2), upToNotice, 2, flapping},
		{"a storm of them is one notice", comeAndGo(50), upToNotice, 2, flapping},
		{"another condition is no news while it flaps", comeAndGo(2) + "a:525 a:ok a:525", upToNotice + " changed:a(522>525)", 2, flapping},
		{"steady and well", comeAndGo(10) + strings.Repeat("a:ok ", 30), upToNotice + " STEADY:a(>522) RESOLVED:a(522>)", 2, OK},
		{"not yet steady", comeAndGo(10) + strings.Repeat("a:ok ", 29), upToNotice, 2, flapping},
		{"steady and failing", comeAndGo(10) + strings.Repeat("a:522 ", 31), upToNotice + " STEADY:a(>522)", 2, Firing},
		{"another check is its own affair", comeAndGo(10) + "b:525", upToNotice + " JOINED:b(>525)", 2, flapping},
		{"it keeps the incident open when the other recovers", comeAndGo(10) + "b:525 b:ok", upToNotice + " JOINED:b(>525) LEFT:b(525>)", 2, flapping},
		{"severity rises", comeAndGo(2) + "a:slow a:ok " + strings.Repeat("a:slow a:ok ", 2), upToNotice + " changed:a(522>slow)", 2, flapping},
		{"removed", comeAndGo(10) + "remove:a", upToNotice + " REMOVED:a(522>) RESOLVED:a(522>)", 2, OK},
		{"slowly", strings.Repeat("a:522 "+strings.Repeat("a:522 ", 15)+strings.Repeat("a:ok ", 16), 5), "OPENED:a(>522) RESOLVED:a(522>)", 5, OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, now := Record{}, epoch
			for step := range strings.FieldsSeq(tt.feed) {
				now = now.Add(time.Minute)
				rec = feed(t, rec, step, now, p)
			}
			if got := loud(rec); got != tt.want {
				t.Errorf("story %q\n want %q", got, tt.want)
			}
			if got := rec.shown("a"); got != tt.state || len(rec.Incidents) != tt.incidents {
				t.Errorf("state %s, %d incidents, want %s, %d", got, len(rec.Incidents), tt.state, tt.incidents)
			}
			if last := rec.Incidents[len(rec.Incidents)-1]; last.Open() != (tt.state != OK) {
				t.Errorf("open: %t though it is %s", last.Open(), tt.state)
			}
		})
	}
}

func TestSeverityRisesWhileItFlaps(t *testing.T) {
	p, rec := Policy{Flapping: Flapping{Changes: 3, Window: time.Hour}}, Record{}
	for i, what := range []string{"slow", "ok", "slow", "ok", "slow", "522"} {
		rec, _ = Next(rec, result("a", what, at(60*i)), p)
	}
	if want := "OPENED:a(>slow) FLAPPING:a(>slow) changed:a(slow>522) SEVERITY:a(>522)"; loud(rec) != want {
		t.Errorf("story %q\n want %q", loud(rec), want)
	}
}

func TestFlappingIsForgotten(t *testing.T) {
	kv := memstore.New()
	p := Policy{Flapping: Flapping{Changes: 3, Window: 30 * time.Minute}}
	k := start(t, kv, Options{}, policies(p, "shop/a"))
	settle := func(rec Record) (Record, bool) {
		rec, _, ok := Prune(rec, func(*Incident) bool { return true })
		return rec, ok
	}
	observe(t, k, result("a", "522", at(0)))
	observe(t, k, result("a", "ok", at(60)))
	if _, err := k.Update(t.Context(), "shop", settle); err != nil {
		t.Fatal(err)
	}
	if rec := stored(t, kv, "shop"); len(rec.Memory["a"].Changes) != 2 || len(rec.Incidents) != 0 {
		t.Errorf("a restart would forget that it changed: %+v", rec.Memory)
	}
	// A check that is well costs nothing meanwhile, and nothing is left of it.
	pass := result("a", "ok", at(70))
	if n := testing.AllocsPerRun(100, func() {
		pass.StartedAt = pass.StartedAt.Add(time.Second)
		observe(t, k, pass)
	}); n != 0 {
		t.Errorf("%v allocations for a result that changes nothing", n)
	}
	observe(t, k, result("a", "ok", at(60+30*60)))
	if rec, ok := k.Record("shop"); ok {
		t.Errorf("long after there is still %+v", rec)
	}

	// With the clock set back it is not flapping for ever.
	var rec Record
	for i := range 6 {
		rec, _ = Next(rec, result("a", []string{"522", "ok"}[i%2], at(3600*5+60*i)), p)
	}
	if rec.shown("a") != flapping {
		t.Fatal("it does not flap")
	}
	rec, _ = Next(rec, result("a", "ok", at(60)), p)
	if got := rec.shown("a"); got != OK {
		t.Errorf("five hours back it is %s", got)
	}
}

// A reload that turns the detection off, or a mute, do not leave it stuck.
func TestFlappingMeetsOtherRules(t *testing.T) {
	p := Policy{Flapping: Flapping{Changes: 3, Window: time.Hour}}
	flaps := func(p Policy) (rec Record) {
		for i := range 6 {
			rec, _ = Next(rec, result("a", []string{"522", "ok"}[i%2], at(60*i)), p)
		}
		return rec
	}
	off, _ := Next(flaps(p), result("a", "ok", at(400)), Policy{})
	if want := "OPENED:a(>522) FLAPPING:a(>522) STEADY:a(>522) RESOLVED:a(522>)"; loud(off) != want || len(off.Memory) != 0 {
		t.Errorf("turned off: %q, want %q", loud(off), want)
	}
	onTheWay, _ := Next(flaps(p), result("a", "522", at(360)), p)
	onTheWay, _ = Next(onTheWay, result("a", "ok", at(400)), Policy{})
	if want := "OPENED:a(>522) FLAPPING:a(>522) STEADY:a(>522) RESOLVED:a(522>)"; loud(onTheWay) != want {
		t.Errorf("turned off as it recovers: %q, want %q", loud(onTheWay), want)
	}
	muted := p
	muted.Mutes = Mutes{mute(t, "check=a")}
	rec := flaps(muted)
	if want := "opened:a(>522) flapping:a(>522)"; loud(rec) != want || rec.shown("a") != suppressed {
		t.Errorf("muted: %q, %s, want %q", loud(rec), rec.shown("a"), want)
	}
	rec, _ = Quieten(rec, at(500), nil, timings)
	if want := "opened:a(>522) flapping:a(>522) UNMUTED:a(>522)"; loud(rec) != want {
		t.Errorf("unmuted: %q, want %q", loud(rec), want)
	}
	// It begins inside a mute, with a recovery: that is more than was said.
	rec = Record{}
	for i, what := range []string{"522", "ok", "522"} {
		rec, _ = Next(rec, result("a", what, at(60*i)), p)
	}
	rec, _ = Quieten(rec, at(200), muted.Mutes, timings)
	rec, _ = Next(rec, result("a", "ok", at(240)), muted)
	rec, _ = Quieten(rec, at(300), nil, timings)
	if want := "OPENED:a(>522) muted:a(>522) flapping:a(>522) UNMUTED:a(>522)"; loud(rec) != want {
		t.Errorf("flaps inside a mute: %q, want %q", loud(rec), want)
	}
	again, _ := Quieten(flaps(p), at(500), muted.Mutes, timings)
	again, _ = Next(again, result("a", "ok", at(500+3600)), muted)
	if want := "OPENED:a(>522) FLAPPING:a(>522) muted:a(>522) steady:a(>522) RESOLVED:a(522>)"; loud(again) != want {
		t.Errorf("steady inside a mute: %q, want %q", loud(again), want)
	}
}

// No limit, however large, makes a record large.
func TestFlappingBounds(t *testing.T) {
	p, rec := Policy{Flapping: Flapping{Changes: 1_000_000, Window: 1000 * time.Hour}}, Record{}
	for i := range 1200 {
		rec, _ = Next(rec, result("a", []string{"522", "ok"}[i%2], at(60*i)), p)
		rec, _, _ = Prune(rec, func(*Incident) bool { return true })
	}
	if n := len(rec.Memory["a"].Changes); n > maxFlaps+1 || !rec.Memory["a"].Flapping {
		t.Errorf("%d changes remembered, flapping %t", n, rec.Memory["a"].Flapping)
	}
}
