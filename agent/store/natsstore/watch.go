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
	// Broken says that the key has a value at this revision which cannot be read.
	Broken(key string, rev store.Revision, err error)
	Synced() // all that lay in the store at Begin has been told
}

// watchPause is what lies between two attempts to watch.
const watchPause = 200 * time.Millisecond

// Watch tells w what lies below the prefixes and what becomes of it, until ctx is
// done. It begins anew, with Begin, whenever it may have missed something: the
// store was away, and what was deleted meanwhile may have left no mark, or it is
// silent about what is known to have been written. A store has one watch at a
// time. It returns nil.
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
	filters := filters(prefixes)
	s.mu.Lock()
	renew := s.renew
	bounded, cancel := s.trackLocked(ctx, s.opts.Timeout)
	s.mu.Unlock()
	// The client ends a watch with the context that it was begun with: only its
	// beginning is bounded.
	watching, stop := context.WithCancel(ctx)
	defer stop()
	begun := context.AfterFunc(bounded, stop)
	updates, err := b.kv.WatchFiltered(watching, filters)
	err = cause(bounded, err)
	begun()
	cancel()
	if err != nil {
		return err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), watchPause)
		defer cancel()
		end(bounded, updates)
	}()
	w.Begin()
	s.silence.begin(prefixes)
	listen := time.NewTicker(silenceEvery)
	defer listen.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-renew:
			return nil
		case now := <-listen.C:
			if s.silence.broken(now) {
				return errors.New("it is silent about what was written")
			}
		case e, more := <-updates.Updates():
			switch {
			case !more:
				return errors.New("the server ended it")
			case e == nil:
				w.Synced()
				s.silence.sync(time.Now())
				continue
			}
			if err := s.tell(ctx, b, prefixes, w, e); err != nil {
				return err
			}
			s.silence.tell(store.Revision(e.Revision()), time.Now())
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
	s.mu.Lock()
	bounded, cancel := s.trackLocked(ctx, s.opts.Timeout)
	s.mu.Unlock()
	defer cancel()
	value, h, err := b.decode(bounded, key, e.Value())
	one := store.Entry{Key: key, Value: value, Revision: store.Revision(e.Revision())}
	if errors.Is(err, errReplaced) {
		one, err = s.get(bounded, b, key) // what replaced it is told of again when its turn comes
	} else if err == nil {
		s.know(key, one.Revision, h)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // its removal comes
	case errors.Is(err, store.ErrCorrupt):
		w.Broken(key, store.Revision(e.Revision()), err)
		return nil
	case err != nil:
		return err
	}
	w.Put(one)
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
