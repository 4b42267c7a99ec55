package outbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"runtime/debug"
	"slices"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/notify"
)

// maxFailing is how many incidents that failed in a row are told apart. More
// would not make the pause any longer.
const maxFailing = 16

// telling is one attempt to pay a debt.
type telling struct {
	debt
	attempt incident.Attempt // at the incident, or at the one that leads the digest
	others  []member         // of the digest
	n       notify.Notification
	receipt notify.Receipt // as the record has it
	tries   int            // this one, since the last that worked
}

// tell makes one attempt to pay a debt, and writes down how it went.
func (w *worker) tell(ctx context.Context, d debt) {
	if w.settle(ctx, d) {
		return
	}
	t, ok := w.begin(ctx, d)
	if !ok {
		return
	}
	begun := t.attempt.At
	receipt, err := w.send(ctx, t.n)
	took := time.Since(begun)
	t.attempt.At = begun.Add(took)
	switch {
	case err != nil && ctx.Err() != nil:
		// We broke it off ourselves. The record says already that the receiver
		// may have been told, and the debt stays.
	case d.again && err == nil:
		w.resent(ctx, t, receipt)
	case d.again:
		w.notResent(ctx, t, receipt, err)
	case err == nil:
		w.told(ctx, t, receipt, took)
	case notify.IsPermanent(err):
		w.refused(ctx, t, receipt, err)
	default:
		w.failed(ctx, t, receipt, err)
	}
}

// begin writes down that an attempt starts, and prepares it. The bool is false
// when there is nothing to tell any more.
func (w *worker) begin(ctx context.Context, d debt) (t *telling, ok bool) {
	if seen, _ := w.out.opts.Records.Record(d.site); !slices.ContainsFunc(seen.Incidents, func(i incident.Incident) bool { return i.ID == d.id }) {
		return nil, false // it is gone, or not to be told any more
	}
	t = &telling{debt: d, attempt: incident.Attempt{Incident: d.id, Receiver: w.name, At: time.Now(), By: w.self()}}
	news := d.again
	if d.members != nil {
		t.attempt.Digest = d.id
		t.others = w.others(ctx, t)
		news = news || slices.ContainsFunc(t.others, func(m member) bool { return m.owed })
	}
	var inc incident.Incident
	_, err := w.out.opts.Records.Update(ctx, d.site, func(rec incident.Record) (incident.Record, bool) {
		ok = false
		i := slices.IndexFunc(rec.Incidents, func(i incident.Incident) bool { return i.ID == d.id })
		if i < 0 || !news && !w.now.receiver.owed(&rec.Incidents[i]) && !w.now.receiver.unsettled(&rec.Incidents[i]) {
			return rec, false
		}
		inc, ok = rec.Incidents[i], true
		t.attempt.Seq = inc.Seq
		was := inc.Deliveries[w.name]
		if w.outrun(d, &was) || !w.claimed(w.note(d.id), &was, time.Now()).IsZero() {
			ok = false // another agent is at it, or was
			return rec, false
		}
		if d.again || was.Sending == t.attempt.Seq && was.Digest == t.attempt.Digest && was.Claim == t.attempt.By {
			return rec, false // stands there already, from an attempt that may have got through
		}
		return incident.Begin(rec, t.attempt)
	})
	if err != nil && w.out.opts.Turns != nil {
		// Not claimed: somebody else may be at it.
		w.out.log.Warn("notification put off, it cannot be claimed", "site", d.site, "incident", d.id, "receiver", w.name, "err", err)
		w.note(d.id).hold = time.Now().Add(settleEvery)
		return nil, false
	}
	if err != nil {
		// Better told twice than not at all: the attempt is made nevertheless.
		w.out.log.Error("cannot save that a notification is under way", "site", d.site, "incident", d.id, "receiver", w.name, "err", err)
	}
	if !ok {
		return nil, false
	}
	was := inc.Deliveries[w.name]
	t.receipt, t.tries = was.Receipt, was.Attempts+1
	if d.members == nil {
		shown := inc.Told()
		t.n = w.now.writer.notification(&shown, was)
	} else {
		t.n = w.now.writer.digest(append([]member{{attempt: t.attempt, site: d.site, inc: inc.Told()}}, t.others...), was)
	}
	return t, true
}

// send hands the notification to the receiver. A panic in there is an error as
// any other: it must not take the other receivers down.
func (w *worker) send(ctx context.Context, n notify.Notification) (receipt notify.Receipt, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.out.opts.SendTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			// Its value may quote anything, its stack quotes no secret.
			w.out.log.Error("receiver panicked", "receiver", w.name, "stack", string(debug.Stack()))
			receipt, err = nil, fmt.Errorf("the receiver's code panicked with a %T", p)
		}
	}()
	return w.now.receiver.Notifier.Notify(ctx, n)
}

func (w *worker) told(ctx context.Context, t *telling, receipt notify.Receipt, took time.Duration) {
	clear(w.failing)
	m := w.out.metrics
	m.notifications.WithLabelValues(w.name, outcomeSent).Inc()
	m.latency.Observe(max(t.attempt.At.Sub(t.since), 0).Seconds())
	w.out.log.Info("notification sent", "incident", t.n.ID, "receiver", w.name, "attempt", t.tries, "took", took)
	w.working("")
	n := w.note(t.id)
	n.told, n.failures, n.retry = t.attempt.At, 0, time.Time{}
	w.writeOthers(ctx, t, func(rec incident.Record, a incident.Attempt) (incident.Record, bool) {
		return incident.Told(rec, a, nil)
	})
	w.write(ctx, t, func(rec incident.Record) (incident.Record, bool) {
		return incident.Told(rec, t.attempt, receipt)
	})
}

