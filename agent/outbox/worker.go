package outbox

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// worker tells one receiver what it is owed, one incident after another.
type worker struct {
	out  *Outbox
	name string
	wake chan struct{} // holds one when dirty or plan have changed
	done chan struct{} // closed when run has returned

	mu    sync.Mutex
	plan  plan
	fresh bool                // plan is newer than the loop's
	gone  bool                // the receiver was removed
	dirty map[string]struct{} // sites to look at again
	state Health              // for those who ask

	// What follows belongs to run.
	now     plan                // the plan as the loop has it
	debts   map[string][]debt   // by site
	owed    int                 // debts in all
	failing map[string]struct{} // incidents that failed since an attempt last worked
	pause   time.Time           // the receiver is left alone until then
}

// plan is what the configuration says about a receiver.
type plan struct {
	receiver Receiver
	timings  incident.Timings
	writer   writer
}

// debt is one incident whose present state the receiver is owed.
type debt struct {
	site, id string
	due      time.Time
	since    time.Time // of the oldest change that was not told
	// again is set when the plan changed after the last attempt failed: the
	// pause after that is void then.
	again bool
	// hold puts the debt off when the record could not take how the last
	// attempt went, lest the same be told over and over.
	hold time.Time
}

func newWorker(o *Outbox, p plan) *worker {
	return &worker{
		out: o, name: p.receiver.Name, plan: p, fresh: true,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		dirty: make(map[string]struct{}), debts: make(map[string][]debt),
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
		if wait <= 0 {
			w.tell(send, next)
			w.look(next.site)
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
	w.dirty, w.fresh, w.now = make(map[string]struct{}), false, w.plan
	w.mu.Unlock()

	if fresh {
		w.pause = time.Time{}
		clear(w.failing)
		for site, debts := range w.debts {
			for i := range debts {
				debts[i].again = true
			}
			dirty[site] = struct{}{}
		}
	}
	for site := range dirty {
		w.look(site)
	}
	w.report()
}

// look derives the debts of a site from its record.
func (w *worker) look(site string) {
	old := w.debts[site]
	var debts []debt
	rec, _ := w.out.opts.Records.Record(site)
	now := time.Now()
	for i := range rec.Incidents {
		if !w.now.receiver.owed(&rec.Incidents[i]) {
			continue
		}
		told := rec.Incidents[i].Told()
		inc := &told
		d := debt{site: site, id: inc.ID, since: w.now.since(inc)}
		if at := slices.IndexFunc(old, func(o debt) bool { return o.id == inc.ID }); at >= 0 {
			d.again, d.hold = old[at].again, old[at].hold
		}
		d.due = w.now.due(inc, now, d.again)
		if d.due.Before(d.hold) {
			d.due = d.hold
		}
		debts = append(debts, d)
	}
	w.owed += len(debts) - len(old)
	if len(debts) == 0 {
		delete(w.debts, site)
		return
	}
	w.debts[site] = debts
}

// next is the debt that is due first and how long that is from now. Without a
// debt the wait is long: the worker is woken when there is one.
func (w *worker) next(now time.Time) (debt, time.Duration) {
	var first debt
	for _, debts := range w.debts {
		for _, d := range debts {
			if first.id == "" || d.before(&first) {
				first = d
			}
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

// before orders debts by when they are due.
func (d *debt) before(e *debt) bool {
	if c := d.due.Compare(e.due); c != 0 {
		return c < 0
	}
	if c := d.since.Compare(e.since); c != 0 {
		return c < 0
	}
	return strings.Compare(d.id, e.id) < 0
}

// report shows the outside how the worker is doing.
func (w *worker) report() {
	w.out.metrics.owed.WithLabelValues(w.name).Set(float64(w.owed))
	var oldest time.Time
	for _, debts := range w.debts {
		for _, d := range debts {
			if oldest.IsZero() || d.since.Before(oldest) {
				oldest = d.since
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Owed, w.state.Oldest = w.owed, oldest
}

// leave takes the queue of a receiver that was removed out of the metrics.
func (w *worker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		w.out.metrics.remove(w.name)
	}
}

// due is when the receiver may be told of what it is owed. again disregards the
// pause after a failed attempt.
func (p *plan) due(inc *incident.Incident, now time.Time, again bool) time.Time {
	name := p.receiver.Name
	if again {
		copied := *inc
		d := inc.Deliveries[name]
		d.NextTry = time.Time{}
		copied.Deliveries = map[string]incident.Delivery{name: d}
		inc = &copied
	}
	due, _ := inc.Due(name, p.timings)
	if due.Sub(now) > max(farthest, p.timings.GroupWait, p.timings.GroupInterval) {
		return now
	}
	return due
}

// since is the time of the oldest change that the receiver was not told. For
// one that knows nothing yet it is the first that is loud enough for its match.
func (p *plan) since(inc *incident.Incident) time.Time {
	d := inc.Deliveries[p.receiver.Name]
	for _, e := range inc.Events {
		if e.Seq > d.Seq && !e.Quiet && (d.Seq > 0 || oneOf(p.receiver.Match.Severity, string(e.Severity))) {
			return e.At
		}
	}
	return inc.OpenedAt
}
