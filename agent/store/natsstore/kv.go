package natsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store"
)

// begin is what every operation begins with.
func (s *Store) begin(ctx context.Context) (b *bucket, bounded context.Context, cancel context.CancelFunc, err error) {
	b, err = s.usable()
	if errors.Is(err, store.ErrClosed) {
		return nil, nil, nil, err
	}
	if ctx.Err() != nil {
		return nil, nil, nil, ctx.Err()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	bounded, cancel = context.WithTimeout(ctx, s.opts.Timeout)
	return b, bounded, cancel, nil
}

// fail is what an operation returns for an error of NATS. One that says nothing of
// the key says that the store is away, which others need not find out by waiting.
func (s *Store) fail(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrCorrupt, store.ErrClosed, ErrUnavailable} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s %q: %w", op, key, err)
		}
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case isWrongSequence(err):
		err = store.ErrConflict
	case isRefused(err):
		// An answer, such as of a value that is too big.
	default:
		s.note(explain(err))
		err = fmt.Errorf("%w: %w", ErrUnavailable, explain(err))
	}
	return fmt.Errorf("%s %q: %w", op, key, err)
}

// isWrongSequence tells whether a write lost the comparison.
func isWrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// isRefused tells whether an error is an answer about the request itself, and
// not that nobody could be asked.
func isRefused(err error) bool {
	if errors.Is(err, nats.ErrMaxPayload) {
		return true
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code == 400
}

func checkKey(key string) error {
	if key == "" || len(key) > store.MaxKey {
		return fmt.Errorf("key of %d bytes, want 1 to %d", len(key), store.MaxKey)
	}
	return nil
}

// last reads the newest message of a subject from the leader, not what is behind
// a deletion.
func (b *bucket) last(ctx context.Context, key string) (value []byte, sequence uint64, err error) {
	msg, err := b.stream.GetLastMsgForSubject(ctx, "$KV."+b.kv.Bucket()+"."+key)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, 0, store.ErrNotFound
	case err != nil:
		return nil, 0, err
	case isMarker(msg.Header):
		return nil, msg.Sequence, store.ErrNotFound
	}
	return msg.Data, msg.Sequence, nil
}

// isMarker tells whether a message stands for a key that was deleted.
func isMarker(h nats.Header) bool {
	return h.Get("KV-Operation") == "DEL" || h.Get("KV-Operation") == "PURGE" || h.Get("Nats-Marker-Reason") != ""
}

// Get implements store.KV.
func (s *Store) Get(ctx context.Context, key string) (store.Entry, error) {
	b, bounded, cancel, err := s.begin(ctx)
	if err != nil {
		return store.Entry{}, fmt.Errorf("get %q: %w", key, err)
	}
	defer cancel()
	if checkKey(key) != nil {
		return store.Entry{}, fmt.Errorf("get %q: %w", key, store.ErrNotFound)
	}
	const tries = 3
	for try := 1; ; try++ {
		raw, sequence, err := b.last(bounded, encodeKey(key))
		var value []byte
		if err == nil {
			value, err = b.decode(bounded, raw)
		}
		switch {
		case err == nil:
			return store.Entry{Key: key, Value: value, Revision: store.Revision(sequence)}, nil
		case errors.Is(err, errReplaced) && try < tries:
			continue
		case errors.Is(err, errReplaced):
			err = fmt.Errorf("%w: %w", store.ErrCorrupt, err)
		}
		return store.Entry{}, s.fail(ctx, "get", key, err)
	}
}

// Put implements store.KV.
func (s *Store) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	b, bounded, cancel, err := s.begin(ctx)
	if err != nil {
		return 0, fmt.Errorf("put %q: %w", e.Key, err)
	}
	defer cancel()
	if err := checkKey(e.Key); err != nil {
		return 0, fmt.Errorf("put %q: %w", e.Key, err)
	}
	raw, parts, err := b.encode(bounded, e.Value)
	var sequence uint64
	if err == nil {
		sequence, err = b.swap(bounded, encodeKey(e.Key), raw, uint64(e.Revision))
	}
	if err != nil {
		if isWrongSequence(err) {
			b.drop(bounded, parts) // of another error it may be that the head was written
		}
		return 0, s.fail(ctx, "put", e.Key, err)
	}
	b.drop(bounded, s.big(e.Key, parts))
	return store.Revision(sequence), nil
}

// big notes the head of a key's value, nil for one that is whole, and returns the
// one that was known before: its chunks can go. Those that this agent knows
// nothing of a sweep finds.
func (s *Store) big(key string, h *head) (was *head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.heads[key]
	if h == nil {
		delete(s.heads, key)
	} else {
		s.heads[key] = h
	}
	return was
}

// swap writes a value if the key is at the revision; 0 = it does not exist.
func (b *bucket) swap(ctx context.Context, key string, raw []byte, revision uint64) (uint64, error) {
	if revision == 0 {
		return b.kv.Create(ctx, key, raw)
	}
	return b.kv.Update(ctx, key, raw, revision)
}

// Delete implements store.KV.
func (s *Store) Delete(ctx context.Context, key string, rev store.Revision) error {
	b, bounded, cancel, err := s.begin(ctx)
	if err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	defer cancel()
	if err := checkKey(key); err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	if rev == 0 {
		if _, _, err = b.last(bounded, encodeKey(key)); err == nil {
			err = store.ErrConflict
		} else if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return s.fail(ctx, "delete", key, err)
	}
	err = b.kv.Purge(bounded, encodeKey(key), jetstream.LastRevision(uint64(rev)), jetstream.PurgeTTL(markerKept))
	if err != nil {
		return s.fail(ctx, "delete", key, err)
	}
	b.drop(bounded, s.big(key, nil))
	return nil
}

// List implements store.KV.
func (s *Store) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	var found []store.Entry
	err := s.list(ctx, prefix, false, func(b *bucket, bounded context.Context, key string, e jetstream.KeyValueEntry) error {
		value, err := b.decode(bounded, e.Value())
		switch {
		case errors.Is(err, errReplaced):
			again, err := s.Get(bounded, key)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			found = append(found, again)
			return err
		case err != nil:
			return err
		}
		found = append(found, store.Entry{Key: key, Value: value, Revision: store.Revision(e.Revision())})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
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
		return nil, fmt.Errorf("list keys of %q: %w", prefix, err)
	}
	slices.Sort(found)
	return found, nil
}

// list calls f for what lies below a prefix.
func (s *Store) list(ctx context.Context, prefix string, keys bool, f func(*bucket, context.Context, string, jetstream.KeyValueEntry) error) error {
	b, bounded, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	var entries []jetstream.KeyValueEntry
	err = b.each(bounded, filter(prefix), keys, func(e jetstream.KeyValueEntry) { entries = append(entries, e) })
	for _, e := range entries {
		key, ok := decodeKey(e.Key())
		if err != nil || !ok || !strings.HasPrefix(key, prefix) {
			continue
		}
		err = f(b, bounded, key, e)
	}
	return s.fail(ctx, "read", prefix, err)
}

// each calls f for the keys that match a filter, with their values unless only
// the keys are wanted.
func (b *bucket) each(ctx context.Context, filter string, keys bool, f func(jetstream.KeyValueEntry)) error {
	opts := []jetstream.WatchOpt{jetstream.IgnoreDeletes()}
	if keys {
		opts = append(opts, jetstream.MetaOnly())
	}
	w, err := b.kv.Watch(ctx, filter, opts...)
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, more := <-w.Updates():
			switch {
			case !more:
				return errors.New("the bucket was not read to its end")
			case e == nil:
				return nil
			}
			f(e)
		}
	}
}
