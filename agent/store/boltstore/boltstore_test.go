package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/agent/store/storetest"
)

// childEnv names the file that a copy of this test binary is to write into
// until it is killed.
const childEnv = "ESAWATCH_BOLTSTORE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		child(path)
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.KV { return open(t, filepath.Join(t.TempDir(), "new", "state.db")) })
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	rev, err := s.Put(t.Context(), store.Entry{Key: "a", Value: []byte("one")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	e, err := s.Get(t.Context(), "a")
	if err != nil || string(e.Value) != "one" || e.Revision != rev {
		t.Errorf("after reopening: %q at %d, %v, want %q at %d", e.Value, e.Revision, err, "one", rev)
	}
	if s.Recovered() != nil {
		t.Errorf("recovered %+v from a sound file", s.Recovered())
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	begin := time.Now()
	_, err := boltstore.Open(path, boltstore.Options{Timeout: 100 * time.Millisecond})
	if !errors.Is(err, boltstore.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("second Open: %v, want %v and our pid", err, boltstore.ErrInUse)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("second Open took %v", took)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".pid"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pid file stays after Close: %v", err)
	}
	open(t, path)
}

func TestOpenErrors(t *testing.T) {
	folder := t.TempDir()
	if _, err := boltstore.Open(folder, boltstore.Options{}); err == nil {
		t.Error("Open of a folder succeeded")
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("Open of a folder left %v, %v", entries, err)
	}
}

// A file of a later format is refused as it is: it is not damaged.
func TestNewerFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("v2"))
		if err != nil {
			return err
		}
		return b.Put([]byte("key"), []byte("something that we cannot read"))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(path, boltstore.Options{}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("Open: %v, want an error that speaks of a newer program", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Error("the file was changed")
	}
}

// A file that was emptied for the most part is made small again.
func TestCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	big := make([]byte, 1<<20)
	for i := range 20 {
		key := strconv.Itoa(i)
		rev, err := s.Put(t.Context(), store.Entry{Key: key, Value: big})
		if err == nil && i > 0 {
			err = s.Delete(t.Context(), key, rev)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup // at once, so that no freed page can be used again
	for i := range 30 {
		all.Go(func() {
			if _, err := s.Put(t.Context(), store.Entry{Key: fmt.Sprintf("much-%d", i), Value: big}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries, err := s.List(t.Context(), "much-")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := s.Delete(t.Context(), e.Key, e.Revision); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := s.Get(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := size(t, path)
	s = open(t, path)
	if after := size(t, path); after > before/4 {
		t.Errorf("%d bytes before, %d after, want less than a quarter", before, after)
	}
	again, err := s.Get(t.Context(), "0")
	if err != nil || again.Revision != kept.Revision || len(again.Value) != len(big) {
		t.Errorf("after compaction: %d bytes at %d, %v, want %d at %d", len(again.Value), again.Revision, err, len(big), kept.Revision)
	}
	if rev, err := s.Put(t.Context(), store.Entry{Key: "new"}); err != nil || rev <= kept.Revision+30 {
		t.Errorf("revision %d, %v: want one that was not given out before", rev, err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

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

// child writes values that grow, and prints each once it is written.
func child(path string) {
	s, err := boltstore.Open(path, boltstore.Options{Timeout: 5 * time.Second})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("open", s.Recovered() == nil)
	var out sync.Mutex
	for w := range 4 {
		go func() {
			key := fmt.Sprintf("writer/%d", w)
			var e store.Entry
			if e, err = s.Get(context.Background(), key); err != nil {
				e = store.Entry{Key: key}
			}
			n, _ := strconv.Atoi(strings.TrimSpace(string(e.Value)))
			for {
				n++
				value := fmt.Appendf(nil, "%*d", 1+n%5000, n)
				rev, err := s.Put(context.Background(), store.Entry{Key: key, Value: value, Revision: e.Revision})
				out.Lock()
				if err != nil {
					fmt.Println("error", err)
				}
				fmt.Println(key, n)
				out.Unlock()
				e.Revision = rev
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until killed, or its parent is
}

// Whatever a Put has returned for is there after kill -9.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "state.db")
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	total := 0
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := make(map[string]int)
		lines := bufio.NewScanner(stdout)
		killAfter := 20 + round*23
		for n := 0; lines.Scan(); n++ {
			key, value, _ := strings.Cut(lines.Text(), " ")
			switch number, err := strconv.Atoi(value); {
			case key == "open" && value != "true":
				t.Error("the store was found damaged after a kill")
			case err == nil:
				acknowledged[key] = number
			case key != "open":
				t.Errorf("child says %q", lines.Text())
			}
			if n == killAfter {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		_ = stdin.Close()

		s := open(t, path)
		if s.Recovered() != nil {
			t.Errorf("recovered %+v after a kill", s.Recovered())
		}
		for key, n := range acknowledged {
			e, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if got, err := strconv.Atoi(strings.TrimSpace(string(e.Value))); err != nil || got < n {
				t.Errorf("%s = %d, %v, but %d was acknowledged", key, got, err, n)
			}
			total += n
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if total == 0 {
		t.Error("no child wrote anything")
	}
}

func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "state.db"))
			value := make([]byte, 2000)
			next := make(chan struct{})
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					e := store.Entry{Key: fmt.Sprintf("site/%d", w), Value: value}
					for range next {
						var err error
						if e.Revision, err = s.Put(context.Background(), e); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				next <- struct{}{}
			}
			close(next)
			all.Wait()
		})
	}
}
