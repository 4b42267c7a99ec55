package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
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
