package outbox

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// worker tells one receiver what it is owed, one incident after another.
type worker struct {
	out  *Outbox
	name string
	wake chan struct{} // holds one when dirty or plan have changed
	done chan struct{} // closed when run has returned

	telling atomic.Bool // an attempt is under way

	mu    sync.Mutex
	plan  plan
	fresh bool                // plan is newer than the loop's
	gone  bool                // the receiver was removed
	anew  bool                // it may be another agent's turn
	dirty map[string]struct{} // sites to look at again
	state Health              // for those who ask

	// What follows belongs to run.
	now     plan                // the plan as the loop has it
	plans   int                 // how many there were before
	items   map[string][]*item  // what the records say, by site
	past    []time.Time         // when incidents came that are settled, as far as a storm may count them
	notes   map[string]*note    // by incident
	debts   []debt              // as they follow from the items
	stale   bool                // they do not any more
	owed    int                 // incidents with something new to tell
	oldest  time.Time           // of the changes in them
	failing map[string]struct{} // incidents that failed since an attempt last worked
	pause   time.Time           // the receiver is left alone until then
}

// plan is what the configuration says about a receiver.
type plan struct {
	receiver Receiver
	timings  incident.Timings
	storm    Storm
	writer   writer
}

func newWorker(o *Outbox, p plan) *worker {
	return &worker{
		out: o, name: p.receiver.Name, plan: p, fresh: true,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		dirty: make(map[string]struct{}), items: make(map[string][]*item), notes: make(map[string]*note),
		plans:   -1,
		failing: make(map[string]struct{}),
		state:   Health{Receiver: p.receiver.Name},
	}
}

// replan gives the worker a new plan, with which it starts afresh at once.
func (w *worker) replan(p plan) {
	w.mu.Lock()
	w.plan, w.fresh = p, true
	w.mu.Unlock()
	w.poke()
}

// mark has the worker look at the records of sites again.
func (w *worker) mark(sites []string) {
	if len(sites) == 0 {
		return
	}
	w.mu.Lock()
	for _, site := range sites {
		w.dirty[site] = struct{}{}
	}
	w.mu.Unlock()
	w.poke()
}

// dismiss tells the worker that its receiver was removed, before it is stopped.
// What the receiver was owed is given up.
func (w *worker) dismiss() {
	w.mu.Lock()
	w.gone = true
	receiver := w.plan.receiver
	w.mu.Unlock()
	owed := 0
	for _, rec := range w.out.opts.Records.Records() {
		for i := range rec.Incidents {
			if receiver.owed(&rec.Incidents[i]) {
				owed++
			}
		}
	}
	if owed > 0 {
		w.out.metrics.notifications.WithLabelValues(w.name, outcomeDropped).Add(float64(owed))
		w.out.log.Warn("what a removed receiver was owed is dropped", "receiver", w.name, "incidents", owed)
	}
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run works until ctx is done, and then ends the attempt under way unless send
// is done as well. after is closed when the former worker of the same receiver
// is through, nil if there is none.
func (w *worker) run(ctx, send context.Context, after <-chan struct{}) {
	defer close(w.done)
	if after != nil {
		<-after
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		w.refresh()
		next, wait := w.next(time.Now())
		if !w.able() {
			wait = unableEvery
		}
		if wait <= 0 {
			w.telling.Store(true)
			w.tell(send, next)
			w.telling.Store(false)
			w.look(next.site)
			for _, it := range next.members {
				w.look(it.site)
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
	}
	w.leave()
}

// refresh takes over a new plan and looks at the sites that were marked.
func (w *worker) refresh() {
	w.mu.Lock()
	dirty, fresh := w.dirty, w.fresh
	w.stale = w.stale || w.anew
	w.dirty, w.fresh, w.anew, w.now = make(map[string]struct{}), false, false, w.plan
	w.mu.Unlock()

	if fresh {
		w.pause = time.Time{}
		clear(w.failing)
		w.plans++ // which voids the pauses after failures
		for _, n := range w.notes {
			n.told, n.failures, n.retry = time.Time{}, 0, time.Time{}
		}
		for site := range w.items {
			dirty[site] = struct{}{}
		}
	}
	for site := range dirty {
		w.look(site)
	}
}

// next is the debt that is due first and how long that is from now. Without a
// debt the wait is long: the worker is woken when there is one.
func (w *worker) next(now time.Time) (debt, time.Duration) {
	if w.stale {
		w.debts, w.stale = w.owing(now), false
		w.report()
	}
	var first debt
	for i := range w.debts {
		if d := &w.debts[i]; first.id == "" || d.before(&first) {
			first = *d
		}
	}
	if first.id == "" {
		return first, time.Hour
	}
	due := first.due
	if due.Before(w.pause) {
		due = w.pause
	}
	return first, due.Sub(now)
}

// report shows the outside how the worker is doing.
func (w *worker) report() {
	w.out.metrics.setOwed(w.out, w.name, w.owed)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Owed, w.state.Oldest = w.owed, w.oldest
}

// leave takes the queue of a receiver that was removed out of the metrics.
func (w *worker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		w.out.metrics.remove(w.name)
	}
}
