package incident

import (
	"cmp"
	"maps"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Due tells when the receiver may be told of the incident's present state, and
// false when it is owed nothing. The time is in the past when it is overdue.
//
//   - A receiver that was told nothing yet is told GroupWait after the opening,
//     even of an incident that has ended meanwhile: once, as resolved.
//   - The end, and a severity higher than the receiver was ever told, go at once.
//   - Any other change goes GroupInterval after the receiver was last told.
//   - None of them before Delivery.NextTry.
//
// Whether the receiver wants the incident at all is not known here, nor whether
// the incident is Held.
func (i *Incident) Due(receiver string, t Timings) (time.Time, bool) {
	d := i.Deliveries[receiver]
	if d.Seq >= i.News() {
		return time.Time{}, false
	}
	var due time.Time
	switch {
	case d.Seq == 0:
		due = i.OpenedAt.Add(t.GroupWait)
	case !i.Open():
		due = i.ResolvedAt
	default:
		due = i.changeDue(d, t)
	}
	return later(due, d.NextTry), true
}

// changeDue is Due of a change of an open incident.
func (i *Incident) changeDue(d Delivery, t Timings) time.Time {
	var first time.Time
	for _, e := range i.Events {
		if e.Seq <= d.Seq || e.Quiet {
			continue
		}
		if first.IsZero() {
			first = e.At
		}
		if e.Severity.Rank() > d.Severity.Rank() && i.Severity.Rank() > d.Severity.Rank() {
			return e.At
		}
	}
	if d.ToldAt.IsZero() {
		return first
	}
	return later(first, d.ToldAt.Add(t.GroupInterval))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Attempt is one try to tell a receiver of an incident up to the event Seq.
type Attempt struct {
	Incident string // its ID
	Receiver string
	Seq      int
	At       time.Time // when the try began, for Begin; when it ended, for the others
	Digest   string    // Delivery.Digest from then on; "" leaves it as it is
	By       string    // the agent that makes it, "" where there is one
}

// Failure is how an attempt went wrong.
type Failure struct {
	Cause   string    // for people; holds no secret
	NextTry time.Time // not before
	// Doubtful is set when the receiver may have the notification in spite of
	// the error, as after a timeout.
	Doubtful bool
	Receipt  map[string]string // of what was done nevertheless; nil keeps the former one
}

// The functions below write down how an attempt goes. Each returns the changed
// record, and false when the incident is not in it any more, so that they fit
// Keeper.Update:
//
//	keeper.Update(ctx, site, func(r Record) (Record, bool) { return Begin(r, attempt) })

// Begin notes that the attempt starts. Saved before the first byte is sent, it
// lets the next process know that the receiver may have been told.
func Begin(rec Record, a Attempt) (Record, bool) {
	return rec.deliver(a, func(_ *Incident, d *Delivery) {
		if d.Sending == 0 {
			d.SendingAt = a.At.UTC().Round(0)
		}
		d.Sending, d.Claim = a.Seq, a.By
	})
}

// Told notes that the receiver has been told. A nil receipt keeps the former one.
func Told(rec Record, a Attempt, receipt map[string]string) (Record, bool) {
	return rec.deliver(a, func(inc *Incident, d *Delivery) {
		told := Delivery{
			Seq: max(d.Seq, a.Seq), ToldAt: a.At.UTC().Round(0),
			Severity: inc.severityUpTo(a.Seq, d.Severity), Receipt: d.Receipt, Digest: d.Digest,
		}
		if receipt != nil {
			told.Receipt = maps.Clone(receipt)
		}
		*d = told
	})
}

// Failed notes that the attempt failed and is to be made again.
func Failed(rec Record, a Attempt, f Failure) (Record, bool) {
	return rec.deliver(a, func(_ *Incident, d *Delivery) {
		d.failed(f)
		d.NextTry = f.NextTry.UTC().Round(0)
	})
}

// Refused notes that the receiver will never take this state: it is not tried
// again until there is a newer event.
func Refused(rec Record, a Attempt, f Failure) (Record, bool) {
	return rec.deliver(a, func(_ *Incident, d *Delivery) {
		d.failed(f)
		d.Seq, d.Dropped, d.NextTry = max(d.Seq, a.Seq), true, time.Time{}
	})
}

// Skip notes that the receiver is not to be told of anything up to a.Seq, such
// as the end of an incident when it has send_resolved: false.
func Skip(rec Record, a Attempt) (Record, bool) {
	return rec.deliver(a, func(_ *Incident, d *Delivery) {
		d.Seq = max(d.Seq, a.Seq)
	})
}

// Joined notes that the incident is told in the digest a.Digest, and nothing else.
func Joined(rec Record, a Attempt) (Record, bool) {
	return rec.deliver(a, func(*Incident, *Delivery) {})
}

// Resent notes the receipt of a receiver that was told again what it knew.
func Resent(rec Record, a Attempt, receipt map[string]string) (Record, bool) {
	return rec.deliver(a, func(_ *Incident, d *Delivery) {
		d.Receipt = maps.Clone(receipt)
	})
}

func (d *Delivery) failed(f Failure) {
	d.Attempts++
	d.Claim = ""
	d.LastError = clip(f.Cause, maxText)
	if f.Receipt != nil {
		d.Receipt = maps.Clone(f.Receipt)
	}
	if !f.Doubtful {
		d.Sending, d.SendingAt = 0, time.Time{}
	}
}

// deliver is the record with one delivery changed by f, which gets copies.
func (rec Record) deliver(a Attempt, f func(*Incident, *Delivery)) (Record, bool) {
	for _, inc := range rec.Incidents {
		if inc.ID != a.Incident {
			continue
		}
		d := inc.Deliveries[a.Receiver]
		d.Digest = cmp.Or(a.Digest, d.Digest)
		f(&inc, &d)
		deliveries := maps.Clone(inc.Deliveries)
		if deliveries == nil {
			deliveries = make(map[string]Delivery, 1)
		}
		deliveries[a.Receiver] = d
		inc.Deliveries = deliveries
		return rec.withIncident(inc), true
	}
	return rec, false
}

// severityUpTo is the highest severity that the events up to seq gave the
// incident, least if none is higher.
func (i *Incident) severityUpTo(seq int, least catalog.Severity) catalog.Severity {
	for _, e := range i.Events {
		if e.Seq <= seq && !e.Quiet {
			least = louder(least, e.Severity)
		}
	}
	return least
}
