package incident

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

const (
	// maxEvents bounds an incident's history.
	maxEvents = 200
	// maxChanges bounds the EventChanged of one check in it, so that one check
	// cannot push the others' history out.
	maxChanges = 40
	// steadyAfter is how long a condition that came back has to hold before its
	// coming back is an event. Without it a check that alternates between two
	// conditions would be an event a result.
	steadyAfter = 10 * time.Minute
)

// The reasons for which an incident is closed.
const (
	ReasonRecovered = "recovered"
	ReasonRemoved   = "removed"
	ReasonMerged    = "merged"
)

// fire makes r's check part of the site's incident, opening one if need be.
func (rec Record) fire(r checks.Result, state CheckState, p Policy) Record {
	at := end(r)
	inc, joins := rec.open()
	if !joins {
		inc = Incident{ID: rec.newID(r.Site, at), Site: r.Site, OpenedAt: at, Single: p.Single}
	}
	alert := inc.Alerts[r.Check] // a former spell's conditions are part of the story
	alert.Check, alert.Firing = r.Check, true
	alert.FiredAt, alert.ResolvedAt, alert.ChangedAt = at, time.Time{}, at
	alert.Since = time.Time{}
	for _, location := range slices.Sorted(maps.Keys(state.Locations)) {
		streak := state.Locations[location]
		if alert.Since.IsZero() || streak.Since.Before(alert.Since) {
			alert.Since = streak.Since
		}
		for _, condition := range streak.Conditions {
			alert.Conditions = seen(alert.Conditions, condition)
		}
	}
	alert.Severity = ""
	alert = alert.shows(r, p)
	alert.Spread = nil
	alert, _ = alert.sees(state.views(p))
	alert.Untold, alert.Said = true, Said{}
	alert.Hush = rec.hush(&alert, at, p.Mutes)
	quiet := alert.Hush != HushNone
	if !quiet {
		alert = alert.say()
		rec = rec.certificateTold(&alert, at)
	}
	if !joins || alert.Since.Before(inc.Since) {
		inc.Since = alert.Since
	}

	before := inc.Severity
	inc = inc.withAlert(alert)
	event := Event{At: at, Kind: EventOpened, Check: r.Check, Condition: r.Condition(), Quiet: quiet}
	if joins {
		event.Kind = EventJoined
	}
	inc = inc.with(event)
	if joins && inc.Severity.Rank() > before.Rank() {
		event.Kind = EventSeverity
		inc = inc.with(event)
	}
	return rec.withIncident(inc)
}

// change takes another failed result into an alert that fires already. The bool
// tells that it must be saved.
func (rec Record) change(r checks.Result, state CheckState, p Policy) (Record, bool) {
	inc, ok := rec.open()
	alert, part := inc.Alerts[r.Check]
	if !ok || !part {
		return rec, false
	}
	at := end(r)
	seq, severity, hush, was := inc.Seq, inc.Severity, alert.Hush, alert
	alert = alert.shows(r, p)
	if r.Condition() != was.Result.Condition() {
		alert.ChangedAt = at
	}
	alert, more := alert.sees(state.views(p))
	alert.Hush = rec.hush(&alert, at, p.Mutes)

	var events []Event
	if kind, told := inc.news(&alert, at); kind != "" {
		events = append(events, Event{At: at, Kind: kind, Check: r.Check, Condition: r.Condition(), Was: told})
	}
	for _, location := range more {
		events = append(events, Event{At: at, Kind: EventSpread, Check: r.Check, Condition: r.Condition(), Location: location})
	}
	loud := alert.Hush == HushNone
	switch {
	case !loud:
	case hush == HushMuted && (alert.Untold || !p.Mutes.cover(r.Site, &was)):
		// The mute may also stand and only not cover the new condition. What has
		// changed is then told as such, lest one that alternates be told each time.
		events = append(events, Event{At: at, Kind: EventUnmuted, Check: r.Check, Condition: r.Condition(), Quiet: !alert.differs()})
	case len(events) == 0 && (alert.Untold || alert.expiring() != "" && !rec.knowsCertificate(&alert, at)):
		events = append(events, Event{At: at, Kind: EventReminder, Check: r.Check, Condition: r.Condition()})
	}
	inc = inc.withAlert(alert)
	if inc.Severity.Rank() > severity.Rank() {
		events = append(events, Event{At: at, Kind: EventSeverity, Check: r.Check, Condition: r.Condition()})
	}
	for _, e := range events {
		e.Quiet = e.Quiet || !loud || alert.Flapping && (e.Kind == EventChanged || e.Kind == EventSpread)
		if !e.Quiet {
			alert = alert.say()
			rec = rec.certificateTold(&alert, at)
			inc = inc.withAlert(alert)
		}
		inc = inc.with(e)
	}
	return rec.withIncident(inc), inc.Seq != seq || alert.Hush != hush
}

// news tells whether the present condition of an alert that fires is an event,
// and which condition the history has it in.
func (i *Incident) news(a *Alert, at time.Time) (kind EventKind, told catalog.Condition) {
	condition := a.Result.Condition()
	told, repeated, room := i.toldChange(a.Check, condition)
	steady := at.Sub(a.ChangedAt) >= steadyAfter
	if condition != told && room && (!repeated || steady) {
		return EventChanged, told
	}
	return "", told
}

// toldChange looks through the history of a check: the condition that it has
// there, whether the change from that to condition has happened before, and
// whether there is room for one more change.
func (i *Incident) toldChange(check string, condition catalog.Condition) (told catalog.Condition, repeated, room bool) {
	changes := 0
	before := make(map[catalog.Condition]bool) // what it has changed to condition from
	for _, e := range i.Events {
		if e.Check != check {
			continue
		}
		switch e.Kind {
		case EventChanged:
			changes++
			if e.Condition == condition {
				before[e.Was] = true
			}
			told = e.Condition
		case EventOpened, EventJoined:
			told = e.Condition
		}
	}
	return told, before[told], changes < maxChanges
}

