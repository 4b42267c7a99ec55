package incident

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/agent/store/memstore"
)

func mute(t testing.TB, matchers ...string) Mute {
	t.Helper()
	m := Mute{Name: "test"}
	for _, s := range matchers {
		matcher, err := ParseMatcher(s)
		if err != nil {
			t.Fatal(err)
		}
		m.Matchers = append(m.Matchers, matcher)
	}
	return m
}

// loud is the story with the events that are told for their own sake in
// capitals.
func loud(rec Record) string {
	if len(rec.Incidents) == 0 {
		return ""
	}
	words := strings.Fields(story(rec))
	for i, e := range rec.Incidents[len(rec.Incidents)-1].Events {
		if !e.Quiet {
			kind, rest, _ := strings.Cut(words[i], ":")
			words[i] = strings.TrimSuffix(strings.ToUpper(kind)+":"+rest, ":")
		}
	}
	return strings.Join(words, " ")
}

// Each row feeds results a minute apart as TestMachine does; "mute:MATCHER"
// puts a mute in force, "end" ends all of them, "over" does so and the next result
// sees it before the keeper does, "told" has a receiver told.
func TestMutes(t *testing.T) {
	for _, tt := range []struct {
		name, feed, want string
		owed, held       bool   // at the end
		shown            string // the alerts that receivers see, "-" behind one that is over
	}{
		{name: "opens muted", feed: "mute:site=shop a:522", want: "opened:a(>522)"},
		{name: "opens and ends muted", feed: "mute:site=shop a:522 a:ok", want: "opened:a(>522) resolved:a(522>)"},
		{name: "still fails when the mute ends", feed: "mute:site=shop a:522 end",
			want: "opened:a(>522) UNMUTED:a(>522)", owed: true, shown: "a"},
		{name: "recovers inside the mute", feed: "a:522 told mute:site=shop a:ok",
			want: "OPENED:a(>522) muted:a(>522) RESOLVED:a(522>)", owed: true, shown: "a-"},
		{name: "down before and after", feed: "a:522 told mute:site=shop a:522 end a:522",
			want: "OPENED:a(>522) muted:a(>522) unmuted:a(>522)", shown: "a"},
		{name: "down before, another condition after", feed: "a:522 told mute:site=shop a:525 end",
			want: "OPENED:a(>522) muted:a(>522) changed:a(522>525) UNMUTED:a(>525)", owed: true, shown: "a"},
		{name: "another condition in between", feed: "a:522 told mute:site=shop a:525 a:522 end",
			want: "OPENED:a(>522) muted:a(>522) changed:a(522>525) changed:a(525>522) unmuted:a(>522)", shown: "a"},
		{name: "severity rises inside", feed: "a:slow told mute:site=shop a:522 a:slow end",
			want: "OPENED:a(>slow) muted:a(>slow) changed:a(slow>522) severity:a(>522) changed:a(522>slow) UNMUTED:a(>slow)", owed: true, shown: "a"},
		{name: "a result sees the end first, and it looks the same", feed: "a:522 told mute:site=shop over a:522 end",
			want: "OPENED:a(>522) muted:a(>522) unmuted:a(>522)", shown: "a"},
		{name: "a result sees the end first, and another condition since the mute", feed: "a:522 told mute:site=shop a:525 over a:525 end",
			want: "OPENED:a(>522) muted:a(>522) changed:a(522>525) UNMUTED:a(>525)", owed: true, shown: "a"},
		{name: "a result sees the end first, and a severity that rose in the mute", feed: "a:slow told mute:site=shop a:522 over a:522 end",
			want: "OPENED:a(>slow) muted:a(>slow) changed:a(slow>522) severity:a(>522) UNMUTED:a(>522)", owed: true, shown: "a"},
		{name: "a result brings the end and another condition", feed: "a:522 told mute:site=shop over a:525 end",
			want: "OPENED:a(>522) muted:a(>522) CHANGED:a(522>525) UNMUTED:a(>525)", owed: true, shown: "a"},
		{name: "recovers and fails again inside", feed: "a:522 told mute:site=shop a:ok a:522",
			want: "opened:a(>522)"},
		{name: "muted within group_wait", feed: "a:522 mute:site=shop@2s",
			want: "OPENED:a(>522) muted:a(>522)"},
		{name: "muted within group_wait, over before the end", feed: "a:522 mute:site=shop@2s a:ok",
			want: "OPENED:a(>522) muted:a(>522) resolved:a(522>)"},
		{name: "muted within group_wait, still fails", feed: "a:522 mute:site=shop@2s end",
			want: "OPENED:a(>522) muted:a(>522) UNMUTED:a(>522)", owed: true, shown: "a"},
		{name: "told at once, then muted within group_wait", feed: "a:522 told:@1s mute:site=shop@1s a:ok",
			want: "OPENED:a(>522) muted:a(>522) RESOLVED:a(522>)", owed: true, shown: "a-"},
		{name: "due before the mute but not told, as when the receiver is down", feed: "a:522 mute:site=shop a:ok",
			want: "OPENED:a(>522) muted:a(>522) RESOLVED:a(522>)", owed: true, shown: "a-"},
		{name: "due before the mute, waits", feed: "a:522 mute:site=shop",
			want: "OPENED:a(>522) muted:a(>522)", owed: true, held: true, shown: "a"},
		{name: "one check of two", feed: "mute:check=b a:slow b:522",
			want: "OPENED:a(>slow) joined:b(>522)", owed: true, shown: "a"},
		{name: "the one that is heard recovers", feed: "mute:check=b a:slow b:522 told a:ok",
			want: "OPENED:a(>slow) joined:b(>522) LEFT:a(slow>)", owed: true, shown: "a-"},
		{name: "and then the other, unheard", feed: "mute:check=b a:slow b:522 told a:ok told b:ok",
			want: "OPENED:a(>slow) joined:b(>522) LEFT:a(slow>) resolved:b(522>)", shown: "a-"},
		{name: "a silenced condition changes into one that is not", feed: "mute:condition=522 a:522 a:525",
			want: "opened:a(>522) CHANGED:a(522>525) UNMUTED:a(>525)", owed: true, shown: "a"},
		{name: "and alternates", feed: "mute:condition=522 a:522 a:525 told" + strings.Repeat(" a:522 a:525", 30),
			want: "opened:a(>522) CHANGED:a(522>525) UNMUTED:a(>525) changed:a(525>522)", shown: "a"},
		{name: "and alternates with two that are not", feed: "mute:condition=522 a:525 told" + strings.Repeat(" a:522 a:520 told a:522 a:525 told", 10),
			want: "OPENED:a(>525) changed:a(525>522) CHANGED:a(522>520) changed:a(520>522) CHANGED:a(522>525) CHANGED:a(525>520) CHANGED:a(520>525)", shown: "a"},
		{name: "no reminder of what is muted", feed: "a:522 told mute:site=shop tick", want: "OPENED:a(>522) muted:a(>522)", shown: "a", held: true},
		{name: "no reminder right after", feed: "a:522 told mute:site=shop tick end tick", want: "OPENED:a(>522) muted:a(>522) unmuted:a(>522)", shown: "a"},
		{name: "what a silenced check does puts off no reminder of another", feed: "mute:check=b a:522 told b:525 tick b:ok tick",
			want: "OPENED:a(>522) joined:b(>525) left:b(525>) REMINDER", owed: true, shown: "a"},
		{name: "nor does the end of its mute", feed: "a:522 b:525 told mute:check=b tick end tick",
			want: "OPENED:a(>522) JOINED:b(>525) muted:b(>525) unmuted:b(>525) REMINDER", owed: true, shown: "a b"},
		{name: "removed inside", feed: "a:522 told mute:site=shop remove:a",
			want: "OPENED:a(>522) muted:a(>522) REMOVED:a(522>) RESOLVED:a(522>)", owed: true, shown: "a-"},
		{name: "mutes overlap", feed: "mute:site=shop a:522 mute:check=a unmute:0 unmute:0",
			want: "opened:a(>522) UNMUTED:a(>522)", owed: true, shown: "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, now := Record{}, epoch
			var mutes Mutes
			follow := func() { rec, _ = Quieten(rec, now, mutes, timings) }
			for step := range strings.FieldsSeq(tt.feed) {
				kind, what, _ := strings.Cut(step, ":")
				what, after, soon := strings.Cut(what, "@")
				wait := time.Minute
				if soon {
					wait, _ = time.ParseDuration(after)
				}
				now = now.Add(wait)
				before := clone(t, rec)
				was := rec
				switch kind {
				case "mute":
					mutes = append(mutes, mute(t, what))
					follow()
				case "unmute":
					mutes = mutes[1:]
					follow()
				case "end":
					mutes = nil
					follow()
				case "over":
					mutes = nil
				case "told":
					inc := rec.Incidents[len(rec.Incidents)-1]
					rec, _ = Told(rec, Attempt{Incident: inc.ID, Receiver: "oncall", Seq: inc.Seq, At: now}, nil)
				case "tick":
					now = now.Add(5 * time.Hour)
					follow()
					rec, _ = Tick(rec, now, Timings{RepeatInterval: 6 * time.Hour})
				case "remove":
					rec, _ = Remove(rec, func(string) bool { return false }, now)
				default:
					rec, _ = Next(rec, result(kind, what, now), Policy{Mutes: mutes})
				}
				if diff := cmp.Diff(before, clone(t, was)); diff != "" {
					t.Errorf("%s changed its input:\n%s", step, diff)
				}
			}
			if got := loud(rec); got != tt.want {
				t.Errorf("story %q\n want %q", got, tt.want)
			}
			inc := rec.Incidents[len(rec.Incidents)-1]
			if _, owed := inc.Due("oncall", timings); owed != tt.owed || inc.Held() != tt.held {
				t.Errorf("owed %t, held %t, want %t, %t", owed, inc.Held(), tt.owed, tt.held)
			}
			told := inc.Told()
			var shown []string
			for _, check := range []string{"a", "b"} {
				if a, ok := told.Alerts[check]; ok && a.Firing {
					shown = append(shown, check)
				} else if ok {
					shown = append(shown, check+"-")
				}
			}
			if got := strings.Join(shown, " "); got != tt.shown {
				t.Errorf("receivers see %q, want %q", got, tt.shown)
			}
			if told.Open() != strings.Contains(tt.shown+" ", "a ") && tt.shown != "" {
				t.Errorf("open for receivers: %t", told.Open())
			}
		})
	}
}

