package natsstore

import (
	"context"
	"errors"
	"time"

	"github.com/esawatch/esawatch/agent/store"
)

const (
	// sweepEvery is how often chunks are looked for that no head names.
	sweepEvery = 10 * time.Minute
	// orphanAge is how old they must be: their head may be about to be written. An
	// operation takes seconds.
	orphanAge = 10 * time.Minute
	// sweepMost bounds the values whose heads one sweep looks at. They are others
	// each time.
	sweepMost = 100
	// chunkMarkerKept is for how long a marker stays of a chunk that was deleted.
	chunkMarkerKept = time.Minute
)

// sweeps sweeps now and then, until ctx is done.
func (s *Store) sweeps(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.sweep(ctx, orphanAge)
		}
	}
}

// parts names the value that chunks are of.
type parts struct{ key, id string }

// sweep deletes chunks of some age that no head names: their writer died before it
// wrote the head, or after another had replaced it. It lists the names of all
// chunks, and looks at the heads of a bounded number of values.
func (s *Store) sweep(ctx context.Context, age time.Duration) {
	s.mu.Lock()
	b, err := s.usableLocked()
	if err != nil {
		s.mu.Unlock()
		return
	}
	ctx, cancel := s.trackLocked(ctx, 4*s.opts.Timeout)
	s.mu.Unlock()
	defer cancel()

	entries, err := b.all(ctx, chunkPrefix+">", true)
	if err != nil {
		return // it is tried again, and others do too
	}
	old := make(map[parts][]string) // names of the chunks
	for _, e := range entries {
		if key, id, ok := ofChunk(e.Key()); ok && time.Since(e.Created()) > age {
			old[parts{key, id}] = append(old[parts{key, id}], e.Key())
		}
	}
	looked := 0
	for v, chunks := range old { // in an order that is another each time
		if looked++; looked > sweepMost {
			return
		}
		orphan, err := b.isOrphan(ctx, v)
		if err != nil {
			return
		}
		for _, chunk := range chunks {
			if orphan && !b.dropChunk(ctx, chunk) {
				return
			}
		}
		if orphan {
			s.log.Debug("parts of a value that are not needed any more are gone", "key", v.key)
		}
	}
}

// isOrphan tells whether the key of a value has another value by now, or none.
func (b *bucket) isOrphan(ctx context.Context, v parts) (bool, error) {
	raw, _, err := b.last(ctx, encodeKey(v.key))
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	h, err := headOf(raw)
	if err != nil {
		return false, nil // what cannot be read may need them
	}
	return h == nil || h.ID != v.id, nil
}
