package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// incidentPage is one incident in full, open or past.
type incidentPage struct {
	Story  story
	Alerts []alertRow
	Events []eventRow
	Gap    bool // events were dropped for newer ones
	Told   []toldRow
	Mutes  []mute // in force, that may cover something of it
	Single string // one agent judged it alone: why
}

// alertRow is one check's part.
type alertRow struct {
	Check, Link string
	Look        look
	Conditions  []conditionLink
	Since       moment
	Lasted      string
	Ended       string // "" while it fires
	Run         string // link that runs it now, "" when that is not allowed
	Seen        string // from where it is seen, and what that means
	Pattern     string
	Views       []viewRow // where several locations vote
}

type conditionLink struct{ Condition, Link string }

// eventRow is one line of the timeline.
type eventRow struct {
	At    moment
	Day   string // "" when it is that of the event before
	Clock string
	After string // since the first failure
	Look  look
	Text  string
	Gap   bool // events between this and the one before are not kept
}

// toldRow is what one receiver has been told.
type toldRow struct {
	Receiver string
	Look     look
	Text     string
}

func (s *Server) incidentPage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p := s.begin(r, "incidents", "Incident "+id)
	inc, ok, err := s.opts.Incidents.Incident(r.Context(), id)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	if !ok {
		s.missing(w, r, fmt.Sprintf("There is no incident %.80q. Of each site the last twenty are kept.", id), p.Incidents(), "All incidents")
		return
	}
	v := incidentPage{Story: p.storyOf(&inc), Single: singleView(&inc)}
	p.Live = inc.Open()
	p.Title = inc.Site + ": " + v.Story.Headline
	p.Icon = v.Story.Look.Class
	if !inc.Open() {
		p.Icon = "ok"
	}
	for _, a := range alerts(&inc) {
		row := p.alertOf(&inc, &a)
		if s.opts.Cluster != nil && !s.opts.Cluster.Runs(inc.Site, a.Check) {
			row.Run = ""
		}
		v.Alerts = append(v.Alerts, row)
	}
	for i := range p.inForce {
		if inc.Open() && p.inForce[i].touches(&inc) {
			v.Mutes = append(v.Mutes, p.inForce[i])
		}
	}
	v.Events = p.timeline(&inc)
	for _, name := range slices.Sorted(maps.Keys(inc.Deliveries)) {
		v.Told = append(v.Told, p.toldOf(&inc, name, inc.Deliveries[name]))
	}
	p.Says = inc.Site + ": " + v.Story.Headline + map[bool]string{true: ", open", false: ", resolved"}[inc.Open()]
	p.Body = &v
	s.write(w, r, http.StatusOK, "incident", p)
}

func (p *page) alertOf(inc *incident.Incident, a *incident.Alert) alertRow {
	row := alertRow{
		Check: a.Check, Look: alarmed(a.Loudness(), "firing"), Since: momentOf(a.Since, p.now), Lasted: span(p.now.Sub(a.Since)),
		Seen: seenBy(a), Pattern: patternText(a),
	}
	if a.Firing {
		row.Views = viewsOf(a)
	}
	if p.content.has(inc.Site, a.Check) {
		row.Link = p.Root.to("sites", inc.Site) + "#check-" + a.Check
		if a.Firing && p.WhyNot == "" {
			row.Run = p.Root.to("sites", inc.Site, "checks", a.Check, "run")
		}
	}
	switch {
	case a.Firing && a.Hush == incident.HushMuted:
		row.Look = muted()
	case a.Flapping:
		row.Look.Word = "flapping"
	}
	if !a.Firing {
		row.Look, row.Ended = look{"ok", "recovered", 1}, momentOf(a.ResolvedAt, p.now).Text
		row.Lasted = span(a.ResolvedAt.Sub(a.Since))
	}
	for _, c := range a.Conditions {
		row.Conditions = append(row.Conditions, conditionLink{string(c), p.Root.to("catalog", string(c))})
	}
	return row
}

