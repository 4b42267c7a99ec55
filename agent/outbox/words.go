package outbox

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

// writer words incidents for one receiver. It is the one mapping from what the
// agent remembers to what a receiver is told.
type writer struct {
	receiver    string
	externalURL string // of the status page, "" when there is none
	lang        string
	translate   func(checks.Result) checks.Result // nil: results are in lang
	phrases     phrases
	words       notify.Words
}

func newWriter(r Receiver, externalURL string) writer {
	return writer{r.Name, externalURL, r.Lang, r.Translate, phrasesFor(r.Lang), notify.WordsFor(r.Lang)}
}

// translated is the incident with its results in the receiver's language.
func (w writer) translated(inc *incident.Incident) *incident.Incident {
	if w.translate == nil {
		return inc
	}
	in := *inc
	in.Alerts = maps.Clone(inc.Alerts)
	for name, a := range in.Alerts {
		a.Result = w.translate(a.Result)
		in.Alerts[name] = a
	}
	return &in
}

// notification is the incident's present state for a receiver that has been
// told what told says. inc is the incident as receivers may see it.
func (w writer) notification(inc *incident.Incident, told incident.Delivery) notify.Notification {
	inc = w.translated(inc)
	n := notify.Notification{
		ID:          inc.ID,
		Seq:         inc.Seq,
		Receiver:    w.receiver,
		Site:        inc.Site,
		Firing:      inc.Open(),
		Severity:    string(inc.Severity),
		Since:       inc.Since,
		OpenedAt:    inc.OpenedAt,
		ResolvedAt:  inc.ResolvedAt,
		At:          inc.OpenedAt,
		IncidentURL: w.page("incidents", inc.ID),
		Receipt:     maps.Clone(notify.Receipt(told.Receipt)),
		Lang:        w.lang,
	}
	if !n.Firing {
		n.Reason = inc.Reason
	}
	if told.Sending > 0 {
		n.Doubtful, n.DoubtfulSince = true, told.SendingAt
	}
	for _, a := range sortedAlerts(inc) {
		n.Alerts = append(n.Alerts, w.alert(inc, &a))
		if n.SiteURL == "" {
			n.SiteURL = siteURL(a.Result.URL)
		}
	}
	n.Summary = w.summary(inc, n.Alerts)
	for _, e := range inc.Events {
		n.At = e.At
		if e.Seq > told.Seq {
			n.Events = append(n.Events, notify.Event{Seq: e.Seq, At: e.At, Kind: string(e.Kind), Text: w.event(inc, &e)})
		}
	}
	return n
}

// sortedAlerts are an incident's alerts, the firing ones first, then by
// severity and name.
func sortedAlerts(inc *incident.Incident) []incident.Alert {
	return slices.SortedFunc(maps.Values(inc.Alerts), func(a, b incident.Alert) int {
		if a.Firing != b.Firing {
			if a.Firing {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.Loudness().Rank(), a.Loudness().Rank()), strings.Compare(a.Check, b.Check))
	})
}

func (w writer) alert(inc *incident.Incident, a *incident.Alert) notify.Alert {
	r := &a.Result
	condition := r.Condition()
	alert := notify.Alert{
		Check:      a.Check,
		URL:        r.URL,
		Location:   a.ToldFrom(),
		Firing:     a.Firing,
		Flapping:   a.Firing && a.Flapping,
		Since:      a.Since,
		ResolvedAt: a.ResolvedAt,
		Condition:  string(condition),
		Severity:   string(a.Loudness()),
		RunbookURL: a.RunbookURL,
		StatusCode: r.StatusCode,
		RequestID:  r.Edge.RequestID,
		Labels:     maps.Clone(a.Labels),
	}
	for _, c := range a.Conditions {
		alert.Conditions = append(alert.Conditions, string(c))
	}
	if condition != "" {
		alert.CatalogURL = w.page("catalog", string(condition))
	}
	if d := r.Diagnosis; d != nil {
		alert.Title, alert.Fault, alert.Owner = d.Title, string(d.Fault), d.Owner
		alert.Summary, alert.Verdict, alert.DocURL = d.Summary, d.Verdict, d.DocURL
		alert.Evidence, alert.Steps = slices.Concat(w.single(inc, a), w.views(a), d.Evidence), slices.Clone(d.Steps)
		// The diagnosis' runbook is about this very condition.
		alert.RunbookURL = cmp.Or(d.RunbookURL, a.RunbookURL)
	}
	return alert
}