// A warning that is told does not take on the severity of what is silenced.
func TestSilencedSeverity(t *testing.T) {
	p := Policy{Mutes: Mutes{mute(t, "severity=critical")}}
	rec, _ := Next(Record{}, result("a", "slow", at(0)), p)
	rec, _ = Next(rec, result("b", "522", at(1)), p)
	if s := rec.Incidents[0].Severity; s != "warning" {
		t.Errorf("severity %q, want that of what is told", s)
	}
	told, _ := Told(rec, Attempt{Incident: rec.Incidents[0].ID, Receiver: "oncall", Seq: 2, At: at(5)}, nil)
	rec, _ = Quieten(told, at(10), nil, timings)
	inc := rec.Incidents[0]
	if due, owed := inc.Due("oncall", timings); inc.Severity != "critical" || !owed || !due.Equal(at(10)) {
		t.Errorf("severity %q, due %v, %t, want the rise to be told at once", inc.Severity, due, owed)
	}
}

// What was heard first is what counts, even if something louder was unheard before.
func TestSeverityBehindASilencedOne(t *testing.T) {
	p := Policy{Mutes: Mutes{mute(t, "check=b")}}
	rec, _ := Next(Record{}, result("b", "522", at(0)), p)
	rec, _ = Next(rec, result("a", "slow", at(1)), p)
	rec, _ = Told(rec, Attempt{Incident: rec.Incidents[0].ID, Receiver: "oncall", Seq: 2, At: at(5)}, nil)
	if got := rec.Incidents[0].Deliveries["oncall"].Severity; got != "warning" {
		t.Errorf("told of %s, want warning", got)
	}
	rec, _ = Quieten(rec, at(10), nil, timings)
	if due, owed := rec.Incidents[0].Due("oncall", timings); !owed || !due.Equal(at(10)) {
		t.Errorf("the rise is due at %v, %t, want at once", due, owed)
	}
}

