package outbox

import (
	"slices"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

// Receiver is one place where notifications go. Its slices and maps must not be
// changed once it was handed over.
type Receiver struct {
	Name     string
	Notifier notify.Notifier
	Match    Match
	// SendResolved tells whether the receiver wants to know of an incident's end.
	SendResolved bool
	Lang         string // "en" or "zh"
	// Translate gives a result its words in Lang; nil: they are in it already.
	Translate func(checks.Result) checks.Result

	// added is when a reload brought the receiver, zero for one of the start:
	// what was over by then is no news to it.
	added time.Time
}

// Match says which alerts a receiver gets of those that name no receivers. An
// empty part fits every alert, a list fits when one of it does, and all of
// Labels have to.
type Match struct {
	Severity []string
	Fault    []string
	Site     []string
	Labels   map[string]string
}

// fits tells whether the match fits an alert of the site.
func (m *Match) fits(site string, a *incident.Alert) bool {
	var fault string
	if d := a.Result.Diagnosis; d != nil {
		fault = string(d.Fault)
	}
	if !oneOf(m.Site, site) || !oneOf(m.Severity, string(a.Severity)) || !oneOf(m.Fault, fault) {
		return false
	}
	for name, value := range m.Labels {
		if got, ok := a.Labels[name]; !ok || got != value {
			return false
		}
	}
	return true
}

func oneOf(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }

// wants tells whether the receiver is to be told of the incident's present
// state, if it was not yet. inc is the incident as receivers may see it.
//
// Once it was told of an incident it is told of the rest, whatever the match
// says by then: who was woken must also learn that it is over. Alerts that
// recovered meanwhile count too, for else a short outage while the receiver was
// out of reach would never be told.
func (r *Receiver) wants(inc *incident.Incident) bool {
	if !inc.Open() && (!r.SendResolved || inc.ResolvedAt.Before(r.added)) {
		return false
	}
	d := inc.Deliveries[r.Name]
	if !d.ToldAt.IsZero() || d.Sending > 0 || d.Digest != "" {
		return true
	}
	for _, a := range inc.Alerts {
		if r.gets(inc.Site, &a) {
			return true
		}
	}
	return false
}

// gets tells whether an alert goes to the receiver: because it names it, or
// because it names none and the match fits.
func (r *Receiver) gets(site string, a *incident.Alert) bool {
	if len(a.Receivers) > 0 {
		return slices.Contains(a.Receivers, r.Name)
	}
	return r.Match.fits(site, a)
}

// Takes tells whether there are alerts of this severity that go to the receiver, of
// a check with these labels that names no receivers. Where a fault lies is known
// only once something fails, so that a match on faults counts as one that fits.
func (r *Receiver) Takes(site string, labels map[string]string, severity catalog.Severity) bool {
	m := r.Match
	m.Fault = nil
	return m.fits(site, &incident.Alert{Labels: labels, Severity: severity})
}

// unsettled tells whether the incident leads a digest of which an attempt was
// begun and not settled. Then it may be that not all of it is noted yet, and the
// digest goes on until it is.
func (r *Receiver) unsettled(inc *incident.Incident) bool {
	d := inc.Deliveries[r.Name]
	return d.Digest == inc.ID && d.Sending > 0 && r.SendResolved
}

// owed tells whether there is anything to tell the receiver of the incident: news,
// and no mute that holds it back.
func (r *Receiver) owed(inc *incident.Incident) bool {
	if inc.Deliveries[r.Name].Seq >= inc.News() || inc.Held() {
		return false
	}
	told := inc.Told()
	return r.wants(&told)
}
