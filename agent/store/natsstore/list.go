package natsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store"
)

// List implements store.KV.
func (s *Store) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	var found []store.Entry
	err := s.list(ctx, prefix, false, func(b *bucket, bounded context.Context, key string, e jetstream.KeyValueEntry) error {
		value, h, err := b.decode(bounded, key, e.Value())
		one := store.Entry{Key: key, Value: value, Revision: store.Revision(e.Revision())}
		switch {
		case errors.Is(err, errReplaced):
			one, err = s.get(bounded, b, key)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
		case err == nil:
			s.know(key, one.Revision, h)
		}
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		found = append(found, one)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) })
	return found, nil
}

// Keys implements store.KV.
func (s *Store) Keys(ctx context.Context, prefix string) ([]string, error) {
	var found []string
	err := s.list(ctx, prefix, true, func(_ *bucket, _ context.Context, key string, _ jetstream.KeyValueEntry) error {
		found = append(found, key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	return found, nil
}

// list calls f for what lies below a prefix.
func (s *Store) list(ctx context.Context, prefix string, keys bool, f func(*bucket, context.Context, string, jetstream.KeyValueEntry) error) error {
	b, bounded, cancel, err := s.begin(ctx)
	if err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	defer cancel()
	entries, err := b.all(bounded, filter(prefix), keys)
	for _, e := range entries {
		key, ok := decodeKey(e.Key())
		if !ok || !strings.HasPrefix(key, prefix) {
			continue
		}
		if err = f(b, bounded, key, e); err != nil {
			break
		}
	}
	return s.fail(ctx, "read", prefix, err)
}

// all are the keys that match a filter, with their values unless only the keys are
// wanted, in no order. Any node may answer, also one that is behind: it has all
// once it comes to the stamp.
func (b *bucket) all(ctx context.Context, filter string, keys bool) ([]jetstream.KeyValueEntry, error) {
	stamp, err := b.stamp(ctx)
	if err != nil {
		return nil, err
	}
	var opts []jetstream.WatchOpt
	if keys {
		opts = append(opts, jetstream.MetaOnly())
	}
	w, err := b.kv.WatchFiltered(ctx, []string{filter, stampKey}, opts...)
	if err != nil {
		return nil, cause(ctx, err)
	}
	defer end(ctx, w)
	found := make(map[string]jetstream.KeyValueEntry)
	var synced, stamped bool
	var pending uint64
	for !synced || !stamped || pending > 0 {
		select {
		case <-ctx.Done():
			return nil, cause(ctx, ctx.Err())
		case e, more := <-w.Updates():
			switch {
			case !more:
				return nil, errors.New("the bucket was not read to its end")
			case e == nil:
				synced = true
				continue
			case e.Key() == stampKey:
				stamped = stamped || e.Revision() >= stamp
			case e.Operation() == jetstream.KeyValuePut:
				found[e.Key()] = e
			default:
				delete(found, e.Key())
			}
			pending = e.Delta()
		}
	}
	entries := make([]jetstream.KeyValueEntry, 0, len(found))
	for _, e := range found {
		entries = append(entries, e)
	}
	return entries, nil
}

// end stops a watcher. It asks the server to forget it, for whose answer nobody
// waits longer than ctx lasts, and takes what is still on its way, for which the
// connection would wait.
func end(ctx context.Context, w jetstream.KeyWatcher) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Stop()
		for range w.Updates() {
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
