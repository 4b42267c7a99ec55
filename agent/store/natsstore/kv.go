package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store"
)

// begin is what every operation begins with.
func (s *Store) begin(ctx context.Context) (b *bucket, bounded context.Context, cancel context.CancelFunc, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err = s.usableLocked()
	switch {
	case errors.Is(err, store.ErrClosed):
		return nil, nil, nil, err
	case ctx.Err() != nil:
		return nil, nil, nil, ctx.Err()
	case err != nil:
		return nil, nil, nil, err
	}
	bounded, cancel = s.trackLocked(ctx, s.opts.Timeout)
	return b, bounded, cancel, nil
}

// fail is what an operation returns for an error of NATS. One that says nothing of
// the key says that the store is away, which others need not find out by waiting.
// Of a write whose caller did not wait for the answer nobody knows whether it
// happened, so that error is both.
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
	case isWrongSequence(err):
		err = store.ErrConflict
	case isRefused(err):
		// An answer, such as of a value that is too big.
	case ctx.Err() != nil && op == "read":
		err = ctx.Err()
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	default:
		s.trouble(explain(err))
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

// subject is where a key of the bucket is written.
func (b *bucket) subject(key string) string { return "$KV." + b.kv.Bucket() + "." + key }

// last reads the newest message of a subject from the leader, not what is behind
// a deletion. The sequence is that of the message, even if it says that the key
// was deleted; 0 without one.
func (b *bucket) last(ctx context.Context, key string) (value []byte, sequence uint64, err error) {
	msg, err := b.stream.GetLastMsgForSubject(ctx, b.subject(key))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, 0, store.ErrNotFound
	case err != nil:
		return nil, 0, cause(ctx, err)
	case isMarker(msg.Header):
		return nil, msg.Sequence, store.ErrNotFound
	}
	return msg.Data, msg.Sequence, nil
}

// cause is why an operation ended, where that was a lost connection.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); err != nil && errors.Is(why, errLost) {
		return why
	}
	return err
}

// isMarker tells whether a message stands for a key that was deleted.
func isMarker(h nats.Header) bool {
	return h.Get(operation) != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}

// Get implements store.KV.
func (s *Store) Get(ctx context.Context, key string) (store.Entry, error) {
	b, bounded, cancel, err := s.begin(ctx)
	if err != nil {
		return store.Entry{}, fmt.Errorf("read %q: %w", key, err)
	}
	defer cancel()
	if checkKey(key) != nil {
		return store.Entry{}, fmt.Errorf("read %q: %w", key, store.ErrNotFound)
	}
	e, err := s.get(bounded, b, key)
	return e, s.fail(ctx, "read", key, err)
}

// get reads a value. That its chunks are gone says that it was replaced between
// the one read and the other; the new head tells. They are lost where it stays
// the same head.
func (s *Store) get(ctx context.Context, b *bucket, key string) (store.Entry, error) {
	const tries = 3 // of one head: right after a new leader was chosen it may know an old one
	var was uint64
	for try := 1; ; try++ {
		raw, sequence, err := b.last(ctx, encodeKey(key))
		if err != nil {
			return store.Entry{}, err
		}
		if sequence != was {
			was, try = sequence, 1
		}
		value, h, err := b.decode(ctx, key, raw)
		switch {
		case err == nil:
			s.know(key, store.Revision(sequence), h)
			return store.Entry{Key: key, Value: value, Revision: store.Revision(sequence)}, nil
		case errors.Is(err, store.ErrCorrupt):
			return store.Entry{Key: key, Value: raw, Revision: store.Revision(sequence)}, err
		case !errors.Is(err, errReplaced):
			return store.Entry{}, err
		case try == tries:
			err = fmt.Errorf("%w: parts of it are missing", store.ErrCorrupt)
			return store.Entry{Key: key, Value: raw, Revision: store.Revision(sequence)}, err
		}
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
	raw, parts, err := b.encode(bounded, e.Key, e.Value)
	if err != nil {
		return 0, s.fail(ctx, "put", e.Key, err)
	}
	sequence, err := b.swap(bounded, encodeKey(e.Key), raw, uint64(e.Revision))
	if err != nil {
		if isWrongSequence(err) {
			b.drop(bounded, e.Key, parts) // of another error it may be that the head was written
		}
		return 0, s.fail(ctx, "put", e.Key, err)
	}
	is := store.Revision(sequence)
	s.silence.write(e.Key, is, time.Now())
	b.drop(bounded, e.Key, s.replaced(e.Key, e.Revision, is, parts))
	return is, nil
}

// swap writes a value if the key is at the revision; 0 = it does not exist. Of a
// key that was deleted there may be a marker, whose sequence is then the one to
// compare.
func (b *bucket) swap(ctx context.Context, key string, raw []byte, revision uint64) (uint64, error) {
	sequence, err := b.write(ctx, key, raw, revision, nil)
	if revision != 0 || !isWrongSequence(err) {
		return sequence, err
	}
	_, marker, readErr := b.last(ctx, key)
	switch {
	case readErr == nil:
		return 0, err // it exists
	case !errors.Is(readErr, store.ErrNotFound):
		return 0, readErr
	}
	return b.write(ctx, key, raw, marker, nil)
}

// The headers that make a message the marker of a deletion.
const (
	operation = "KV-Operation"
	purge     = "PURGE"
)

// write publishes a message if its subject is at the revision. It is sent once, and
// again only when the server has said that nobody took it.
func (b *bucket) write(ctx context.Context, key string, data []byte, revision uint64, h nats.Header, opts ...jetstream.PublishOpt) (uint64, error) {
	if h == nil {
		h = nats.Header{}
	}
	opts = append(opts, jetstream.WithExpectLastSequencePerSubject(revision), jetstream.WithExpectStream("KV_"+b.kv.Bucket()))
	ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject(key), Header: h, Data: data}, opts...)
	if err != nil {
		return 0, cause(ctx, err)
	}
	return ack.Sequence, nil
}

// remove replaces a message by the marker of its deletion, which is kept for a
// while.
func (b *bucket) remove(ctx context.Context, key string, revision uint64, kept time.Duration) (uint64, error) {
	h := nats.Header{operation: {purge}, jetstream.MsgRollup: {jetstream.MsgRollupSubject}}
	return b.write(ctx, key, nil, revision, h, jetstream.WithMsgTTL(kept))
}

// stamp is a write that says nothing. That it was taken says that the leader has
// the others behind it, and whoever has its sequence has all that was written
// before.
func (b *bucket) stamp(ctx context.Context) (uint64, error) {
	ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject(stampKey), Header: nats.Header{}}, jetstream.WithExpectStream("KV_"+b.kv.Bucket()))
	if err != nil {
		return 0, cause(ctx, err)
	}
	return ack.Sequence, nil
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
	sequence, err := b.remove(bounded, encodeKey(key), uint64(rev), markerKept)
	if err != nil {
		return s.fail(ctx, "delete", key, err)
	}
	is := store.Revision(sequence)
	s.silence.write(key, is, time.Now())
	b.drop(bounded, key, s.replaced(key, rev, is, nil))
	return nil
}
