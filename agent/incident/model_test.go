package incident

import (
	"bytes"
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
}

func (m *model) result(check, location string, failed bool) {
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
	m.set(check, alarms >= m.quorum, false)
}

func (m *model) set(check string, firing, removal bool) {
	if firing && !m.open {
		m.open, m.opened = true, m.opened+1
	}
	was := m.firing[check]
	delete(m.firing, check)
	if firing {
		m.firing[check] = true
	}
	if was && len(m.firing) == 0 {
		m.open, m.ended = false, m.ended+1
		if removal {
			m.removed++
		}
	}
}

func (m *model) remove(check string) {
	delete(m.results, check)
	delete(m.alarm, check)
	m.set(check, false, true)
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
			Quorum:       rapid.IntRange(1, 2).Draw(t, "quorum"),
			Locations:    []string{"fra", "sin"},
		}
		m := &model{failures: p.Failures, resolveAfter: p.ResolveAfter, quorum: p.Quorum,
			results: map[string]map[string][]bool{}, alarm: map[string]map[string]bool{}, firing: map[string]bool{}}
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
			switch action := rapid.IntRange(0, 29).Draw(t, "action"); {
			case action < 24:
				r := result(checkNames.Draw(t, "check"), whats.Draw(t, "what"), now)
				r.Location = rapid.SampledFrom(p.Locations).Draw(t, "location")
				apply(func(rec Record) (Record, bool) { return Next(rec, r, p) })
				m.result(r.Check, r.Location, r.Diagnosis != nil)
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
				m.remove(check)
			case action < 28: // crash
				rec = Record{}
				if err := json.Unmarshal(saved, &rec); err != nil {
					t.Fatal(err)
				}
			case action == 28:
				apply(func(rec Record) (Record, bool) { return Tick(rec, now, Timings{RepeatInterval: time.Hour}) })
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
		}
	})
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
	if !maps.Equal(m.firing, firing) {
		t.Fatalf("alerts that fire: %v, the model says %v", firing, m.firing)
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