// recover ends a check's part in the open incident, and the incident with the
// last one. kind is why: EventLeft or EventRemoved.
func (rec Record) recover(check string, at time.Time, kind EventKind) Record {
	inc, ok := rec.open()
	alert, part := inc.Alerts[check]
	if !ok || !part || !alert.Firing {
		return rec
	}
	alert.Firing, alert.Flapping, alert.ResolvedAt, alert.Hush = false, false, at, HushNone
	inc = inc.withAlert(alert)
	event := Event{At: at, Kind: kind, Check: check, Was: alert.Result.Condition(), Quiet: alert.Untold}
	over := !inc.firing()
	if over {
		inc.ResolvedAt, inc.Severity, inc.Reason = at, inc.Peak, ReasonRecovered
		if kind == EventRemoved {
			inc.Reason = ReasonRemoved
		}
	}
	if !over || kind == EventRemoved {
		inc = inc.with(event)
	}
	if over {
		event.Kind = EventResolved
		inc = inc.with(event)
	}
	return rec.withIncident(inc)
}

// shows is the alert with r as what it looks like now.
func (a Alert) shows(r checks.Result, p Policy) Alert {
	a.Conditions = seen(a.Conditions, r.Condition())
	a.Severity = louder(a.Severity, severity(r))
	a.Labels, a.Receivers, a.RunbookURL = p.Labels, p.Receivers, p.RunbookURL
	a.Result = trim(r)
	return a
}

// Loudness is the severity of the condition that the alert has now, which is what
// its label says. Severity decides how loudly its incident is told, to whom, and
// whether a silence holds: who silenced an outage is not woken because it eased.
func (a *Alert) Loudness() catalog.Severity { return severity(a.Result) }

// severity is how loudly a result that did not pass is told.
func severity(r checks.Result) catalog.Severity {
	var s catalog.Severity
	if r.Diagnosis != nil {
		s = r.Diagnosis.Severity
	}
	switch {
	case r.Condition() == catalog.InternalError && (s == "" || s.Rank() > catalog.Warning.Rank()):
		return catalog.Warning // the site may be well
	case s != "":
		return s
	case r.Outcome == checks.Degraded:
		return catalog.Warning
	}
	return catalog.Critical
}

func louder(a, b catalog.Severity) catalog.Severity {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// open is the site's open incident, if there is one.
func (rec *Record) open() (Incident, bool) {
	if n := len(rec.Incidents); n > 0 && rec.Incidents[n-1].Open() {
		return rec.Incidents[n-1], true
	}
	return Incident{}, false
}

// withIncident is the record with inc in the place of the one with its ID, or
// as its newest.
func (rec Record) withIncident(inc Incident) Record {
	at := slices.IndexFunc(rec.Incidents, func(i Incident) bool { return i.ID == inc.ID })
	incidents := slices.Clone(rec.Incidents)
	if at < 0 {
		incidents = append(incidents, inc)
	} else {
		incidents[at] = inc
	}
	rec.Incidents = incidents
	return rec
}

// withAlert is the incident with the alert in it, and its severity with it.
func (i Incident) withAlert(a Alert) Incident {
	alerts := maps.Clone(i.Alerts)
	if alerts == nil {
		alerts = make(map[string]Alert, 1)
	}
	alerts[a.Check] = a
	i.Alerts = alerts
	var heard, all catalog.Severity
	for _, alert := range alerts {
		if alert.Firing {
			all = louder(all, alert.Severity)
			if alert.audible() {
				heard = louder(heard, alert.Severity)
			}
		}
	}
	// Who is told of a warning is not to be alarmed by what was silenced.
	i.Severity = cmp.Or(heard, all)
	i.Peak = louder(i.Peak, i.Severity)
	return i
}

// with is the incident with one more event, numbered.
func (i Incident) with(e Event) Incident {
	i.Seq++
	if i.Hushed++; !e.Quiet {
		i.Hushed = 0
	}
	e.Seq, e.Severity = i.Seq, i.Severity
	events := make([]Event, 0, min(len(i.Events)+1, maxEvents))
	if len(i.Events) < maxEvents {
		events = append(events, i.Events...)
	} else {
		events = append(events, i.Events[0])
		events = append(events, i.Events[len(i.Events)-maxEvents+2:]...)
	}
	i.Events = append(events, e)
	return i
}

// firing tells whether any alert of the incident still fires.
func (i *Incident) firing() bool {
	for _, a := range i.Alerts {
		if a.Firing {
			return true
		}
	}
	return false
}

const (
	// idTime is the time in an ID, as it is written.
	idTime = "-20060102T150405Z"
	// idTail is the length of an ID after the site's name.
	idTail = len(idTime) + len("-") + 6
)

// newID is short, unique, safe in a URL, and the same whenever it is made again:
// site-20261124T003412Z-ab12cd, with a long site's name cut.
func (rec *Record) newID(site string, at time.Time) string {
	const maxSite = 63 - idTail
	seed := site + at.Format(time.RFC3339Nano)
	for n := 0; ; n++ {
		sum := sha256.Sum256([]byte(seed + strconv.Itoa(n)))
		id := site[:min(len(site), maxSite)] + at.UTC().Format(idTime) + "-" + hex.EncodeToString(sum[:3])
		if !slices.ContainsFunc(rec.Incidents, func(i Incident) bool { return i.ID == id }) {
			return id
		}
	}
}
