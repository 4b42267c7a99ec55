package outbox

import (
	"slices"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// Turns is how several agents that share the records tell each notification
// once. An attempt is claimed by the same compare and swap that notes its
// beginning, so that two never make the same one; and since all derive the same
// debts, they take turns, so that they seldom try to.
type Turns interface {
	// Self names this agent in claims.
	Self() string
	// Wait is how long after a debt to the receiver is due this agent may pay it:
	// 0 for the one whose turn it is, more for those that stand in for it.
	Wait(receiver string) time.Duration
	// Alive tells whether the agent of a claim is there.
	Alive(agent string) bool
	// Able tells whether claims can be made at the moment.
	Able() bool
}

const (
	// claimOrphaned is for how long a claim stands whose agent is gone: it may
	// only be cut off from us, in the middle of an attempt.
	claimOrphaned = 10 * time.Second
	// claimMargin is what a claim stands beyond the longest attempt, whoever made it.
	claimMargin = 10 * time.Second
	// unableEvery is how often an agent that cannot make claims looks again.
	unableEvery = time.Second
	// settleEvery is the pause before it is tried again to write down how an
	// attempt went.
	settleEvery = 2 * time.Second
)

// claim is another agent's, and since when this one has seen it unchanged.
// Clocks of different machines need not agree for that.
type claim struct {
	agent    string
	seq      int
	attempts int       // in vain before it
	begun    time.Time // by the clock of who made it: it only tells claims apart
	since    time.Time
}

// claimed is until when an attempt of another agent holds up this one: the zero
// time when none does.
func (w *worker) claimed(n *note, d *incident.Delivery, now time.Time) time.Time {
	t := w.out.opts.Turns
	if t == nil || d.Claim == "" || d.Claim == t.Self() {
		n.claim = claim{}
		return time.Time{}
	}
	c := claim{d.Claim, d.Sending, d.Attempts, d.SendingAt, n.claim.since}
	if c != n.claim {
		c.since = now
		n.claim = c
	}
	stands := w.out.opts.SendTimeout + claimMargin
	if !t.Alive(d.Claim) {
		stands = claimOrphaned
	}
	until := n.claim.since.Add(stands)
	if !until.After(now) {
		return time.Time{}
	}
	return until
}

// outrun tells whether another agent has tried in vain since the worker looked,
// so that the debt is put off. d is what the record says now.
func (w *worker) outrun(t debt, d *incident.Delivery) bool {
	if w.out.opts.Turns == nil || t.again {
		return false
	}
	i := slices.IndexFunc(w.items[t.site], func(it *item) bool { return it.id == t.id })
	return i >= 0 && d.Attempts > w.items[t.site][i].delivery.Attempts
}

// turn is when this agent may pay a debt that is due.
func (w *worker) turn(due time.Time) time.Time {
	if t := w.out.opts.Turns; t != nil {
		return due.Add(t.Wait(w.name))
	}
	return due
}

// able tells whether the worker can claim anything now.
func (w *worker) able() bool { return w.out.opts.Turns == nil || w.out.opts.Turns.Able() }

// self names this agent in claims, "" where it is the only one.
func (w *worker) self() string {
	if t := w.out.opts.Turns; t != nil {
		return t.Self()
	}
	return ""
}

// Reconsider has the workers look at whose turn it is: an agent came or went.
func (o *Outbox) Reconsider() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.workers {
		w.mu.Lock()
		w.anew = true
		w.mu.Unlock()
		w.poke()
	}
}
