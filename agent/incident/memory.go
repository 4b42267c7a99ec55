package incident

import (
	"maps"
	"slices"
	"time"
)

// Memory is what is remembered of a check beyond its present state, and while
// it is well too. A check of which nothing of the kind is known has none.
type Memory struct {
	// Changes are when the check began or ceased to fire, within the last
	// Flapping.Window; oldest first.
	Changes  []time.Time `json:"changes,omitempty"`
	Flapping bool        `json:"flapping,omitempty"`
	// Certificates are those of whose expiry was told, by fingerprint.
	Certificates map[string]Certificate `json:"certificates,omitempty"`
}

// Flapping is when a check is told as flapping: its state has changed more than
// Changes times within Window. It is steady again when it has not changed for
// one Window. Changes 0 = never.
type Flapping struct {
	Changes int
	Window  time.Duration
}

// maxFlaps bounds the changes that are remembered. More than that within a
// window are as many as that.
const maxFlaps = 500

func (f Flapping) changes() int { return min(f.Changes, maxFlaps) }

// changed is the memory after a change of state.
func (m Memory) changed(at time.Time, f Flapping) Memory {
	if f.Changes <= 0 {
		return m
	}
	var recent []time.Time
	for _, t := range m.Changes {
		// One of the future was written before the clock was set back.
		if t.After(at.Add(-f.Window)) && !t.After(at) {
			recent = append(recent, t)
		}
	}
	recent = append(recent, at)
	m.Changes = recent[max(0, len(recent)-f.changes()-1):]
	m.Flapping = m.Flapping || len(m.Changes) > f.changes()
	return m
}

// calm tells whether the last change is a window ago, or none is known.
func (m *Memory) calm(at time.Time, f Flapping) bool {
	if f.Changes <= 0 || len(m.Changes) == 0 {
		return true
	}
	since := at.Sub(m.Changes[len(m.Changes)-1])
	return since >= f.Window || since < -f.Window
}

// stirs tells whether the mere passing of time has something to change in it.
func (m *Memory) stirs(at time.Time, f Flapping) bool {
	if (m.Flapping || len(m.Changes) > 0) && m.calm(at, f) {
		return true
	}
	for _, c := range m.Certificates {
		if !at.Before(c.NotAfter) {
			return true
		}
	}
	return false
}

// settled is the memory without what time has made void.
func (m Memory) settled(at time.Time, f Flapping) Memory {
	if m.calm(at, f) {
		m.Changes, m.Flapping = nil, false
	}
	for _, c := range m.Certificates {
		if !at.Before(c.NotAfter) {
			m.Certificates = maps.Clone(m.Certificates)
			maps.DeleteFunc(m.Certificates, func(_ string, c Certificate) bool { return !at.Before(c.NotAfter) })
			break
		}
	}
	return m
}

func (m *Memory) empty() bool {
	return len(m.Changes) == 0 && !m.Flapping && len(m.Certificates) == 0
}

func (m *Memory) equal(o *Memory) bool {
	return m.Flapping == o.Flapping && slices.EqualFunc(m.Changes, o.Changes, time.Time.Equal) &&
		maps.Equal(m.Certificates, o.Certificates)
}

// withMemory is the record with what is remembered of the check.
func (rec Record) withMemory(check string, m Memory) Record {
	old, known := rec.Memory[check]
	if m.empty() && !known || known && m.equal(&old) {
		return rec
	}
	all := maps.Clone(rec.Memory)
	switch {
	case m.empty():
		delete(all, check)
	case all == nil:
		all = map[string]Memory{check: m}
	default:
		all[check] = m
	}
	if len(all) == 0 {
		all = nil
	}
	rec.Memory = all
	return rec
}

// flap notes in the open incident that a check begins to flap, or is steady
// again. It counts as firing in between, so that it is one story.
func (rec Record) flap(check string, at time.Time, kind EventKind) Record {
	inc, ok := rec.open()
	alert, part := inc.Alerts[check]
	if !ok || !part || !alert.Firing {
		return rec
	}
	alert.Flapping = kind == EventFlapping
	quiet := alert.Hush != HushNone
	if !quiet {
		alert = alert.say()
	}
	inc = inc.withAlert(alert).with(Event{At: at, Kind: kind, Check: check, Condition: alert.Result.Condition(), Quiet: quiet})
	return rec.withIncident(inc)
}
