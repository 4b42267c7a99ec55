package incident

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esawatch/esawatch/checks/catalog"
)

// model is the state machine again, as plainly as it can be said: it keeps the
// whole list of a check's results and decides from that.
type model struct {
	failures, resolveAfter, quorum int
	results                        map[string]map[string][]bool // check, location: failed?
	alarm                          map[string]map[string]bool   // check, location: past the thresholds
	firing                         map[string]bool
	open                           bool
	opened, ended, removed         int

	flapping Flapping
	changes  map[string][]time.Time // check: when it began or ceased to fire
	flaps    map[string]bool
	part     map[string]bool // what counts as firing in the incident: it fires, or it flaps

	groupWait time.Duration
	muted     map[string]bool
	heard     map[string]bool      // what receivers take for firing
	since     map[string]time.Time // since when it is part
	delivered bool                 // a receiver was told of the open incident
}

func newModel(p Policy, groupWait time.Duration) *model {
	return &model{
		failures: p.Failures, resolveAfter: p.ResolveAfter, quorum: int(p.Quorum), flapping: p.Flapping, groupWait: groupWait,
		results: map[string]map[string][]bool{}, alarm: map[string]map[string]bool{}, firing: map[string]bool{},
		changes: map[string][]time.Time{}, flaps: map[string]bool{}, part: map[string]bool{},
		muted: map[string]bool{}, heard: map[string]bool{}, since: map[string]time.Time{},
	}
}

func (m *model) result(check, location string, failed bool, now time.Time) {
	if m.results[check] == nil {
		m.results[check], m.alarm[check] = map[string][]bool{}, map[string]bool{}
	}
	list := append(m.results[check][location], failed)
	m.results[check][location] = list
	inARow := func(n int, what bool) bool {
		for i := len(list) - n; i < len(list); i++ {
			if i < 0 || list[i] != what {
				return false
			}
		}
		return true
	}
	switch {
	case inARow(m.failures, true):
		m.alarm[check][location] = true
	case m.alarm[check][location] && inARow(m.resolveAfter, false):
		m.alarm[check][location] = false
	}
	alarms := 0
	for _, on := range m.alarm[check] {
		if on {
			alarms++
		}
	}
	firing := alarms >= m.quorum
	if firing != m.firing[check] {
		m.changes[check] = append(m.changes[check], now)
		recent := 0
		for _, at := range m.changes[check] {
			if now.Sub(at) < m.flapping.Window {
				recent++
			}
		}
		m.flaps[check] = m.flaps[check] || recent > m.flapping.Changes
	}
	if list := m.changes[check]; m.flaps[check] && now.Sub(list[len(list)-1]) >= m.flapping.Window {
		m.flaps[check] = false
	}
	m.set(check, firing, now, false)
}

func (m *model) set(check string, firing bool, now time.Time, removal bool) {
	delete(m.firing, check)
	if firing {
		m.firing[check] = true
	}
	was, part := m.part[check], firing || m.flaps[check]
	delete(m.part, check)
	if part {
		m.part[check] = true
	}
	if part && !was {
		m.since[check] = now
		if !m.muted[check] {
			m.heard[check] = true
		}
		if !m.open {
			m.open, m.opened = true, m.opened+1
		}
	}
	if !part {
		delete(m.heard, check)
	}
	if was && len(m.part) == 0 {
		m.open, m.delivered, m.ended = false, false, m.ended+1
		if removal {
			m.removed++
		}
	}
}

func (m *model) remove(check string, now time.Time) {
	delete(m.results, check)
	delete(m.alarm, check)
	delete(m.changes, check)
	delete(m.flaps, check)
	m.set(check, false, now, true)
}

// mute begins or ends a mute of the check.
func (m *model) mute(check string, now time.Time) {
	m.muted[check] = !m.muted[check]
	switch {
	case !m.part[check]:
	case !m.muted[check]:
		m.heard[check] = true
	case !m.delivered && now.Before(m.since[check].Add(m.groupWait)):
		delete(m.heard, check)
	}
}

func (m *model) mutes(t *rapid.T) (mutes Mutes) {
	for check, on := range m.muted {
		if on {
			matcher, err := NewMatcher("check", "=", check)
			if err != nil {
				t.Fatal(err)
			}
			mutes = append(mutes, Mute{Matchers: []Matcher{matcher}})
		}
	}
	return mutes
}

