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
)

var crc = crc32.MakeTable(crc32.Castagnoli)

// head names the chunks of a value.
type head struct {
	ID   string `json:"id"`
	N    int    `json:"n"`
	Size int    `json:"size"`
	CRC  uint32 `json:"crc"`
}

// chunkKey is where a chunk is kept. It names the key that it is a part of, so that
// one without a head can be told from others.
func chunkKey(key, id string, n int) string {
	return fmt.Sprintf("%s%s.%d.%s", chunkPrefix, id, n, strings.TrimPrefix(encodeKey(key), keyPrefix))
}

// ofChunk is the reverse, of which value a chunk is a part.
func ofChunk(subject string) (key, id string, ok bool) {
	rest, ok := strings.CutPrefix(subject, chunkPrefix)
	if !ok {
		return "", "", false
	}
	id, rest, _ = strings.Cut(rest, ".")
	_, rest, ok = strings.Cut(rest, ".")
	if !ok {
		return "", "", false
	}
	key, ok = decodeKey(keyPrefix + rest)
	return key, id, ok
}

// encode is what is to be stored of a value; of a big one the chunks are written
// by then, and their head is returned too.
func (b *bucket) encode(ctx context.Context, key string, value []byte) ([]byte, *head, error) {
	if len(value) < chunkSize {
		return append([]byte{formWhole}, value...), nil, nil
	}
	h := &head{ID: strings.ToLower(rand.Text()), N: (len(value) + chunkSize - 1) / chunkSize, Size: len(value), CRC: crc32.Checksum(value, crc)}
	if h.N > maxChunks {
		return nil, nil, fmt.Errorf("value of %d bytes, want at most %d", len(value), maxChunks*chunkSize)
	}
	for i := range h.N {
		part := value[i*chunkSize : min((i+1)*chunkSize, len(value))]
		if _, err := b.write(ctx, chunkKey(key, h.ID, i), part, 0, nil); err != nil {
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

// decode is the value of what is stored, and its head if it is in chunks.
func (b *bucket) decode(ctx context.Context, key string, stored []byte) ([]byte, *head, error) {
	h, err := headOf(stored)
	switch {
	case err != nil:
		return nil, nil, err
	case h == nil:
		return bytes.Clone(stored[1:]), nil, nil
	}
	value := make([]byte, 0, h.Size)
	for i := range h.N {
		raw, _, err := b.last(ctx, chunkKey(key, h.ID, i))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil, errReplaced
		}
		if err != nil {
			return nil, nil, err
		}
		if value = append(value, raw...); len(value) > h.Size {
			break
		}
	}
	if len(value) != h.Size || crc32.Checksum(value, crc) != h.CRC {
		return nil, nil, fmt.Errorf("%w: its chunks are not those that were written", store.ErrCorrupt)
	}
	return value, h, nil
}

// headOf is the head of a value in chunks, nil for one that is whole.
func headOf(stored []byte) (*head, error) {
	switch {
	case len(stored) == 0:
		return nil, fmt.Errorf("%w: nothing is stored", store.ErrCorrupt)
	case stored[0] == formWhole:
		return nil, nil
	case stored[0] != formChunks:
		return nil, fmt.Errorf("%w: form %d: perhaps %w", store.ErrCorrupt, stored[0], store.ErrNewer)
	}
	var h head
	if err := json.Unmarshal(stored[1:], &h); err != nil || h.N < 1 || h.N > maxChunks || h.Size < 0 || h.Size > maxChunks*chunkSize {
		return nil, fmt.Errorf("%w: its head cannot be read", store.ErrCorrupt)
	}
	return &h, nil
}

// drop deletes the chunks of a head that is not in the store any more, or never
// was. What is left of them a sweep finds.
func (b *bucket) drop(ctx context.Context, key string, h *head) {
	if h == nil {
		return
	}
	for i := range h.N {
		if !b.dropChunk(ctx, chunkKey(key, h.ID, i)) {
			return
		}
	}
}

// dropChunk deletes a chunk, if it is there. Nobody watches chunks, and their names
// are not used again.
func (b *bucket) dropChunk(ctx context.Context, chunk string) bool {
	_, sequence, err := b.last(ctx, chunk)
	if errors.Is(err, store.ErrNotFound) {
		return true
	}
	if err == nil {
		_, err = b.remove(ctx, chunk, sequence, chunkMarkerKept)
	}
	return err == nil || isWrongSequence(err)
}

// known is the head that a key has, or had, at a revision.
type known struct {
	rev  store.Revision
	head *head
}

// know takes down the head of a value in chunks that was read; nil of one that is
// whole.
func (s *Store) know(key string, rev store.Revision, h *head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knowLocked(key, rev, h)
}

// knowLocked never puts an older head in the place of a newer one: those who write
// a key one after the other may come here in any order.
func (s *Store) knowLocked(key string, rev store.Revision, h *head) {
	switch was, ok := s.heads[key]; {
	case ok && was.rev > rev:
	case h == nil:
		delete(s.heads, key)
	default:
		s.heads[key] = known{rev, h}
	}
}

// replaced takes down that a write has put a value, with its head, in the place of
// the one at another revision, and returns the head which that had: nobody reads
// its chunks any more. It is nil if it had none, or is not known here; a sweep
// finds those.
func (s *Store) replaced(key string, was, is store.Revision, h *head) *head {
	s.mu.Lock()
	defer s.mu.Unlock()
	var old *head
	if k := s.heads[key]; was != 0 && k.rev == was {
		old = k.head
	}
	s.knowLocked(key, is, h)
	return old
}