// Whether an alert is muted is saved when it changes, for the outbox goes by it.
func TestAMuteByConditionIsSaved(t *testing.T) {
	p := Policy{Mutes: Mutes{mute(t, "condition=522")}}
	rec := Record{}
	for i, tt := range []struct {
		what string
		save bool
		held bool
	}{{"525", true, false}, {"522", true, true}, {"522", false, true}, {"525", true, false}, {"525", false, false},
		{"522", true, true}, {"525", true, false}, {"522", true, true}} {
		var save bool
		if rec, save = Next(rec, result("a", tt.what, at(60*i)), p); save != tt.save || rec.Incidents[0].Held() != tt.held {
			t.Errorf("result %d: save %t, held %t, want %t, %t", i, save, rec.Incidents[0].Held(), tt.save, tt.held)
		}
	}
}

func TestMatchers(t *testing.T) {
	r := result("login", "522", epoch)
	r.Diagnosis.Fault = "origin_link"
	a := Alert{Check: "login", Severity: "critical", Labels: map[string]string{"team": "web", "site": "forged"}, Result: r}
	for text, want := range map[string]bool{
		"site=shop": true, "site=forged": false, "site!=shop": false, "check=~log.*": true, `check=~"og"`: false,
		"check!~x.*": true, "condition=522": true, "fault=origin_link": true, "severity=critical": true,
		"location=fra": true, "team=web": true, "nothing=": true, "nothing!=x": true, "alertname=EsawatchCheckFailed": true,
		"team=~(?i)WEB|app": true, "team=~we|xb": false,
	} {
		if got := (Mutes{mute(t, text)}).cover("shop", &a); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
	if (Mutes{mute(t, "site=shop", "team=app")}).cover("shop", &a) {
		t.Error("one matcher of two is enough")
	}
	if !(Mutes{{}}).cover("shop", &a) {
		t.Error("a maintenance with no match does not cover everything")
	}
	any, err := AnyOf("site", []string{"a.b", "shop"})
	if err != nil || !any.fits("a.b") || any.fits("axb") || any.fits("shops") {
		t.Errorf("AnyOf: %v", err)
	}
	for text, want := range map[string]string{
		"shop": "no operator", "=x": "not the name", "a=~(": "not a regular expression", "a!x": "not an operator",
		"a=" + strings.Repeat("x", 2000): "a value of 2000 bytes", "a b=c": "not the name",
	} {
		if _, err := ParseMatcher(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseMatcher(%.20q): %v, want %q", text, err, want)
		}
	}
	m, err := ParseMatcher(` check =~ "a b" `)
	if err == nil || m.Op == "=~" && m.Name != "check" {
		if again, err := ParseMatcher(m.String()); err != nil || again.String() != m.String() {
			t.Errorf("%s is not read back: %v", m, err)
		}
	}
}

func TestWindow(t *testing.T) {
	daily := func(t time.Time) time.Time { // 02:00 each day
		next := time.Date(t.Year(), t.Month(), t.Day(), 2, 0, 0, 0, time.UTC)
		if !next.After(t) {
			next = next.AddDate(0, 0, 1)
		}
		return next
	}
	clock := func(day int, hms string) time.Time {
		at, err := time.Parse(time.TimeOnly, hms)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 12, day, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
	}
	again := Window{Next: daily, Duration: 2 * time.Hour}
	long := Window{Next: daily, Duration: 30 * time.Hour}
	once := Window{Start: clock(1, "02:00:00"), End: clock(1, "04:00:00")}
	never := Window{Next: func(time.Time) time.Time { return time.Time{} }, Duration: time.Hour}
	for _, tt := range []struct {
		hms  string
		want bool
	}{{"01:59:59", false}, {"02:00:00", true}, {"03:59:59", true}, {"04:00:00", false}, {"14:00:00", false}} {
		for what, w := range map[string]Window{"again": again, "once": once} {
			if got := w.Active(clock(1, tt.hms)); got != tt.want {
				t.Errorf("%s at %s: %t, want %t", what, tt.hms, got, tt.want)
			}
		}
		if !long.Active(clock(1, tt.hms)) || never.Active(clock(1, tt.hms)) {
			t.Errorf("longer than its period: not active at %s, or one that never comes is", tt.hms)
		}
	}
	if !again.Active(clock(2, "02:30:00")) || once.Active(clock(2, "02:30:00")) {
		t.Error("on the day after")
	}
}

// And K#4004: down before and after a window does not re-alert, and a
// recovery inside one is told; through the keeper, with real time passing.
func TestUptimeKuma7148DownBeforeAndAfterAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := start(t, memstore.New(), Options{}, policies(Policy{}, "shop/a", "shop/b", "blog/a"))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = k.Run(ctx) })
		begin := time.Now()
		k.SetWindows([]Window{{Mute: mute(t, "site=shop"), Start: begin.Add(time.Hour), End: begin.Add(2 * time.Hour)}})
		observe(t, k, result("a", "522", time.Now()))
		time.Sleep(time.Hour + 10*time.Second)
		observe(t, k, result("a", "522", time.Now()))
		observe(t, k, result("b", "525", time.Now()))
		time.Sleep(time.Minute)
		rec, _ := k.Record("shop")
		if want := "OPENED:a(>522) muted:a(>522) joined:b(>525)"; loud(rec) != want || !rec.Incidents[0].Held() {
			t.Errorf("inside: %q, want %q", loud(rec), want)
		}
		for check, want := range map[string]State{"a": suppressed, "b": suppressed} {
			if got := rec.shown(check); got != want {
				t.Errorf("%s is %s, want %s", check, got, want)
			}
		}
		time.Sleep(time.Hour)
		rec, _ = k.Record("shop")
		if want := "OPENED:a(>522) muted:a(>522) joined:b(>525) unmuted:a(>522) UNMUTED:b(>525)"; loud(rec) != want {
			t.Errorf("after: %q, want %q", loud(rec), want)
		}
		if got := rec.shown("a"); got != Firing {
			t.Errorf("a is %s after the window", got)
		}
		cancel()
		running.Wait()
	})
}