// state is what the model says of a check.
func (m *model) state(check string) State {
	if m.firing[check] {
		return Firing
	}
	for location, list := range m.results[check] {
		if m.alarm[check][location] || list[len(list)-1] {
			return Pending
		}
	}
	return ""
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Failures:     rapid.IntRange(1, 4).Draw(t, "failures"),
			ResolveAfter: rapid.IntRange(1, 3).Draw(t, "resolve_after"),
			Quorum:       Quorum(rapid.IntRange(1, 2).Draw(t, "quorum")),
			Locations:    []string{"fra", "sin"},
			Flapping: Flapping{Changes: rapid.IntRange(1, 5).Draw(t, "changes"),
				Window: time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Minute},
		}
		groupWait := time.Duration(rapid.IntRange(0, 300).Draw(t, "group_wait")) * time.Second
		m := newModel(p, groupWait)
		checkNames := rapid.SampledFrom([]string{"a", "b", "c"})
		whats := rapid.SampledFrom([]string{"ok", "ok", "ok", "522", "522", "525", "slow", "timeout"})
		var (
			rec   Record
			saved = encoded(t, rec) // what a crash would leave
			now   = epoch
			ended int // incidents that were pruned
			gone  int // of those, with the reason "removed"
		)
		apply := func(f func(Record) (Record, bool)) {
			before := encoded(t, rec)
			next, save := f(rec)
			if after := encoded(t, rec); !bytes.Equal(before, after) {
				t.Fatalf("the record was changed in place:\n%s\n%s", before, after)
			}
			if rec = next; save {
				saved = encoded(t, next)
			}
		}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second)
			news, heard := told(rec), maps.Clone(m.heard)
			hushed := ""     // the muted check that the step is about
			retract := false // a mute began, which may take back what was not told
			switch action := rapid.IntRange(0, 34).Draw(t, "action"); {
			case action < 24:
				r := result(checkNames.Draw(t, "check"), whats.Draw(t, "what"), now)
				r.Location = rapid.SampledFrom(p.Locations).Draw(t, "location")
				p.Mutes = m.mutes(t)
				apply(func(rec Record) (Record, bool) { return Next(rec, r, p) })
				m.result(r.Check, r.Location, r.Diagnosis != nil, now)
				if m.muted[r.Check] {
					hushed = r.Check
				}
				if rapid.Bool().Draw(t, "twice") { // a duplicate is nothing new
					apply(func(rec Record) (Record, bool) {
						if len(rec.Checks[r.Check].Locations[r.Location].Conditions) == 0 {
							return rec, false // well: only the keeper knows of its last result
						}
						next, save := Next(rec, r, p)
						if save || !bytes.Equal(encoded(t, rec), encoded(t, next)) {
							t.Fatalf("a duplicate changed something")
						}
						return next, save
					})
				}
			case action < 26:
				check := checkNames.Draw(t, "removed")
				apply(func(rec Record) (Record, bool) {
					return Remove(rec, func(c string) bool { return c != check }, now)
				})
				m.remove(check, now)
			case action < 28: // crash
				rec = Record{}
				if err := json.Unmarshal(saved, &rec); err != nil {
					t.Fatal(err)
				}
			case action == 28:
				apply(func(rec Record) (Record, bool) { return Tick(rec, now, Timings{RepeatInterval: time.Hour}) })
			case action < 32:
				check := checkNames.Draw(t, "muted")
				m.mute(check, now)
				retract = m.muted[check]
				apply(func(rec Record) (Record, bool) {
					return Quieten(rec, now, m.mutes(t), Timings{GroupWait: groupWait})
				})
			case action == 32:
				apply(func(rec Record) (Record, bool) {
					inc, ok := rec.open()
					if !ok {
						return rec, false
					}
					m.delivered = true
					return Told(rec, Attempt{Incident: inc.ID, Receiver: "oncall", Seq: inc.Seq, At: now}, nil)
				})
			case action == 33: // nothing new to a mute that goes on
				apply(func(rec Record) (Record, bool) {
					next, changed := Quieten(rec, now, m.mutes(t), Timings{GroupWait: groupWait})
					if changed {
						t.Fatalf("a mute that goes on changed something")
					}
					return next, changed
				})
			default:
				apply(func(rec Record) (Record, bool) {
					next, past, ok := Prune(rec, func(*Incident) bool { return true })
					ended += len(past)
					for _, inc := range past {
						if inc.Reason == ReasonRemoved {
							gone++
						}
					}
					return next, ok
				})
			}
			compare(t, m, rec, ended, gone)
			if !maps.Equal(heard, m.heard) && !retract && told(rec) == news {
				t.Fatalf("heard of %v, now of %v, and that is not news", heard, m.heard)
			}
			if hushed != "" && maps.Equal(heard, m.heard) && told(rec) != news {
				t.Fatalf("news about %s, which is muted: %s", hushed, loud(rec))
			}
		}
	})
}