// summary is the incident in one line. alerts are sorted.
func (w writer) summary(inc *incident.Incident, alerts []notify.Alert) string {
	what := w.what(inc, alerts)
	switch {
	case inc.Open():
		return fmt.Sprintf(w.phrases.failing, inc.Site, what)
	case inc.Reason == incident.ReasonRemoved:
		return fmt.Sprintf(w.phrases.closed, inc.Site, w.lasted(inc.Since, inc.ResolvedAt), what)
	case inc.Reason == incident.ReasonMerged:
		return fmt.Sprintf(w.phrases.merged, inc.Site, w.mergedInto(inc), what)
	default:
		return fmt.Sprintf(w.phrases.recovered, inc.Site, w.lasted(inc.Since, inc.ResolvedAt), what)
	}
}

// what is what fails in an incident: the conditions, and the checks that show them.
func (w writer) what(inc *incident.Incident, alerts []notify.Alert) string {
	const maxGroups, maxChecks = 3, 5
	n := notify.Notification{Firing: inc.Open(), Alerts: alerts}
	groups := notify.Groups(n.Telling())
	var parts []string
	for _, g := range groups[:min(maxGroups, len(groups))] {
		names, more := g.Checks(maxChecks)
		if more > 0 {
			names = append(names, w.words.More(more))
		}
		parts = append(parts, fmt.Sprintf(w.phrases.group, g.Label(), strings.Join(names, w.phrases.comma)))
	}
	if more := len(groups) - maxGroups; more > 0 {
		parts = append(parts, w.words.More(more))
	}
	return strings.Join(parts, w.phrases.semicolon)
}

// event is one line of the history.
func (w writer) event(inc *incident.Incident, e *incident.Event) string {
	p := &w.phrases
	switch e.Kind {
	case incident.EventOpened, incident.EventJoined:
		return fmt.Sprintf(p.fails, e.Check, w.condition(inc, e.Check, e.Condition))
	case incident.EventChanged:
		return fmt.Sprintf(p.changes, e.Check, e.Was, w.condition(inc, e.Check, e.Condition))
	case incident.EventSeverity:
		return fmt.Sprintf(p.severity, w.words.Severity(string(e.Severity)))
	case incident.EventLeft:
		// A check that failed again since has another spell by now.
		if a := inc.Alerts[e.Check]; a.ResolvedAt.Equal(e.At) {
			return fmt.Sprintf(p.leftAfter, e.Check, w.lasted(a.Since, e.At))
		}
		return fmt.Sprintf(p.left, e.Check)
	case incident.EventResolved:
		if inc.Reason == incident.ReasonRemoved {
			return fmt.Sprintf(p.over, w.lasted(inc.Since, e.At))
		}
		if inc.Reason == incident.ReasonMerged {
			return w.mergedInto(inc)
		}
		return fmt.Sprintf(p.allWell, e.Check, inc.Site, w.lasted(inc.Since, e.At))
	case incident.EventReminder:
		if a, ok := inc.Alerts[e.Check]; ok && a.Result.TLS != nil {
			return fmt.Sprintf(p.certificate, e.Check, w.lasted(e.At, a.Result.TLS.Ends()))
		}
		return fmt.Sprintf(p.reminder, w.lasted(inc.Since, e.At))
	case incident.EventRemoved:
		return fmt.Sprintf(p.removed, e.Check)
	case incident.EventFlapping:
		return fmt.Sprintf(p.flapping, e.Check)
	case incident.EventSteady:
		return fmt.Sprintf(p.steady, e.Check)
	case incident.EventMuted:
		return fmt.Sprintf(p.muted, e.Check)
	case incident.EventUnmuted:
		return fmt.Sprintf(p.unmuted, e.Check, w.condition(inc, e.Check, e.Condition))
	case incident.EventSpread:
		return w.spread(inc, e)
	case incident.EventShared:
		return fmt.Sprintf(p.shared, e.Location)
	}
	return string(e.Kind)
}

// condition names a condition with its title and fault where the record knows
// them, which is of the one that the check has now.
func (w writer) condition(inc *incident.Incident, check string, c catalog.Condition) string {
	d := inc.Alerts[check].Result.Diagnosis
	if d == nil || d.Condition != c || d.Title == "" {
		return string(c)
	}
	name := string(c) + " " + d.Title
	if c.StatusCode() == 0 {
		name = d.Title // says the same in words
	}
	if d.Fault == "" {
		return name
	}
	return fmt.Sprintf(w.phrases.fault, name, d.Fault)
}

func (w writer) lasted(from, to time.Time) string { return w.words.Duration(to.Sub(from)) }

// page is the address of something on the status page, "" when that has none.
func (w writer) page(elem ...string) string {
	if w.externalURL == "" {
		return ""
	}
	for i := range elem {
		elem[i] = url.PathEscape(elem[i])
	}
	page, err := url.JoinPath(w.externalURL, elem...)
	if err != nil {
		return ""
	}
	return page
}

// siteURL is scheme and host of a check's URL.
func siteURL(check string) string {
	u, err := url.Parse(check)
	if err != nil || u.Host == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}
