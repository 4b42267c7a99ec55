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

// tell makes one attempt to pay a debt, and writes down how it went.
func (w *worker) tell(ctx context.Context, d debt) {
	a := incident.Attempt{Incident: d.id, Receiver: w.name, At: time.Now()}
	inc, ok := w.begin(ctx, d.site, &a)
	if !ok {
		return
	}
	shown := inc.Told()
	receipt, err := w.send(ctx, w.now.writer.notification(&shown, inc.Deliveries[w.name]))
	took := time.Since(a.At)
	a.At = a.At.Add(took)
	attempt := inc.Deliveries[w.name].Attempts + 1
	switch {
	case err == nil:
		w.told(ctx, d, a, receipt, took, attempt)
	case ctx.Err() != nil:
		// We broke it off ourselves. The record says already that the receiver
		// may have been told, and the debt stays.
	case notify.IsPermanent(err):
		w.refused(ctx, d, a, receipt, err)
	default:
		w.failed(ctx, d, a, receipt, err, attempt)
	}
}

// begin writes down that an attempt starts and returns the incident as it was
// before, with all that the attempt is to tell. The bool is false when there is
// nothing to tell any more.
func (w *worker) begin(ctx context.Context, site string, a *incident.Attempt) (inc incident.Incident, ok bool) {
	_, err := w.out.opts.Records.Update(ctx, site, func(rec incident.Record) (incident.Record, bool) {
		ok = false
		i := slices.IndexFunc(rec.Incidents, func(i incident.Incident) bool { return i.ID == a.Incident })
		if i < 0 || !w.now.receiver.owed(&rec.Incidents[i]) {
			return rec, false
		}
		inc, ok = rec.Incidents[i], true
		a.Seq = inc.Seq
		if inc.Deliveries[w.name].Sending == a.Seq {
			return rec, false // stands there already, from an attempt that may have got through
		}
		return incident.Begin(rec, *a)
	})
	if err != nil {
		// Better told twice than not at all: the attempt is made nevertheless.
		w.out.log.Error("cannot save that a notification is under way", "site", site, "incident", a.Incident, "receiver", w.name, "err", err)
	}
	return inc, ok
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

func (w *worker) told(ctx context.Context, d debt, a incident.Attempt, receipt notify.Receipt, took time.Duration, attempt int) {
	clear(w.failing)
	m := w.out.metrics
	m.notifications.WithLabelValues(w.name, outcomeSent).Inc()
	m.latency.Observe(max(a.At.Sub(d.since), 0).Seconds())
	w.out.log.Info("notification sent", "incident", a.Incident, "receiver", w.name, "attempt", attempt, "took", took)
	w.working("")
	w.write(ctx, d, func(rec incident.Record) (incident.Record, bool) {
		return incident.Told(rec, a, receipt)
	})
}

func (w *worker) refused(ctx context.Context, d debt, a incident.Attempt, receipt notify.Receipt, err error) {
	clear(w.failing)
	w.out.metrics.notifications.WithLabelValues(w.name, outcomeDropped).Inc()
	cause := redact(err)
	w.out.log.Error("notification dropped: the receiver will never take it", "incident", a.Incident, "receiver", w.name, "err", cause)
	w.working(cause)
	w.write(ctx, d, func(rec incident.Record) (incident.Record, bool) {
		return incident.Refused(rec, a, incident.Failure{Cause: cause, Receipt: receipt})
	})
}

// failed puts the debt off, and the receiver with it.
//
// Whether it is the incident or the receiver as a whole that fails, an error
// seldom tells. So each incident has its own growing pause, and the receiver
// one that grows with the number of different incidents which failed since an
// attempt last worked. A receiver that is down is therefore left alone more and
// more, while one incident that it cannot digest holds up the others by no more
// than a moment.
func (w *worker) failed(ctx context.Context, d debt, a incident.Attempt, receipt notify.Receipt, err error, attempt int) {
	if len(w.failing) < maxFailing {
		w.failing[a.Incident] = struct{}{}
	}
	w.pause = a.At.Add(pauseAfter(len(w.failing)))
	next := a.At.Add(pauseAfter(attempt))
	if asked := min(notify.RetryDelay(err), farthest); asked > 0 {
		w.pause = a.At.Add(asked)
		next = w.pause
	}
	w.out.metrics.notifications.WithLabelValues(w.name, outcomeFailed).Inc()
	cause := redact(err)
	log := w.out.log.Warn
	if notify.IsMisconfigured(err) {
		log = w.out.log.Error
	}
	log("notification failed", "incident", a.Incident, "receiver", w.name, "attempt", attempt, "next_try", next.UTC(), "err", cause)
	w.mu.Lock()
	w.state.Failures++
	w.state.LastError = cause
	w.mu.Unlock()
	w.amend(d, func(d *debt) { d.again = false }) // this pause counts
	w.write(ctx, d, func(rec incident.Record) (incident.Record, bool) {
		return incident.Failed(rec, a, incident.Failure{Cause: cause, NextTry: next, Doubtful: doubtful(err), Receipt: receipt})
	})
}

// amend changes what the worker knows of a debt beside the record.
func (w *worker) amend(d debt, f func(*debt)) {
	debts := w.debts[d.site]
	for i := range debts {
		if debts[i].id == d.id {
			f(&debts[i])
		}
	}
}

// working notes that the receiver answers.
func (w *worker) working(lastError string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Failures, w.state.LastError = 0, lastError
}

// write saves how an attempt went, and with it that nobody is owed anything of
// the incident any more, if that is so.
func (w *worker) write(ctx context.Context, d debt, f func(incident.Record) (incident.Record, bool)) {
	settings := w.out.current()
	_, err := w.out.opts.Records.Update(context.WithoutCancel(ctx), d.site, func(rec incident.Record) (incident.Record, bool) {
		rec, changed := f(rec)
		if changed {
			rec, _ = settings.prune(rec)
		}
		return rec, changed
	})
	if err != nil {
		w.out.log.Error("cannot save how a notification went", "site", d.site, "incident", d.id, "receiver", w.name, "err", err)
		w.amend(d, func(d *debt) { d.hold = time.Now().Add(longestPause) })
	}
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