// told counts the news in all incidents of the record, by a number that only
// says whether there is more.
func told(rec Record) (n int) {
	for _, inc := range rec.Incidents {
		for _, e := range inc.Events {
			if !e.Quiet {
				n++
			}
		}
	}
	return n
}

func encoded(t *rapid.T, rec Record) []byte {
	raw, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func compare(t *rapid.T, m *model, rec Record, ended, gone int) {
	for check, state := range rec.Checks {
		for location, s := range state.Locations {
			if (s.Failures == 0) == (s.Passes == 0) || s.Since.IsZero() || s.Last.Before(s.Since) || len(s.Conditions) == 0 {
				t.Fatalf("check %s at %s: streak %+v makes no sense", check, location, s)
			}
		}
	}
	for _, check := range []string{"a", "b", "c"} {
		if got, want := rec.Checks[check].State, m.state(check); got != want {
			t.Fatalf("check %s is %q, the model says %q", check, got, want)
		}
	}
	inc, open := rec.open()
	if open != m.open {
		t.Fatalf("incident open: %t, the model says %t", open, m.open)
	}
	firing := map[string]bool{}
	for check, a := range inc.Alerts {
		if a.Firing {
			firing[check] = true
		}
	}
	if !maps.Equal(m.part, firing) {
		t.Fatalf("alerts that fire: %v, the model says %v", firing, m.part)
	}
	heard := map[string]bool{}
	for check, a := range inc.Told().Alerts {
		if a.Firing {
			heard[check] = true
		}
		if a.Firing && a.Flapping != m.flaps[check] {
			t.Fatalf("%s flaps: %t, the model says %t", check, a.Flapping, m.flaps[check])
		}
	}
	if !maps.Equal(m.heard, heard) {
		t.Fatalf("receivers hear of %v, the model says %v: %s", heard, m.heard, loud(rec))
	}
	for _, check := range []string{"a", "b", "c"} {
		want := cmp.Or(m.state(check), OK)
		switch {
		case m.part[check] && m.muted[check]:
			want = suppressed
		case m.flaps[check]:
			want = flapping
		}
		if got := rec.shown(check); got != want {
			t.Fatalf("metrics show %s as %s, the model says %s", check, got, want)
		}
	}
	opened := ended + len(rec.Incidents)
	for i := range rec.Incidents {
		inc := &rec.Incidents[i]
		if !inc.Open() {
			ended++
			if inc.Reason == ReasonRemoved {
				gone++
			}
		}
		if err := sane(inc, i == len(rec.Incidents)-1); err != nil {
			t.Fatal(err)
		}
	}
	if opened != m.opened || ended != m.ended || gone != m.removed {
		t.Fatalf("%d opened, %d ended, %d of them by removal; the model says %d, %d, %d", opened, ended, gone, m.opened, m.ended, m.removed)
	}
}

// sane is what must hold of every incident at all times.
func sane(inc *Incident, last bool) error {
	kinds := map[EventKind]int{}
	var highest catalog.Severity
	for i, e := range inc.Events {
		kinds[e.Kind]++
		if e.Seq != i+1 {
			return fmt.Errorf("event %d has number %d", i+1, e.Seq)
		}
		highest = louder(highest, e.Severity)
	}
	switch {
	case inc.Seq != len(inc.Events):
		return fmt.Errorf("%d events, the last is %d", len(inc.Events), inc.Seq)
	case inc.Events[0].Kind != EventOpened || kinds[EventOpened] != 1:
		return fmt.Errorf("story does not begin with opened, once: %v", inc.Events)
	case inc.Open() && (kinds[EventResolved] != 0 || !last || inc.Reason != ""):
		return fmt.Errorf("open, but reason %q, last %t", inc.Reason, last)
	case !inc.Open() && (kinds[EventResolved] != 1 || inc.Events[len(inc.Events)-1].Kind != EventResolved || inc.Reason == ""):
		return fmt.Errorf("over, but reason %q, events %v", inc.Reason, inc.Events)
	case inc.Severity.Rank() == 0 || inc.Peak != highest || !inc.Open() && inc.Severity != inc.Peak:
		return fmt.Errorf("severity %q, peak %q, highest told %q", inc.Severity, inc.Peak, highest)
	case inc.Since.IsZero() || inc.OpenedAt.Before(inc.Since):
		return fmt.Errorf("since %v, opened %v", inc.Since, inc.OpenedAt)
	}
	return nil
}
