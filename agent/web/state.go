package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// look is how a state is shown: a class for its colour, and always a word, for
// those who cannot see it.
type look struct {
	Class string // ok, info, warn, bad, idle
	Word  string
	rank  int // the worse the higher
}

// The looks of checks and sites.
func up() look         { return look{"ok", "up", 1} }
func waiting() look    { return look{"idle", "waiting", 0} }
func muted() look      { return look{"idle", "muted", 2} }
func recovering() look { return look{"warn", "recovering", 2} }
func confirming(n, of int) look {
	if of > 1 && n > 0 {
		return look{"warn", fmt.Sprintf("failing %d/%d", min(n, of), of), 3}
	}
	return look{"warn", "failing", 3}
}

// alarmed is the look of what fires with a severity.
func alarmed(severity catalog.Severity, word string) look {
	switch severity {
	case catalog.Info:
		return look{"info", word, 4}
	case catalog.Warning:
		return look{"warn", word, 5}
	}
	return look{"bad", word, 6}
}

// severityLook is the look of a severity itself.
func severityLook(s catalog.Severity) look { return alarmed(s, string(s)) }

// checkLook is that of a check: what the machine of alerts says, and where that
// has nothing to say, what the newest result does.
func checkLook(rec *incident.Record, c *Check, newest *checks.Result, v vantage) look {
	state := rec.Checks[c.Name]
	switch state.State {
	case incident.Firing:
		return firingLook(rec, c, newest, v)
	case incident.Pending:
		n := 0
		for _, streak := range state.Locations {
			n = max(n, streak.Failures)
		}
		if v.several() {
			return look{"warn", fmt.Sprintf("from %d/%d", len(v.failing), v.voting), 3}
		}
		if n > 0 {
			return confirming(n, c.Failures)
		}
	}
	if rec.Memory[c.Name].Flapping {
		return firingLook(rec, c, newest, v)
	}
	switch {
	case newest.Outcome == "" && v.elsewhere:
		return elsewhere()
	case newest.Outcome == "":
		return waiting()
	case newest.Outcome == checks.Pass:
		return up()
	}
	return confirming(0, c.Failures)
}

// firingLook is that of a check that fires, or flaps. What passes from here may
// fail from elsewhere: the alert has the result of somebody who sees it.
func firingLook(rec *incident.Record, c *Check, newest *checks.Result, v vantage) look {
	alert, ok := alertOf(rec, c.Name)
	severity := catalog.Warning // a check that flaps, and is well at the moment
	if ok {
		severity = alert.Loudness()
	}
	outcome := newest.Outcome
	if outcome != checks.Fail && len(v.failing) > 0 || outcome == "" {
		outcome = alert.Result.Outcome
	}
	switch {
	case alert.Hush == incident.HushMuted:
		return muted()
	case rec.Memory[c.Name].Flapping:
		return alarmed(severity, "flapping")
	case outcome == checks.Pass:
		return recovering()
	case outcome == checks.Degraded:
		return alarmed(severity, "degraded")
	}
	return alarmed(severity, "failing")
}

// alertOf is a check's alert in the open incident.
func alertOf(rec *incident.Record, check string) (incident.Alert, bool) {
	if n := len(rec.Incidents); n > 0 && rec.Incidents[n-1].Open() {
		a, ok := rec.Incidents[n-1].Alerts[check]
		return a, ok
	}
	return incident.Alert{}, false
}

