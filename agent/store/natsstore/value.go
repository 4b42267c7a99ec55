package natsstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store"
)

// A stored value begins with a byte that tells its form. One that fits into a
// message stands there. A bigger one is cut into chunks, each under a key of its
// own that is never written again; they come first, then the head that names
// them, which is what is compared and swapped.
const (
	formWhole  = 1
	formChunks = 2

	// chunkSize is well below the least that a server takes by default, 1 MiB.
	chunkSize = 512 << 10
	// maxChunks bounds a value: 64 MiB.
	maxChunks = 128
	// sweepEvery is how often chunks are looked for that no head names, and
	// orphanAge how old they must be: their head may be about to be written.
	sweepEvery = 10 * time.Minute
	orphanAge  = 10 * time.Minute
)

var crc = crc32.MakeTable(crc32.Castagnoli)

// head names the chunks of a value.
type head struct {
	ID   string `json:"id"`
	N    int    `json:"n"`
	Size int    `json:"size"`
	CRC  uint32 `json:"crc"`
}

func chunkKey(id string, n int) string { return fmt.Sprintf("%s%s.%d", chunkPrefix, id, n) }

// encode is what is to be stored of a value; of a big one the chunks are written
// by then, and their head is returned too.
func (b *bucket) encode(ctx context.Context, value []byte) ([]byte, *head, error) {
	if len(value) < chunkSize {
		return append([]byte{formWhole}, value...), nil, nil
	}
	h := &head{ID: strings.ToLower(rand.Text()), N: (len(value) + chunkSize - 1) / chunkSize, Size: len(value), CRC: crc32.Checksum(value, crc)}
	if h.N > maxChunks {
		return nil, nil, fmt.Errorf("value of %d bytes, want at most %d", len(value), maxChunks*chunkSize)
	}
	for i := range h.N {
		part := value[i*chunkSize : min((i+1)*chunkSize, len(value))]
		if _, err := b.kv.Create(ctx, chunkKey(h.ID, i), part); err != nil {
			return nil, h, err
		}
	}
	raw, err := json.Marshal(h)
	if err != nil {
		return nil, h, err
	}
	return append([]byte{formChunks}, raw...), h, nil
}

// errReplaced says that chunks were gone when they were read: the head is old.
var errReplaced = errors.New("the value was replaced meanwhile")

// decode is the value of what is stored.
func (b *bucket) decode(ctx context.Context, stored []byte) ([]byte, error) {
	h, err := headOf(stored)
	switch {
	case err != nil:
		return nil, err
	case h == nil:
		return bytes.Clone(stored[1:]), nil
	}
	value := make([]byte, 0, h.Size)
	for i := range h.N {
		raw, _, err := b.last(ctx, chunkKey(h.ID, i))
		if errors.Is(err, store.ErrNotFound) {
			return nil, errReplaced
		}
		if err != nil {
			return nil, err
		}
		value = append(value, raw...)
	}
	if len(value) != h.Size || crc32.Checksum(value, crc) != h.CRC {
		return nil, fmt.Errorf("%w: its chunks are not those that were written", store.ErrCorrupt)
	}
	return value, nil
}

// headOf is the head of a value in chunks, nil for one that is whole.
func headOf(stored []byte) (*head, error) {
	switch {
	case len(stored) == 0:
		return nil, fmt.Errorf("%w: nothing is stored", store.ErrCorrupt)
	case stored[0] == formWhole:
		return nil, nil
	case stored[0] != formChunks:
		return nil, fmt.Errorf("%w: form %d, which a newer program may have written", store.ErrCorrupt, stored[0])
	}
	var h head
	if err := json.Unmarshal(stored[1:], &h); err != nil || h.N < 1 || h.N > maxChunks || h.Size < 0 || h.Size > maxChunks*chunkSize {
		return nil, fmt.Errorf("%w: its head cannot be read", store.ErrCorrupt)
	}
	return &h, nil
}

// drop deletes the chunks of a head that is not in the store any more, or never
// was. What is left of them a sweep finds.
func (b *bucket) drop(ctx context.Context, h *head) {
	if h == nil {
		return
	}
	for i := range h.N {
		if err := b.kv.Purge(ctx, chunkKey(h.ID, i), jetstream.PurgeTTL(markerKept)); err != nil {
			return
		}
	}
}

// sweep deletes chunks that no head names: a writer died between the two.
func (s *Store) sweep(ctx context.Context) {
	b, err := s.usable()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 4*s.opts.Timeout)
	defer cancel()
	orphans := map[string][]string{} // keys by ID
	err = b.each(ctx, chunkPrefix+">", true, func(e jetstream.KeyValueEntry) {
		id, _, _ := strings.Cut(strings.TrimPrefix(e.Key(), chunkPrefix), ".")
		if time.Since(e.Created()) > orphanAge {
			orphans[id] = append(orphans[id], e.Key())
		}
	})
	if err != nil || len(orphans) == 0 {
		return
	}
	err = b.each(ctx, keyPrefix+">", false, func(e jetstream.KeyValueEntry) {
		if h, err := headOf(e.Value()); err == nil && h != nil {
			delete(orphans, h.ID)
		}
	})
	if err != nil {
		return
	}
	for id, keys := range orphans {
		for _, key := range keys {
			if err := b.kv.Purge(ctx, key, jetstream.PurgeTTL(markerKept)); err != nil {
				return
			}
		}
		s.log.Debug("parts of a value that was never finished are gone", "key", id)
	}
}