// timeline lists the events, oldest first, with the first failure before them.
func (p *page) timeline(inc *incident.Incident) []eventRow {
	rows := []eventRow{{At: momentOf(inc.Since, p.now), Look: look{Class: "warn"}, Text: "First failure"}}
	times := []time.Time{inc.Since}
	seq := 0
	for _, e := range inc.Events {
		look, text := eventText(&e, inc)
		if e.Quiet {
			text += " (not told)"
		}
		rows = append(rows, eventRow{At: momentOf(e.At, p.now), Look: look, Text: text, Gap: e.Seq > seq+1})
		times = append(times, e.At)
		seq = e.Seq
	}
	day := ""
	for i, at := range times {
		at = at.UTC()
		rows[i].Clock = at.Format(time.TimeOnly)
		if d := at.Format("Monday, 2 January 2006"); d != day {
			rows[i].Day, day = d, d
		}
		if i > 0 {
			rows[i].After = "+" + span(at.Sub(inc.Since))
		}
	}
	return rows
}

// eventText says what an event was.
func eventText(e *incident.Event, inc *incident.Incident) (look, string) {
	loud := alarmed(e.Severity, "")
	of := ""
	if e.Condition != "" {
		of = " with " + string(e.Condition)
	}
	switch e.Kind {
	case incident.EventOpened:
		return loud, fmt.Sprintf("Opened: %s fails%s", e.Check, of)
	case incident.EventJoined:
		return loud, fmt.Sprintf("%s fails too%s", e.Check, of)
	case incident.EventChanged:
		return loud, fmt.Sprintf("%s changed from %s to %s", e.Check, e.Was, e.Condition)
	case incident.EventSeverity:
		return loud, fmt.Sprintf("Severity rose to %s", e.Severity)
	case incident.EventLeft:
		return look{Class: "ok"}, fmt.Sprintf("%s recovered", e.Check)
	case incident.EventResolved:
		switch {
		case inc.Reason == incident.ReasonRemoved:
			return look{Class: "idle"}, "Closed: its last check left the configuration"
		case inc.Reason == incident.ReasonMerged && inc.Into != "":
			return look{Class: "idle"}, "Closed: it goes on as incident " + clean(inc.Into) + ", which the other agents tell"
		case inc.Reason == incident.ReasonMerged:
			return look{Class: "idle"}, "Closed: the agent is no longer cut off, and no other sees it"
		}
		return look{Class: "ok"}, fmt.Sprintf("Resolved: %s recovered", e.Check)
	case incident.EventReminder:
		return loud, "Still going on: receivers were reminded"
	case incident.EventRemoved:
		return look{Class: "idle"}, fmt.Sprintf("%s left the configuration", e.Check)
	case incident.EventFlapping:
		return loud, fmt.Sprintf("%s is flapping", e.Check)
	case incident.EventSteady:
		return loud, fmt.Sprintf("%s no longer flaps", e.Check)
	case incident.EventSpread:
		return loud, fmt.Sprintf("%s fails from %s too%s", e.Check, clean(e.Location), of)
	case incident.EventShared:
		return look{Class: "info"}, fmt.Sprintf("%s told it while it was cut off; from here on all agents do", clean(e.Location))
	case incident.EventMuted:
		return look{Class: "idle"}, strings.TrimSpace(e.Check + " is muted by a silence or maintenance")
	case incident.EventUnmuted:
		return loud, strings.TrimSpace(e.Check + " is no longer muted")
	}
	return look{Class: "idle"}, string(e.Kind)
}

func (p *page) toldOf(inc *incident.Incident, name string, d incident.Delivery) toldRow {
	row := toldRow{Receiver: name}
	at := "at " + momentOf(d.ToldAt, p.now).Text
	if d.Digest != "" {
		at += ", in a digest of several"
	}
	switch {
	case d.Dropped:
		row.Look, row.Text = look{"bad", "refused", 0}, clean(d.LastError)
	case d.LastError != "" && d.Attempts > 0:
		row.Look = look{"warn", "trying", 0}
		row.Text = fmt.Sprintf("%s in vain: %s", plural(d.Attempts, "attempt"), clean(d.LastError))
	case d.Seq >= inc.News() && !d.ToldAt.IsZero():
		row.Look, row.Text = look{"ok", "told", 0}, at
	case !d.ToldAt.IsZero():
		row.Look, row.Text = look{"info", "told", 0}, at+"; newer changes follow"
	case inc.Open() && hushed(inc):
		row.Look, row.Text = muted(), "held back"
	default:
		row.Look, row.Text = look{"info", "soon", 0}, "not told yet"
	}
	return row
}
