package incident

import (
	"maps"
	"slices"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Hush is why nothing is told of an alert at present.
type Hush string

// The reasons to tell nothing.
const (
	HushNone  Hush = ""
	HushMuted Hush = "muted" // a silence or a maintenance covers it
	HushKnown Hush = "known" // its certificate was told of before
)

// Said is what receivers may last have been told of an alert.
type Said struct {
	Condition catalog.Condition `json:"condition,omitempty"`
	Severity  catalog.Severity  `json:"severity,omitempty"`
	Flapping  bool              `json:"flapping,omitempty"`
}

// say notes that an event tells what the alert looks like now.
func (a Alert) say() Alert {
	a.Untold = false
	a.Said = Said{Condition: a.Result.Condition(), Severity: a.Severity, Flapping: a.Flapping}
	return a
}

// differs tells whether there is more to say of the alert than was said.
func (a *Alert) differs() bool {
	return a.Untold || a.Result.Condition() != a.Said.Condition || a.Flapping != a.Said.Flapping ||
		a.Severity.Rank() > a.Said.Severity.Rank()
}

// audible tells whether the alert counts in what receivers are told.
func (a *Alert) audible() bool { return !a.Untold || a.Hush == HushNone }

// News is the Seq of the last event that is told for its own sake. Those after
// it are recorded only: they happened while something kept them quiet.
func (i *Incident) News() int { return i.Seq - i.Hushed }

// Told is the incident as receivers may see it: without the alerts of which
// nothing was ever to be told, and the events that are about them. When none of
// the others fires any more it is over, whatever goes on unheard.
func (i *Incident) Told() Incident {
	told := *i
	hidden := 0
	for _, a := range i.Alerts {
		if a.Untold {
			hidden++
		}
	}
	if hidden == 0 {
		return told
	}
	told.Alerts = make(map[string]Alert, len(i.Alerts))
	var last time.Time
	for check, a := range i.Alerts {
		if a.Untold {
			continue
		}
		told.Alerts[check] = a
		last = later(last, a.ResolvedAt)
	}
	told.Events = slices.DeleteFunc(slices.Clone(i.Events), func(e Event) bool {
		_, shown := told.Alerts[e.Check]
		return e.Check != "" && !shown
	})
	if i.Open() && i.News() > 0 && !told.firing() {
		if last.IsZero() {
			last = i.Events[len(i.Events)-1].At
		}
		told.ResolvedAt, told.Reason, told.Severity = last, ReasonRecovered, i.Peak
	}
	return told
}

// Held tells whether the incident is to wait: all that fires in it, as far as
// receivers know, is muted. What is over does not wait.
func (i *Incident) Held() bool {
	held := false
	for _, a := range i.Alerts {
		if !a.Firing || a.Untold && a.Hush != HushNone {
			continue
		}
		if a.Hush != HushMuted {
			return false
		}
		held = true
	}
	return held
}

// Quieten brings a site's open incident in line with the mutes in force at the
// time given. The bool tells that something changed.
//
//   - An alert that a mute begins to cover is not told from then on; if it fired
//     less than GroupWait ago and nobody was told of it yet, not at all.
//   - An alert that none covers any more is told if it still fires and there is
//     more to say of it than was said before: one that fired before the mute
//     and looks the same after it is not told again.
//
// A recovery is told within a mute too, if the failure was.
func Quieten(rec Record, at time.Time, mutes Mutes, t Timings) (Record, bool) {
	inc, ok := rec.open()
	if !ok {
		return rec, false
	}
	at = at.UTC().Round(0)
	changed := false
	for _, check := range slices.Sorted(maps.Keys(inc.Alerts)) {
		alert := inc.Alerts[check]
		if !alert.Firing {
			continue
		}
		was := alert.Hush
		alert.Hush = rec.hush(&alert, at, mutes)
		if alert.Hush == was && (was != HushNone || !alert.Untold) {
			continue
		}
		changed = true
		event := Event{At: at, Kind: EventUnmuted, Check: check, Condition: alert.Result.Condition()}
		switch alert.Hush {
		case HushMuted:
			event.Kind, event.Quiet = EventMuted, true
			if at.Before(alert.FiredAt.Add(t.GroupWait)) && inc.untold() {
				alert.Untold = true
			}
		case HushKnown:
			event.Quiet = true // the mute ends, and there is nothing to say
		case HushNone:
			if was == HushKnown {
				event.Kind = EventReminder // half of the certificate's time is over
			}
			if event.Quiet = !alert.differs(); !event.Quiet {
				alert = alert.say()
				rec = rec.certificateTold(&alert, at)
			}
		}
		inc = inc.withAlert(alert).with(event)
		if inc.untold() && inc.allUntold() {
			inc.Hushed = inc.Seq
		}
	}
	if !changed {
		return rec, false
	}
	return rec.withIncident(inc), true
}

// untold tells whether no receiver was told of the incident, nor may have been.
func (i *Incident) untold() bool {
	for _, d := range i.Deliveries {
		if d.Seq > 0 || d.Sending > 0 || d.Attempts > 0 || d.Digest != "" {
			return false
		}
	}
	return true
}

// allUntold tells whether there is no alert of which anything is to be told.
func (i *Incident) allUntold() bool {
	for _, a := range i.Alerts {
		if !a.Untold {
			return false
		}
	}
	return true
}

// hush is what keeps an alert quiet at the time given.
func (rec *Record) hush(a *Alert, at time.Time, mutes Mutes) Hush {
	site := a.Result.Site
	switch {
	case mutes.cover(site, a):
		return HushMuted
	case a.Untold && rec.knowsCertificate(a, at):
		return HushKnown
	}
	return HushNone
}
