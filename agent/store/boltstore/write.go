package boltstore

import (
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/esawatch/esawatch/agent/store"
)

// write is a Put or a Delete that waits to be committed.
type write struct {
	ctx    context.Context // of the caller, who waits: it outlives no call
	key    string
	value  []byte
	expect store.Revision
	remove bool

	done chan struct{} // closed once rev and err are set
	rev  store.Revision
	err  error
}

func (w *write) settle(rev store.Revision, err error) {
	w.rev, w.err = rev, err
	close(w.done)
}

// Put implements store.KV.
func (s *Store) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	w := &write{ctx: ctx, key: e.Key, value: e.Value, expect: e.Revision, done: make(chan struct{})}
	if err := s.submit(w); err != nil {
		return 0, fmt.Errorf("put %q: %w", e.Key, err)
	}
	return w.rev, nil
}

// Delete implements store.KV.
func (s *Store) Delete(ctx context.Context, key string, rev store.Revision) error {
	w := &write{ctx: ctx, key: key, expect: rev, remove: true, done: make(chan struct{})}
	if err := s.submit(w); err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	return nil
}

// submit queues w and waits until it is settled. Whoever gets the turn commits
// all that is queued by then: a lone writer at once, many in one transaction
// while the one before it is being synced. It always waits for a commit that
// has begun, since w.value is the caller's.
func (s *Store) submit(w *write) error {
	if err := s.usable(w.ctx); err != nil {
		return err
	}
	if len(w.key) == 0 || len(w.key) > store.MaxKey {
		return fmt.Errorf("key of %d bytes, want 1 to %d", len(w.key), store.MaxKey)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	s.queue = append(s.queue, w)
	s.mu.Unlock()

	select {
	case <-w.done:
	case s.turn <- struct{}{}:
		s.commit()
		<-s.turn
		<-w.done // if not by this commit, then by the one before
	}
	return w.err
}

// commit writes all that is queued. The caller has the turn.
func (s *Store) commit() {
	s.mu.Lock()
	batch := s.queue
	s.queue = nil
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	type result struct {
		rev store.Revision
		err error
	}
	results := make([]result, len(batch))
	err := s.guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketName)
			for i, w := range batch {
				var err error
				results[i].rev, results[i].err, err = w.apply(b)
				if err != nil {
					return fmt.Errorf("key %q: %w", w.key, err)
				}
			}
			return nil
		})
	})
	for i, w := range batch {
		if err != nil {
			w.settle(0, err)
		} else {
			w.settle(results[i].rev, results[i].err)
		}
	}
}

// apply does the write within a transaction. refused is the caller's to know
// and leaves the transaction as it was; err is the end of it.
func (w *write) apply(b *bolt.Bucket) (rev store.Revision, refused, err error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err, nil
	}
	key := []byte(w.key)
	var current store.Revision
	if raw := b.Get(key); raw != nil {
		e, err := decode(key, raw)
		if err != nil {
			return 0, err, nil
		}
		current = e.Revision
	}
	switch {
	case current != w.expect:
		return 0, store.ErrConflict, nil
	case w.remove && current == 0:
		return 0, nil, nil
	case w.remove:
		return 0, nil, b.Delete(key)
	}
	next, err := b.NextSequence()
	if err != nil {
		return 0, nil, err
	}
	rev = store.Revision(next)
	return rev, nil, b.Put(key, encode(store.Entry{Key: w.key, Value: w.value, Revision: rev}))
}
