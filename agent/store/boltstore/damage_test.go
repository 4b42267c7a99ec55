package boltstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/boltstore"
)

// Every damage that a medium can do: the store opens, says so if it noticed,
// keeps the damaged file, serves nothing that was not written, and works.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	written := make(map[string]string)
	s := open(t, path)
	value := func(i int) string { return strings.Repeat(fmt.Sprintf("value %d ", i), 1+i%7*40) }
	for i := range 150 {
		key := fmt.Sprintf("site/%03d", i)
		rev, err := s.Put(t.Context(), store.Entry{Key: key, Value: []byte("old")})
		if err == nil && i%10 == 0 {
			err = s.Delete(t.Context(), key, rev)
		} else if err == nil {
			written[key] = value(i)
			_, err = s.Put(t.Context(), store.Entry{Key: key, Value: []byte(value(i)), Revision: rev})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	damages := map[string]func([]byte) []byte{
		"truncate": func(b []byte) []byte { return b[:1+rng.IntN(len(b)-1)] },
		"grow":     func(b []byte) []byte { return append(b, make([]byte, 1+rng.IntN(9000))...) },
		"zero a page": func(b []byte) []byte {
			at := rng.IntN(len(b)/4096) * 4096
			clear(b[at : at+4096])
			return b
		},
		"zero a range": func(b []byte) []byte {
			at := rng.IntN(len(b))
			clear(b[at:min(len(b), at+rng.IntN(10000))])
			return b
		},
		"flip a bit": func(b []byte) []byte {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			return b
		},
		"flip in the header of a page": func(b []byte) []byte {
			b[rng.IntN(len(b)/4096)*4096+rng.IntN(128)] ^= 1 << rng.IntN(8)
			return b
		},
		"garbage": func(b []byte) []byte {
			at := rng.IntN(len(b))
			for i := at; i < min(len(b), at+1+rng.IntN(500)); i++ {
				b[i] = byte(rng.Uint32())
			}
			return b
		},
		"swap two pages": func(b []byte) []byte {
			x, y := rng.IntN(len(b)/4096)*4096, rng.IntN(len(b)/4096)*4096
			page := string(b[x : x+4096])
			copy(b[x:], b[y:y+4096])
			copy(b[y:], page)
			return b
		},
		"only garbage": func(b []byte) []byte {
			b = b[:1+rng.IntN(20000)]
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		},
	}
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			noticed, kept := 0, 0
			for range rounds {
				recovered := testDamaged(t, damage([]byte(strings.Clone(string(sound)))), written)
				if recovered != nil {
					noticed++
					kept += recovered.Kept
				}
			}
			t.Logf("%d damaged files, %d noticed, of %d values each %.0f kept in those", rounds, noticed, len(written), float64(kept)/max(1, float64(noticed)))
		})
	}
}

func testDamaged(t *testing.T, raw []byte, written map[string]string) *boltstore.Recovery {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close()
	entries, err := s.List(t.Context(), "")
	if err != nil {
		t.Errorf("List: %v", err)
	}
	r := s.Recovered()
	for _, e := range entries {
		// With its newest root page a file loses its last write: the value
		// before is then the best there is, but not without a word.
		if value := string(e.Value); value != written[e.Key] && (r == nil || value != "old") {
			t.Errorf("%q has the value %q, want what was written", e.Key, value)
		}
	}
	switch {
	case r == nil && len(entries) != len(written):
		t.Errorf("%d values of %d, and no word of it", len(entries), len(written))
	case r != nil:
		if !errors.Is(r.Cause, store.ErrCorrupt) || r.Kept != len(entries) {
			t.Errorf("recovered %+v, want a cause, and %d kept", r, len(entries))
		}
		if aside, err := os.ReadFile(r.Path); err != nil || string(aside) != string(raw) {
			t.Errorf("the damaged file is not kept as it was: %v", err)
		}
	}
	if _, err := s.Put(t.Context(), store.Entry{Key: "new", Value: []byte("x")}); err != nil {
		t.Errorf("Put into a recovered store: %v", err)
	}
	return r
}

// A file that is cut off while it is open makes errors, not a crash.
func TestDamagedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	for i := range 200 {
		if _, err := s.Put(t.Context(), store.Entry{Key: fmt.Sprintf("%03d", i), Value: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context(), ""); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("List: %v, want %v", err, store.ErrCorrupt)
	}
	if _, err := s.Put(t.Context(), store.Entry{Key: "x"}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Put afterwards: %v, want %v", err, store.ErrCorrupt)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// Two processes that start at once on a damaged file must not both replace it.
func TestDamagedStartedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, []byte("not a store"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	won := make(chan *boltstore.Store, 4)
	for range cap(won) {
		all.Go(func() {
			s, err := boltstore.Open(path, boltstore.Options{Timeout: 200 * time.Millisecond})
			if err == nil {
				won <- s
			} else if !errors.Is(err, boltstore.ErrInUse) {
				t.Errorf("Open: %v, want nil or %v", err, boltstore.ErrInUse)
			}
		})
	}
	all.Wait()
	close(won)
	n := 0
	for s := range won {
		n++
		_ = s.Close()
	}
	if n != 1 {
		t.Errorf("%d opened the store, want 1", n)
	}
	if aside, err := filepath.Glob(path + ".corrupt-*"); err != nil || len(aside) != 1 {
		t.Errorf("set aside: %q, %v, want one file", aside, err)
	}
}
