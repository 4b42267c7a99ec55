package incident

import (
	"context"
	"sync"

	"github.com/esawatch/esawatch/checks"
)

// Where the store is shared, a write takes as long as the way to it and back, and
// others may have been faster. When many checks of a site fail at once their
// results are therefore taken in together: what has come while one write was under
// way becomes the next one.

// queue holds the results that wait for a site.
type queue struct {
	mu  sync.Mutex
	all []*waiting
}

// waiting is a result that was not taken in yet. done and err belong to who has
// the site's mu.
type waiting struct {
	r    *checks.Result
	done bool
	err  error
}

func (q *queue) add(w *waiting) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, w)
}

func (q *queue) take() []*waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.all
	q.all = nil
	return all
}

// observeBatch takes in a result, and with it all that wait for the site. It
// returns when r is saved, by whomever.
func (k *Keeper) observeBatch(ctx context.Context, s *site, r *checks.Result) error {
	w := &waiting{r: r}
	s.queue.add(w)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.done {
		return w.err
	}
	batch := s.queue.take()
	err := k.takeIn(ctx, s, batch)
	for _, b := range batch {
		b.done, b.err = true, err
	}
	return err
}

// takeIn makes one change of the results; the caller has s.mu.
func (k *Keeper) takeIn(ctx context.Context, s *site, batch []*waiting) error {
	type step struct {
		r *checks.Result
		p Policy
	}
	var steps []step
	for _, b := range batch {
		p, ok := k.takes(s, b.r)
		if !ok || len(batch) == 1 && s.rec.Load().stays(b.r, p) {
			continue
		}
		steps = append(steps, step{b.r, k.atMoment(b.r, *p)})
	}
	if len(steps) == 0 {
		return nil
	}
	_, err := k.change(ctx, s, func(rec Record) (Record, bool) {
		save := false
		for _, st := range steps {
			var news bool
			rec, news = Next(rec, *st.r, st.p)
			save = save || news
		}
		return rec, save
	})
	return err
}
