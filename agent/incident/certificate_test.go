package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
)

const day = 24 * time.Hour

// met is a result of a node that presents the certificate of that name: one that
// expires two weeks after epoch, unless it is "new". With it comes one that has
// expired long since, and that nobody needs.
func met(check, certificate string, at time.Time) checks.Result {
	r := result(check, "tls_expiring", at)
	until := epoch.Add(14 * day)
	if certificate == "new" {
		r, until = result(check, "ok", at), epoch.Add(365*day)
	}
	r.TLS = &checks.TLS{Fingerprint: certificate, ValidUntil: until, NotAfter: epoch.Add(-30 * day)}
	return r
}

// And K#3964: the nodes of an edge take a new certificate at different times,
// so a check meets both in turns. That is told once, and once more at half the
// time that is left.
func TestUptimeKuma5374NodesTakeACertificateUnevenly(t *testing.T) {
	p := Policy{Failures: 3, ResolveAfter: 2}
	rec, now, writes := Record{}, epoch, 0
	step := func(certificate string, d time.Duration) {
		now = now.Add(d)
		var save bool
		if rec, save = Next(rec, met("a", certificate, now), p); save {
			writes++
		}
		if next, due := Tick(rec, now, Timings{RepeatInterval: 4 * time.Hour}); due {
			rec = next
		}
	}
	for range 3 {
		step("old", 5*time.Second)
	}
	writes = 0
	for now.Before(epoch.Add(6 * day)) { // two nodes in three are new
		step("new", 10*time.Minute)
		step("new", 10*time.Minute)
		step("old", 10*time.Minute)
	}
	if want := "OPENED:a(>tls_expiring)"; loud(rec) != want || len(rec.Incidents) != 1 || writes != 0 {
		t.Errorf("six days: %q, %d incidents, %d writes, want %q, one and none", loud(rec), len(rec.Incidents), writes, want)
	}
	for now.Before(epoch.Add(13 * day)) {
		step("new", 10*time.Minute)
		step("old", 10*time.Minute)
	}
	if want := "OPENED:a(>tls_expiring) REMINDER:a(>tls_expiring)"; loud(rec) != want || len(rec.Incidents) != 1 {
		t.Fatalf("13 days: %q, %d incidents, want %q", loud(rec), len(rec.Incidents), want)
	}
	if after := rec.Incidents[0].Events[1].At.Sub(epoch); after < 7*day || after > 7*day+time.Hour {
		t.Errorf("told again after %v, want half of 14 days", after)
	}
	for range 6 {
		step("new", 10*time.Minute)
	}
	if rec.shown("a") != Firing {
		t.Error("well although the old certificate was met within the hour")
	}
	for range 3 {
		step("new", 10*time.Minute)
	}
	if want := "OPENED:a(>tls_expiring) REMINDER:a(>tls_expiring) RESOLVED:a(tls_expiring>)"; loud(rec) != want {
		t.Errorf("the new one everywhere: %q, want %q", loud(rec), want)
	}
}

