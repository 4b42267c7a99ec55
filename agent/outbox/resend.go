package outbox

import (
	"context"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/notify"
)

// resendDue is when the receiver wants to be told of an incident again though
// nothing has changed, zero if it does not. When it was told last is kept in
// memory only: after a restart, or with new settings, it is told within half the
// time that it wants, by lot, so that not all incidents are told at once.
func (w *worker) resendDue(it *item, n *note, now time.Time) time.Time {
	if it.resend <= 0 || !w.turn(now).Equal(now) {
		return time.Time{} // or another agent does it
	}
	if n.told.IsZero() || n.told.After(now) {
		n.told = now.Add(rand.N(it.resend/2+1) - it.resend)
	}
	return latest(n.told.Add(it.resend), n.retry)
}

// resent settles an attempt to tell again what the receiver knew. It counts as
// an attempt, but is no delivery of a change, so it is in no latency. The record
// changes only with the receipt.
func (w *worker) resent(ctx context.Context, t *telling, receipt notify.Receipt) {
	clear(w.failing)
	w.out.metrics.notifications.WithLabelValues(w.name, outcomeSent).Inc()
	w.out.log.Debug("notification sent again", "incident", t.n.ID, "receiver", w.name)
	w.working("")
	n := w.note(t.debt.id)
	n.told, n.failures, n.retry = t.attempt.At, 0, time.Time{}
	w.keep(ctx, t, receipt)
}

// notResent puts such an attempt off. A refusal for good is not believed: the
// receiver has taken the very same before.
func (w *worker) notResent(ctx context.Context, t *telling, receipt notify.Receipt, err error) {
	n := w.note(t.debt.id)
	n.failures++
	n.retry = w.failure(t, err, n.failures)
	w.keep(ctx, t, receipt)
}

// keep saves a receipt that has changed.
func (w *worker) keep(ctx context.Context, t *telling, receipt notify.Receipt) {
	if receipt == nil || maps.Equal(receipt, t.receipt) {
		return
	}
	w.write(ctx, t, func(rec incident.Record) (incident.Record, bool) {
		return incident.Resent(rec, t.attempt, receipt)
	})
}