func (w *worker) refused(ctx context.Context, t *telling, receipt notify.Receipt, err error) {
	clear(w.failing)
	w.out.metrics.notifications.WithLabelValues(w.name, outcomeDropped).Inc()
	cause := redact(err)
	w.out.log.Error("notification dropped: the receiver will never take it", "incident", t.n.ID, "receiver", w.name, "err", cause)
	w.working(cause)
	w.writeOthers(ctx, t, func(rec incident.Record, a incident.Attempt) (incident.Record, bool) {
		return incident.Refused(rec, a, incident.Failure{Cause: cause})
	})
	w.write(ctx, t, func(rec incident.Record) (incident.Record, bool) {
		return incident.Refused(rec, t.attempt, incident.Failure{Cause: cause, Receipt: receipt})
	})
}

// failed puts the debt off, and the receiver with it.
func (w *worker) failed(ctx context.Context, t *telling, receipt notify.Receipt, err error) {
	f := incident.Failure{NextTry: w.failure(t, err, t.tries), Cause: redact(err), Doubtful: doubtful(err), Receipt: receipt}
	w.note(t.id).plan = w.plans // this pause counts
	inDoubt := f.Doubtful
	// A clear no says nothing of an earlier attempt that may have got through.
	f.Doubtful = f.Doubtful || t.n.Doubtful
	if inDoubt {
		w.writeOthers(ctx, t, incident.Joined) // who may have been told of it in a digest is not told of it alone
	}
	w.write(ctx, t, func(rec incident.Record) (incident.Record, bool) {
		return incident.Failed(rec, t.attempt, f)
	})
}

// failure counts an attempt in vain, of which there were so many in a row, and
// returns when the next one may be.
//
// Whether it is the incident or the receiver as a whole that fails, an error
// seldom tells. So each incident has its own growing pause, and the receiver
// one that grows with the number of different incidents which failed since an
// attempt last worked. A receiver that is down is therefore left alone more and
// more, while one incident that it cannot digest holds up the others by no more
// than a moment.
func (w *worker) failure(t *telling, err error, tries int) (next time.Time) {
	if len(w.failing) < maxFailing {
		w.failing[t.id] = struct{}{}
	}
	at := t.attempt.At
	w.pause = at.Add(pauseAfter(len(w.failing)))
	next = at.Add(pauseAfter(tries))
	if asked := min(notify.RetryDelay(err), farthest); asked > 0 {
		w.pause = at.Add(asked)
		next = w.pause
	}
	w.out.metrics.notifications.WithLabelValues(w.name, outcomeFailed).Inc()
	cause := redact(err)
	log := w.out.log.Warn
	if notify.IsMisconfigured(err) {
		log = w.out.log.Error
	}
	log("notification failed", "incident", t.n.ID, "receiver", w.name, "attempt", tries, "next_try", next.UTC(), "err", cause)
	w.mu.Lock()
	w.state.Failures++
	w.state.LastError = cause
	w.mu.Unlock()
	return next
}

// working notes that the receiver answers.
func (w *worker) working(lastError string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Failures, w.state.LastError = 0, lastError
}

// write saves how an attempt went. In records that others tell from too it has
// to be saved sooner or later, or one of them would tell the same again.
func (w *worker) write(ctx context.Context, t *telling, f func(incident.Record) (incident.Record, bool)) {
	err := w.save(ctx, t.site, f)
	if err == nil {
		return
	}
	w.unsaved(t, err)
	if w.out.opts.Turns != nil {
		n, site := w.note(t.id), t.site
		n.hold = time.Now().Add(settleEvery)
		n.settle = func(ctx context.Context) error { return w.save(ctx, site, f) }
	}
}

// settle writes down how an earlier attempt at the debt went, if that is not
// done yet. The bool tells that there was something to settle.
func (w *worker) settle(ctx context.Context, d debt) bool {
	n := w.note(d.id)
	if n.settle == nil {
		return false
	}
	if err := n.settle(ctx); err != nil {
		n.hold = time.Now().Add(settleEvery)
		return true
	}
	w.out.log.Info("how a notification went is saved now", "site", d.site, "incident", d.id, "receiver", w.name)
	n.settle, n.hold = nil, time.Time{}
	return true
}

// unsaved puts a debt off whose payment cannot be written down.
func (w *worker) unsaved(t *telling, err error) {
	w.out.log.Error("cannot save how a notification went", "site", t.site, "incident", t.n.ID, "receiver", w.name, "err", err)
	w.note(t.id).hold = time.Now().Add(longestPause)
}

// save changes the record of a site, and with it takes out what nobody is owed
// anything of any more.
func (w *worker) save(ctx context.Context, site string, f func(incident.Record) (incident.Record, bool)) error {
	settings := w.out.current()
	_, err := w.out.opts.Records.Update(context.WithoutCancel(ctx), site, func(rec incident.Record) (incident.Record, bool) {
		rec, changed := f(rec)
		if changed {
			rec, _ = settings.prune(rec, nil)
		}
		return rec, changed
	})
	return err
}

// doubtful tells whether the receiver may have got the notification in spite of
// the error: always, unless there was no connection or it said no.
func doubtful(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	switch notify.ReasonOf(err) {
	case notify.ReasonRefused, notify.ReasonMisconfigured, notify.ReasonThrottled, notify.ReasonTLS:
		return false
	}
	return true
}

// urls finds addresses in a text, of which all but the host may be a secret.
var urls = regexp.MustCompile(`(https?://)(?:[^\s/?#@"]*@)?([^\s/?#"]*)[^\s"]*`)

// redact is the error's text, harmless and bounded. Receivers redact their own
// secrets; the addresses are cut here once more, because a webhook's is one.
func redact(err error) string {
	return notify.Line(urls.ReplaceAllString(err.Error(), "$1$2/…"), 300)
}