func TestCertificates(t *testing.T) {
	feed := func(p Policy, steps ...checks.Result) (rec Record) {
		for _, r := range steps {
			rec, _ = Next(rec, r, p)
		}
		return rec
	}
	in := func(d time.Duration) time.Time { return epoch.Add(d) }
	for _, tt := range []struct {
		name  string
		steps []checks.Result
		want  string
		open  bool
	}{
		{"back after its end, it is known", []checks.Result{met("a", "old", in(0)), met("a", "new", in(2*time.Hour)), met("a", "old", in(3*time.Hour))},
			"opened:a(>tls_expiring)", true},
		{"and well again, unheard", []checks.Result{met("a", "old", in(0)), met("a", "new", in(2*time.Hour)), met("a", "old", in(3*time.Hour)), met("a", "new", in(5*time.Hour))},
			"opened:a(>tls_expiring) resolved:a(tls_expiring>)", false},
		{"known, until half of the time is over", []checks.Result{met("a", "old", in(0)), met("a", "new", in(2*time.Hour)), met("a", "old", in(3*time.Hour)), met("a", "old", in(7*day))},
			"opened:a(>tls_expiring) REMINDER:a(>tls_expiring)", true},
		{"back after half of the time", []checks.Result{met("a", "old", in(0)), met("a", "new", in(2*time.Hour)), met("a", "old", in(8*day))},
			"OPENED:a(>tls_expiring)", true},
		{"and no third time", []checks.Result{met("a", "old", in(0)), met("a", "old", in(7*day)), met("a", "old", in(11*day)), met("a", "old", in(13*day))},
			"OPENED:a(>tls_expiring) REMINDER:a(>tls_expiring)", true},
		{"a second certificate is told too", []checks.Result{met("a", "old", in(0)), met("a", "older", in(time.Hour)), met("a", "old", in(2*time.Hour)), met("a", "older", in(3*time.Hour))},
			"OPENED:a(>tls_expiring) REMINDER:a(>tls_expiring)", true},
		{"something worse is told", []checks.Result{met("a", "old", in(0)), result("a", "522", in(time.Minute))},
			"OPENED:a(>tls_expiring) CHANGED:a(tls_expiring>522) SEVERITY:a(>522)", true},
		{"something worse behind a known one is told", []checks.Result{met("a", "old", in(0)), met("a", "new", in(2*time.Hour)), met("a", "old", in(3*time.Hour)), result("a", "522", in(4*time.Hour))},
			"opened:a(>tls_expiring) CHANGED:a(tls_expiring>522) SEVERITY:a(>522)", true},
		{"the same certificate passes: the limit was lowered", []checks.Result{met("a", "new", in(0)), func() checks.Result { r := met("a", "old", in(0)); r.TLS.Fingerprint = "new"; return r }(), met("a", "new", in(time.Minute))},
			"OPENED:a(>tls_expiring) RESOLVED:a(tls_expiring>)", false},
		{"each check tells for itself", []checks.Result{met("a", "old", in(0)), met("b", "old", in(time.Minute))},
			"OPENED:a(>tls_expiring) JOINED:b(>tls_expiring)", true},
	} {
		rec := feed(Policy{}, tt.steps...)
		if got := loud(rec); got != tt.want {
			t.Errorf("%s: %q\n want %q", tt.name, got, tt.want)
		}
		if last := rec.Incidents[len(rec.Incidents)-1]; last.Open() != tt.open {
			t.Errorf("%s: open %t", tt.name, last.Open())
		}
		if back := clone(t, rec); loud(back) != loud(rec) || len(back.Memory) != len(rec.Memory) {
			t.Errorf("%s: not the same from the store", tt.name)
		}
	}

	// What is remembered goes with the certificate.
	rec := feed(Policy{}, met("a", "old", in(0)), met("a", "new", in(2*time.Hour)))
	if len(rec.Memory["a"].Certificates) != 1 {
		t.Errorf("memory %+v, want the one that was told", rec.Memory)
	}
	rec, save := Next(rec, met("a", "new", in(14*day)), Policy{})
	if len(rec.Memory) != 0 || !save {
		t.Errorf("memory %+v after it expired, save %t", rec.Memory, save)
	}
	var many Record
	for i := range 30 {
		many, _ = Next(many, met("a", strings.Repeat("x", i+1), in(time.Duration(i)*time.Minute)), Policy{})
	}
	if n := len(many.Memory["a"].Certificates); n != maxCertificates {
		t.Errorf("%d certificates remembered, want %d", n, maxCertificates)
	}
}

// One that was met while a mute was in force was not told.
func TestCertificateInAMute(t *testing.T) {
	p := Policy{Mutes: Mutes{mute(t, "site=shop")}}
	rec, _ := Next(Record{}, met("a", "old", epoch), p)
	if len(rec.Memory) != 0 {
		t.Errorf("remembered as told: %+v", rec.Memory)
	}
	rec, _ = Quieten(rec, epoch.Add(day), nil, timings)
	if want := "opened:a(>tls_expiring) UNMUTED:a(>tls_expiring)"; loud(rec) != want || len(rec.Memory["a"].Certificates) != 1 {
		t.Errorf("%q, %+v, want %q", loud(rec), rec.Memory, want)
	}
	// And a known one stays unheard when a mute comes and goes.
	known, _ := Next(Record{}, met("a", "old", epoch), Policy{})
	known, _ = Next(known, met("a", "new", epoch.Add(2*time.Hour)), Policy{})
	known, _ = Next(known, met("a", "old", epoch.Add(3*time.Hour)), Policy{})
	known, _ = Quieten(known, epoch.Add(4*time.Hour), p.Mutes, timings)
	known, _ = Quieten(known, epoch.Add(5*time.Hour), nil, timings)
	if strings.ToLower(loud(known)) != loud(known) {
		t.Errorf("a known certificate is told: %q", loud(known))
	}
	// Its second telling needs no result: it may be met seldom.
	if same, changed := Quieten(known, epoch.Add(7*day-time.Minute), nil, timings); changed {
		t.Errorf("before half of the time: %q", loud(same))
	}
	known, _ = Quieten(known, epoch.Add(7*day), nil, timings)
	if !strings.HasSuffix(loud(known), " REMINDER:a(>tls_expiring)") {
		t.Errorf("at half of the time: %q", loud(known))
	}
}
