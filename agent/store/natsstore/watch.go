package natsstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store"
)

// Watcher is told what becomes of keys. One goroutine calls it.
type Watcher interface {
	Begin()                                // all that was said before may be outdated: what lies in the store follows
	Put(e store.Entry)                     // the key has this value at this revision
	Delete(key string, rev store.Revision) // the key is gone; rev is that of its removal
	Synced()                               // all that lay in the store at Begin has been told
}

// watchPause is what lies between two attempts to watch.
const watchPause = 200 * time.Millisecond

// Watch tells w what lies below the prefixes and what becomes of it, until ctx is
// done. It begins anew, with Begin, whenever it may have missed something: the
// store was away, and what was deleted meanwhile may have left no mark. It
// returns nil.
func (s *Store) Watch(ctx context.Context, prefixes []string, w Watcher) error {
	for ctx.Err() == nil {
		if b, err := s.usable(); err == nil {
			if err := s.watch(ctx, b, prefixes, w); err != nil && ctx.Err() == nil {
				s.log.Warn("watch of the shared store begins anew", "err", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchPause):
		}
	}
	return nil
}

// watch watches until something may have been missed.
func (s *Store) watch(ctx context.Context, b *bucket, prefixes []string, w Watcher) error {
	s.mu.Lock()
	renew := s.renew
	s.mu.Unlock()
	var filters []string
	for _, p := range prefixes {
		filters = append(filters, filter(p))
	}
	updates, err := b.kv.WatchFiltered(ctx, filters)
	if err != nil {
		return err
	}
	defer func() { _ = updates.Stop() }()
	w.Begin()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-renew:
			return nil
		case e, more := <-updates.Updates():
			switch {
			case !more:
				return errors.New("the server ended it")
			case e == nil:
				w.Synced()
				continue
			}
			if err := s.tell(ctx, b, prefixes, w, e); err != nil {
				return err
			}
		}
	}
}

// tell tells of one change.
func (s *Store) tell(ctx context.Context, b *bucket, prefixes []string, w Watcher, e jetstream.KeyValueEntry) error {
	key, ok := decodeKey(e.Key())
	if !ok || !hasAny(key, prefixes) {
		return nil
	}
	if e.Operation() != jetstream.KeyValuePut {
		w.Delete(key, store.Revision(e.Revision()))
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	value, err := b.decode(bounded, e.Value())
	switch {
	case errors.Is(err, errReplaced):
		return nil // the next change is about what replaced it
	case errors.Is(err, store.ErrCorrupt):
		s.log.Error("value cannot be read", "key", key, "err", err)
		return nil
	case err != nil:
		return err
	}
	w.Put(store.Entry{Key: key, Value: value, Revision: store.Revision(e.Revision())})
	return nil
}

func hasAny(key string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}
