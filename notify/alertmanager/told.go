package alertmanager

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Told is what a receiver was told of an incident. It goes into the receipt, so
// that an alert whose labels have changed since can be ended under its old ones.
type Told struct {
	At     time.Time `json:"at"`               // of the state that was told
	Firing []Known   `json:"firing,omitempty"` // alerts that the receiver takes to be firing
	Ended  []Known   `json:"ended,omitempty"`  // ends that it was told this time
	Maybe  []Known   `json:"maybe,omitempty"`  // fires too, if an attempt got through that seemed to fail
}

// Known is an alert as far as it has to be known to end it.
type Known struct {
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"starts_at"`
	EndsAt   time.Time         `json:"ends_at,omitzero"`
}

// receiptKey is the one key of the receipts made here.
const receiptKey = "alerts"

// Receipt is t as a receiver's note.
func (t Told) Receipt() notify.Receipt {
	text, err := json.Marshal(t)
	if err != nil {
		return nil // a map of strings and times within range: it cannot fail
	}
	return notify.Receipt{receiptKey: string(text)}
}

// Read reads a receipt; one that cannot be read counts as none.
func Read(r notify.Receipt) Told {
	var t Told
	if json.Unmarshal([]byte(r[receiptKey]), &t) != nil {
		return Told{}
	}
	return t
}

// Doubt is the receipt of a notification that may have got through in spite of
// an error: nothing new is told, but what it said to fire will be ended if it
// has to be.
func Doubt(n notify.Notification) notify.Receipt {
	t := Read(n.Receipt)
	_, next := Next(n)
	there := fingerprints(t.Firing, t.Maybe)
	for _, k := range next.Firing {
		if !there[fingerprint(k.Labels)] {
			t.Maybe = append(t.Maybe, k)
		}
	}
	return t.Receipt()
}

// Next is what to tell of n to a receiver whose receipt n holds, and what it
// knows once it was told: every alert that fires, and each end once. An alert
// that does not exist any more under the labels that were told, because its
// condition or its severity has changed, ends.
//
// Both follow from n alone, and the alerts stay the same however often it is
// tried in vain.
func Next(n notify.Notification) ([]Alert, Told) {
	was := Read(n.Receipt)
	now := alertsOf(n)
	next := Told{At: n.At}
	owed := was.ends()
	told := map[string]bool{} // what is said of, by fingerprint
	recoveries := map[origin]time.Time{}
	var firing, ended []Alert
	for _, a := range now {
		if !a.Firing() {
			recoveries[originOf(a.Labels)] = a.EndsAt
		}
		switch id := a.Fingerprint(); {
		case a.Firing():
			told[id] = true
			firing = append(firing, a)
			next.Firing = append(next.Firing, Known{Labels: a.Labels, StartsAt: a.StartsAt})
		case owed(id, a):
			told[id] = true
			ended = append(ended, a)
		}
	}
	for _, k := range slices.Concat(was.Firing, was.Maybe, was.Ended) {
		if id := fingerprint(k.Labels); !told[id] {
			told[id] = true
			ended = append(ended, gone(n, k, recoveries))
		}
	}
	if len(firing)+len(ended) == 0 {
		// An end with nothing new in it is still an end: tell it in full.
		ended = now
	}
	for _, a := range ended {
		next.Ended = append(next.Ended, Known{Labels: a.Labels, StartsAt: a.StartsAt, EndsAt: a.EndsAt})
	}
	return append(firing, ended...), next
}

// ends makes a function that tells whether the end of an alert is still to be
// told: the alert was told to fire, or its whole spell is new.
func (t Told) ends() func(id string, a Alert) bool {
	known, firing := fingerprints(t.Firing, t.Ended), map[origin]bool{}
	for _, k := range t.Firing {
		firing[originOf(k.Labels)] = true
	}
	return func(id string, a Alert) bool {
		return known[id] || a.EndsAt.After(t.At) && !firing[originOf(a.Labels)]
	}
}

// origin is what an alert is about, whatever its other labels are.
type origin struct{ site, check string }

func originOf(labels map[string]string) origin { return origin{labels["site"], labels["check"]} }

// fingerprints is the names of the alerts in lists.
func fingerprints(lists ...[]Known) map[string]bool {
	all := map[string]bool{}
	for _, k := range slices.Concat(lists...) {
		all[fingerprint(k.Labels)] = true
	}
	return all
}

// gone is the end of an alert that is there no more under its labels: when its
// check recovered, else at the change that n tells.
func gone(n notify.Notification, k Known, recoveries map[origin]time.Time) Alert {
	at := cmp.Or(k.EndsAt, n.At)
	if recovered, ok := recoveries[originOf(k.Labels)]; ok && k.EndsAt.IsZero() {
		at = recovered
	}
	at = end(k.StartsAt, at)
	a := notify.Alert{
		Site: k.Labels["site"], Check: k.Labels["check"], Condition: k.Labels["condition"], Severity: k.Labels["severity"],
		Since: k.StartsAt, ResolvedAt: at,
	}
	return Alert{
		Labels: k.Labels, Annotations: texts(map[string]string{"summary": headline(n, a)}),
		StartsAt: k.StartsAt, EndsAt: at, GeneratorURL: webURL(n.IncidentURL),
	}
}
