package outbox

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

// item is an incident that the receiver is owed or was told of.
type item struct {
	site, id string
	came     time.Time // when there was something to tell the receiver of it
	open     bool
	severity catalog.Severity
	delivery incident.Delivery
	resend   time.Duration // the receiver wants to be told again after that; 0 = not
	begun    bool          // it leads a digest, and an attempt at that is not settled

	// What follows is of one that is owed.
	owed  bool
	due   time.Time // when it may be told by itself, whatever failed before
	since time.Time // of the oldest change that was not told
}

// fresh tells whether nothing was told of the incident, nor may have been.
func (it *item) fresh() bool {
	d := &it.delivery
	return d.Seq == 0 && d.Sending == 0 && d.ToldAt.IsZero() && len(d.Receipt) == 0
}

// debt is something to tell: the present state of one incident or of a digest.
type debt struct {
	site, id string    // of the incident, or of the one that leads the digest
	members  []*item   // of a digest, all of them
	due      time.Time // not before
	since    time.Time // of the oldest change that was not told
	again    bool      // the receiver knows it all, and wants to be told again
}

// before orders debts by when they are due.
func (d *debt) before(e *debt) bool {
	return cmp.Or(d.due.Compare(e.due), d.since.Compare(e.since), strings.Compare(d.id, e.id)) < 0
}

// note is what a worker knows of an incident, or of a digest by the one that
// leads it, beside the record.
type note struct {
	// plan is that of the last failure. The pause after a failure is void when
	// the plan has changed since.
	plan int
	// hold puts a debt off when the record could not take how the last attempt
	// went, lest the same be told over and over.
	hold time.Time
	// told is when the receiver was told last, for one that wants to be told
	// again. failures are the attempts at that since, and retry when the next
	// one may be.
	told     time.Time
	failures int
	retry    time.Time
	// claim is another agent's at it. settle is how an attempt went that could
	// not be written down yet; nothing else is done about the debt before.
	claim  claim
	settle func(ctx context.Context) error
}

func (w *worker) note(id string) *note {
	n := w.notes[id]
	if n == nil {
		n = &note{}
		w.notes[id] = n
	}
	return n
}

// look takes over what the record of a site says.
func (w *worker) look(site string) {
	rec, _ := w.out.opts.Records.Record(site)
	now := time.Now()
	var items []*item
	for i := range rec.Incidents {
		if it := w.now.item(&rec.Incidents[i], now); it != nil {
			items = append(items, it)
		}
	}
	for _, it := range items {
		was := slices.IndexFunc(w.items[site], func(was *item) bool { return was.id == it.id })
		if it.delivery.Attempts > 0 && (was < 0 || it.delivery.Attempts > w.items[site][was].delivery.Attempts) {
			w.note(it.id).plan = w.plans // an agent failed under this plan: that pause counts
		}
	}
	for _, was := range w.items[site] {
		if !slices.ContainsFunc(items, func(it *item) bool { return it.id == was.id }) {
			delete(w.notes, was.id)
			if now.Sub(was.came) < w.now.storm.Window {
				w.past = append(w.past, was.came)
			}
		}
	}
	if len(items) == 0 {
		delete(w.items, site)
	} else {
		w.items[site] = items
	}
	w.stale = true
}

// item is what there is to know of an incident, nil if it is none of the
// receiver's business.
func (p *plan) item(raw *incident.Incident, now time.Time) *item {
	d := raw.Deliveries[p.receiver.Name]
	owed := p.receiver.owed(raw)
	if !owed && d.ToldAt.IsZero() && d.Digest == "" {
		return nil
	}
	shown := raw.Told()
	it := &item{
		site: raw.Site, id: raw.ID, came: p.came(&shown), open: shown.Open(),
		severity: shown.Severity, delivery: d, owed: owed, begun: p.receiver.unsettled(raw),
	}
	if owed {
		it.due, it.since = p.due(&shown, now), p.since(&shown, d.Seq)
	}
	// An end was sent as one, so that telling it once is enough: who misses it,
	// such as one of several servers, forgets the incident in time by itself.
	if r, ok := p.receiver.Notifier.(notify.Resender); ok && !d.ToldAt.IsZero() && (it.open || d.Digest == it.id) {
		it.resend = r.Resend(d.Receipt)
	}
	return it
}

