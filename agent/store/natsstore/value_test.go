package natsstore

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
)

// chunksOf are the names of all chunks in a bucket.
func chunksOf(t *testing.T, s *Store) (names []string) {
	t.Helper()
	entries, err := s.bound.all(t.Context(), chunkPrefix+">", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Key())
	}
	return names
}

func put(t testing.TB, s *Store, key, value string, rev store.Revision) store.Revision {
	t.Helper()
	rev, err := s.Put(t.Context(), store.Entry{Key: key, Value: []byte(value), Revision: rev})
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// wantChunks wants the chunks of one value of a key, and no others.
func wantChunks(t *testing.T, s *Store, key string, n int) {
	t.Helper()
	chunks := chunksOf(t, s)
	if len(chunks) != n {
		t.Errorf("%d chunks, want %d", len(chunks), n)
	}
	for _, chunk := range chunks {
		if got, _, ok := ofChunk(chunk); !ok || got != key {
			t.Errorf("a chunk of %q, want of %q", got, key)
		}
	}
}

// The parts of a value go when it is replaced or deleted, by whoever has read it.
func TestReplaced(t *testing.T) {
	servers := natstest.Start(t, 1)
	nc := connect(t, servers.URLs())
	s, other := open(t, nc, Options{Bucket: "parts"}), open(t, nc, Options{Bucket: "parts"})
	big := strings.Repeat("x", 2*chunkSize)
	key := "site/shop.example/ü"
	rev := put(t, s, key, big, 0)
	wantChunks(t, s, key, 2)
	rev = put(t, s, key, big+"y", rev)
	wantChunks(t, s, key, 3)
	if _, err := other.Get(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	rev = put(t, other, key, big, rev)
	wantChunks(t, s, key, 2)
	if _, err := s.Put(t.Context(), store.Entry{Key: key, Value: []byte(big), Revision: rev - 1}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Put at another revision: %v", err)
	}
	wantChunks(t, s, key, 2)
	if err := other.Delete(t.Context(), key, rev); err != nil {
		t.Fatal(err)
	}
	wantChunks(t, s, key, 0)
}

// A writer that comes late to note its head does no harm to a newer value.
func TestLateHead(t *testing.T) {
	s := &Store{heads: make(map[string]known)}
	one, two, three := &head{ID: "1"}, &head{ID: "2"}, &head{ID: "3"}
	// The second write is compared with the first, and noted before it.
	if got := s.replaced("key", 1, 2, two); got != nil {
		t.Errorf("dropped %v, of which nothing is known", got)
	}
	if got := s.replaced("key", 0, 1, one); got != nil {
		t.Errorf("the late writer dropped %v", got)
	}
	s.know("key", 1, one)
	if got := s.replaced("key", 2, 3, three); got != two {
		t.Errorf("dropped %v, want that of the value it replaced", got)
	}
	if got := s.replaced("key", 2, 4, nil); got != nil {
		t.Errorf("dropped %v, which is at another revision", got)
	}
	if len(s.heads) != 0 {
		t.Errorf("heads %v, want none of a small value", s.heads)
	}
}

// Many replace a big value at once: what is there can be read at any time.
func TestBigTogether(t *testing.T) {
	servers := natstest.Start(t, 1)
	nc := connect(t, servers.URLs())
	s := open(t, nc, Options{Bucket: "together"})
	big := strings.Repeat("x", chunkSize)
	put(t, s, "key", big, 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				e, err := s.Get(t.Context(), "key")
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				e.Value = append(e.Value[:chunkSize:chunkSize], 'y')
				if _, err := s.Put(t.Context(), e); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Errorf("Put: %v", err)
				}
				if _, err := s.List(t.Context(), ""); err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.sweep(t.Context(), 0)
	wantChunks(t, s, "key", 2)
	if _, err := s.Get(t.Context(), "key"); err != nil {
		t.Error(err)
	}
}

// A sweep finds the parts that no value needs, and leaves the others.
func TestSweep(t *testing.T) {
	servers := natstest.Start(t, 1)
	nc := connect(t, servers.URLs())
	s := open(t, nc, Options{Bucket: "sweep"})
	big := strings.Repeat("x", chunkSize)
	put(t, s, "live", big, 0)
	for _, key := range []string{"never", "live", "small"} { // their writers died
		if _, _, err := s.bound.encode(t.Context(), key, []byte(big)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, "small", "value", 0)
	if _, err := s.bound.kv.Put(t.Context(), "c.foreign", nil); err != nil {
		t.Fatal(err)
	}
	s.sweep(t.Context(), orphanAge)
	if got := len(chunksOf(t, s)); got != 5 {
		t.Fatalf("%d chunks after a sweep of old ones, want all 5", got)
	}
	s.sweep(t.Context(), 0)
	got := chunksOf(t, s)
	slices.Sort(got)
	if len(got) != 2 || got[1] != "c.foreign" && got[0] != "c.foreign" {
		t.Errorf("chunks %q, want one of the live value and the foreign one", got)
	}
	if _, err := s.Get(t.Context(), "live"); err != nil {
		t.Error(err)
	}

	// No sweep looks at more heads than it may.
	for range sweepMost + 10 {
		if _, err := s.bound.kv.Put(t.Context(), chunkKey("orphan", strings.ToLower(rand.Text()), 0), nil); err != nil {
			t.Fatal(err)
		}
	}
	s.sweep(t.Context(), 0)
	if got := len(chunksOf(t, s)); got < 2+10 || got > 2+10+1 {
		t.Errorf("%d chunks are left, want 12, or 13 where the live one was looked at", got)
	}
}

// Nothing is read from a node that is behind.
func TestListAfterPut(t *testing.T) {
	servers := natstest.Start(t, 3)
	s := open(t, connect(t, servers.URLs()), Options{Bucket: "list", Replicas: 3})
	other := open(t, connect(t, servers.URL(1)), Options{Bucket: "list", Replicas: 3})
	var rev store.Revision
	for i := range 25 {
		rev = put(t, s, "key", strings.Repeat("x", i), rev)
		entries, err := other.List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 || entries[0].Revision != rev {
			t.Fatalf("list %d: %v, want revision %d", i, entries, rev)
		}
	}
	if err := s.Delete(t.Context(), "key", rev); err != nil {
		t.Fatal(err)
	}
	if keys, err := other.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("keys %q, %v, want none", keys, err)
	}
}