// alerts lists those of an incident, the one that tells most first: it fires,
// it is the loudest, it was the first.
func alerts(inc *incident.Incident) []incident.Alert {
	return slices.SortedFunc(maps.Values(inc.Alerts), func(a, b incident.Alert) int {
		return cmp.Or(
			-cmp.Compare(bit(a.Firing), bit(b.Firing)),
			-cmp.Compare(a.Loudness().Rank(), b.Loudness().Rank()),
			a.FiredAt.Compare(b.FiredAt),
			strings.Compare(a.Check, b.Check))
	})
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// story is an incident as the pages tell it.
type story struct {
	ID       string
	Link     string
	Site     string
	SiteLink string // "" when the configuration has no such site
	Silence  string // link that offers to silence it, "" when that is not allowed
	Open     bool
	Look     look
	Headline string // condition and title of what tells most
	Since    moment
	Ended    moment // zero while open
	Lasted   string
	Reason   string // why it was closed, in words
	Into     string // link to the incident that it goes on as, and its ID
	IntoID   string
	Merged   bool // it was not resolved: it goes on, or was never one
	Causes   []cause
}

// Word is the state of an incident that is over.
func (s story) Word() string {
	if s.Merged {
		return "merged"
	}
	return "resolved"
}

// reasonText says why an incident was closed.
func reasonText(inc *incident.Incident) string {
	switch {
	case inc.Reason == incident.ReasonRemoved:
		return "closed as its last check left the configuration"
	case inc.Reason == incident.ReasonMerged && inc.Into != "":
		return "told by an agent that was cut off; it goes on as"
	case inc.Reason == incident.ReasonMerged:
		return "told by an agent that was cut off; no other saw it"
	}
	return inc.Reason
}

// storyLook is that of an incident: how bad it is, or was at its worst.
func storyLook(inc *incident.Incident) look {
	switch {
	case !inc.Open():
		return severityLook(inc.Peak)
	case hushed(inc):
		return muted()
	}
	return severityLook(inc.Severity)
}

// hushed tells whether all that fires in the incident is muted, be it since
// before it fired or only since it was told of.
func hushed(inc *incident.Incident) bool {
	fires := false
	for _, a := range inc.Alerts {
		if a.Firing && a.Hush != incident.HushMuted {
			return false
		}
		fires = fires || a.Firing
	}
	return fires
}

// cause is one condition of an incident with all that is said of it, and the
// checks that have it.
type cause struct {
	Condition  catalog.Condition
	Link       string // to the catalog
	Title      string
	Look       look
	Fault      string
	Owner      string
	Summary    string
	Verdict    string
	Evidence   []string
	SeenBy     string // the check whose evidence it is
	URL        string // what that check asked for
	At         moment // when
	Steps      []string
	DocURL     string
	RunbookURL string
	Checks     []string
}

// storyOf makes a story of an incident. Checks that have recovered give no
// cause while others still fail.
func (p *page) storyOf(inc *incident.Incident) story {
	st := story{
		ID: inc.ID, Link: p.Root.to("incidents", inc.ID),
		Site: inc.Site, Open: inc.Open(), Since: momentOf(inc.Since, p.now), Look: storyLook(inc),
	}
	if p.content.site(inc.Site) != nil {
		st.SiteLink = p.Root.to("sites", inc.Site)
	}
	end := p.now
	if !st.Open {
		end = inc.ResolvedAt
		st.Ended, st.Reason, st.Merged = momentOf(end, p.now), reasonText(inc), inc.Reason == incident.ReasonMerged
		if st.Merged && inc.Into != "" {
			st.Into = p.Root.to("incidents", inc.Into)
			st.IntoID = clean(inc.Into)
		}
	} else if st.SiteLink != "" && p.WhyNot == "" {
		st.Silence = p.silenceLink(inc.Site, "")
	}
	st.Lasted = span(end.Sub(inc.Since))
	for _, a := range alerts(inc) {
		if st.Open && !a.Firing {
			continue
		}
		i := slices.IndexFunc(st.Causes, func(c cause) bool { return c.Condition == a.Result.Condition() })
		if i >= 0 {
			st.Causes[i].Checks = append(st.Causes[i].Checks, a.Check)
			continue
		}
		st.Causes = append(st.Causes, p.causeOf(&a))
	}
	if len(st.Causes) > 0 {
		st.Headline = headline(st.Causes[0].Condition, st.Causes[0].Title)
	}
	return st
}

// headline is a condition with its title, the code only where it says something.
func headline(c catalog.Condition, title string) string {
	if c.StatusCode() != 0 || title == "" {
		return strings.TrimSpace(string(c) + " " + title)
	}
	return title
}

func (p *page) causeOf(a *incident.Alert) cause {
	c := cause{
		Condition: a.Result.Condition(), Link: p.Root.to("catalog", string(a.Result.Condition())),
		Look: severityLook(a.Loudness()), Checks: []string{a.Check},
		SeenBy: a.Check, URL: clean(a.Result.URL), At: momentOf(a.Result.StartedAt, p.now),
		RunbookURL: a.RunbookURL,
	}
	if d := a.Result.Diagnosis; d != nil {
		c.Title, c.Fault, c.Owner = clean(d.Title), faultWord(d.Fault), clean(d.Owner)
		c.Summary, c.Verdict, c.Evidence, c.Steps = clean(d.Summary), clean(d.Verdict), cleaned(d.Evidence), cleaned(d.Steps)
		c.DocURL = d.DocURL
		c.RunbookURL = cmp.Or(d.RunbookURL, c.RunbookURL)
	}
	return c
}

// faultWord is a fault domain as people read it.
func faultWord(f catalog.Fault) string { return strings.ReplaceAll(string(f), "_", " ") }