// due is when the receiver may be told of an incident by itself, whatever failed
// before.
func (p *plan) due(inc *incident.Incident, now time.Time) time.Time {
	name := p.receiver.Name
	copied := *inc
	d := inc.Deliveries[name]
	d.NextTry = time.Time{}
	copied.Deliveries = map[string]incident.Delivery{name: d}
	due, _ := copied.Due(name, p.timings)
	return p.sane(due, now)
}

// sane is the time, or now when it is so far ahead that it was written by a
// clock that has been set back since.
func (p *plan) sane(due, now time.Time) time.Time {
	if due.Sub(now) > max(farthest, p.timings.GroupWait, p.timings.GroupInterval) {
		return now
	}
	return due
}

// since is the time of the oldest change after the event seq. For a receiver
// that knows nothing yet it is the first that is loud enough for its match.
func (p *plan) since(inc *incident.Incident, seq int) time.Time {
	for _, e := range inc.Events {
		if e.Seq > seq && !e.Quiet && (seq > 0 || oneOf(p.receiver.Match.Severity, string(e.Severity))) {
			return e.At
		}
	}
	return inc.OpenedAt
}

// came is when there was something to tell the receiver of an incident: for one
// that a reload brought, not before that.
func (p *plan) came(inc *incident.Incident) time.Time {
	return latest(p.since(inc, 0), p.receiver.added)
}

// owing derives the debts from what is known of the incidents.
func (w *worker) owing(now time.Time) []debt {
	w.past = slices.DeleteFunc(w.past, func(t time.Time) bool { return now.Sub(t) >= w.now.storm.Window })
	var items []*item
	w.owed, w.oldest = 0, time.Time{}
	for _, all := range w.items {
		for _, it := range all {
			items = append(items, it)
			if it.owed {
				w.owed++
				w.oldest = earliest(w.oldest, it.since)
			}
		}
	}
	alone, digests := w.now.storm.divide(items, w.past)
	var debts []debt
	for _, it := range alone {
		d := debt{site: it.site, id: it.id, due: it.due, since: it.since}
		if d, owed := w.timed(d, it, it.owed, it.open, now); owed {
			debts = append(debts, d)
		}
	}
	for _, g := range digests {
		d, owed := g.debt(&w.now)
		d.site, d.id, d.members = g.lead.site, g.lead.id, g.members
		open := slices.ContainsFunc(g.members, func(it *item) bool { return it.open })
		if d, owed := w.timed(d, g.lead, owed, open, now); owed {
			debts = append(debts, d)
		}
	}
	return debts
}

// timed is the debt with the pauses after failures, or, when nothing new is
// owed, with what is to be told again. it holds the receipt.
func (w *worker) timed(d debt, it *item, owed, open bool, now time.Time) (debt, bool) {
	n := w.note(it.id)
	var retry time.Time
	if n.plan == w.plans {
		retry = w.now.sane(it.delivery.NextTry, now)
	}
	if owed {
		d.due = latest(w.now.sane(d.due, now), retry)
	}
	d.due = w.turn(d.due)
	if again := w.resendDue(it, n, now); open && !again.IsZero() && (!owed || again.Before(d.due)) {
		// What is new waits no longer than the receiver remembers what is old.
		d.due, d.again = latest(again, retry), !owed
		owed = true
	}
	d.due = latest(latest(d.due, n.hold), w.claimed(n, &it.delivery, now))
	if n.settle != nil {
		d.due, owed = n.hold, true
	}
	return d, owed
}
