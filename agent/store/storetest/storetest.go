// Package storetest holds every kind of store to the same contract.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/esawatch/esawatch/agent/store"
)

// Run tests the stores that open makes, each empty and closed by the test.
func Run(t *testing.T, open func(*testing.T) store.KV) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, store.KV)
	}{
		{"compare and swap", testSwap},
		{"delete", testDelete},
		{"a revision is never used again", testRevisionUnique},
		{"list", testList},
		{"values are copies", testCopies},
		{"big values", testBig},
		{"bad keys", testBadKeys},
		{"concurrent increments", testIncrements},
		{"one winner", testOneWinner},
		{"cancelled", testCancelled},
		{"closed", testClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kv := open(t)
			t.Cleanup(func() {
				if err := kv.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			tt.test(t, kv)
		})
	}
}

func put(t *testing.T, kv store.KV, key, value string, rev store.Revision) store.Revision {
	t.Helper()
	got, err := kv.Put(t.Context(), store.Entry{Key: key, Value: []byte(value), Revision: rev})
	if err != nil {
		t.Fatalf("Put(%q at %d): %v", key, rev, err)
	}
	return got
}

func want(t *testing.T, kv store.KV, key, value string, rev store.Revision) {
	t.Helper()
	e, err := kv.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	if e.Key != key || string(e.Value) != value || e.Revision != rev {
		t.Errorf("Get(%q) = %q %q at %d, want %q at %d", key, e.Key, e.Value, e.Revision, value, rev)
	}
}

func wantErr(t *testing.T, op string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", op, err, want)
	}
}

func testSwap(t *testing.T, kv store.KV) {
	_, err := kv.Get(t.Context(), "a")
	wantErr(t, "Get of nothing", err, store.ErrNotFound)
	_, err = kv.Put(t.Context(), store.Entry{Key: "a", Value: []byte("x"), Revision: 7})
	wantErr(t, "Put at a revision that never was", err, store.ErrConflict)

	first := put(t, kv, "a", "one", 0)
	if first == 0 {
		t.Error("Put returned revision 0, which means that there is no such key")
	}
	want(t, kv, "a", "one", first)
	_, err = kv.Put(t.Context(), store.Entry{Key: "a", Value: []byte("x")})
	wantErr(t, "Put of a new key that exists", err, store.ErrConflict)

	second := put(t, kv, "a", "", first) // an empty value is a value
	if second <= first {
		t.Errorf("revision %d after %d, want it to grow", second, first)
	}
	want(t, kv, "a", "", second)
	_, err = kv.Put(t.Context(), store.Entry{Key: "a", Value: []byte("x"), Revision: first})
	wantErr(t, "Put at an old revision", err, store.ErrConflict)
	want(t, kv, "a", "", second)
}

func testDelete(t *testing.T, kv store.KV) {
	if err := kv.Delete(t.Context(), "a", 0); err != nil {
		t.Errorf("Delete of nothing at 0: %v", err)
	}
	wantErr(t, "Delete of nothing at 3", kv.Delete(t.Context(), "a", 3), store.ErrConflict)
	rev := put(t, kv, "a", "one", 0)
	wantErr(t, "Delete at 0 of a key that exists", kv.Delete(t.Context(), "a", 0), store.ErrConflict)
	wantErr(t, "Delete at another revision", kv.Delete(t.Context(), "a", rev+1), store.ErrConflict)
	want(t, kv, "a", "one", rev)
	if err := kv.Delete(t.Context(), "a", rev); err != nil {
		t.Errorf("Delete: %v", err)
	}
	_, err := kv.Get(t.Context(), "a")
	wantErr(t, "Get after Delete", err, store.ErrNotFound)
}

// A writer that slept through a deletion must not overwrite what came after it.
func testRevisionUnique(t *testing.T, kv store.KV) {
	old := put(t, kv, "a", "one", 0)
	if err := kv.Delete(t.Context(), "a", old); err != nil {
		t.Fatal(err)
	}
	renewed := put(t, kv, "a", "two", 0)
	_, err := kv.Put(t.Context(), store.Entry{Key: "a", Value: []byte("late"), Revision: old})
	wantErr(t, "Put at the revision of the deleted key", err, store.ErrConflict)
	want(t, kv, "a", "two", renewed)
}

func testList(t *testing.T, kv store.KV) {
	list := func(prefix string) (keys []string) {
		t.Helper()
		entries, err := kv.List(t.Context(), prefix)
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		for _, e := range entries {
			if string(e.Value) != "of "+e.Key || e.Revision == 0 {
				t.Errorf("List(%q): %q = %q at %d", prefix, e.Key, e.Value, e.Revision)
			}
			keys = append(keys, e.Key)
		}
		if got, err := kv.Keys(t.Context(), prefix); err != nil || !slices.Equal(got, keys) {
			t.Errorf("Keys(%q) = %q, %v, want those of List %q", prefix, got, err, keys)
		}
		return keys
	}
	if got := list(""); len(got) != 0 {
		t.Errorf("an empty store lists %q", got)
	}
	for _, key := range []string{"b/2", "a", "b", "b/10", "b/", "c", "b0", "b\xff", "b\xff\xff/x", "b/é"} {
		put(t, kv, key, "of "+key, 0)
	}
	for prefix, want := range map[string][]string{
		"":         {"a", "b", "b/", "b/10", "b/2", "b/é", "b0", "b\xff", "b\xff\xff/x", "c"},
		"a":        {"a"},
		"b":        {"b", "b/", "b/10", "b/2", "b/é", "b0", "b\xff", "b\xff\xff/x"},
		"b/":       {"b/", "b/10", "b/2", "b/é"},
		"b/1":      {"b/10"},
		"b/10/":    nil,
		"b\xff":    {"b\xff", "b\xff\xff/x"},
		"\xff\xff": nil,
		"d":        nil,
	} {
		if got := list(prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func testCopies(t *testing.T, kv store.KV) {
	mine := []byte("mine")
	rev, err := kv.Put(t.Context(), store.Entry{Key: "a", Value: mine})
	if err != nil {
		t.Fatal(err)
	}
	mine[0] = 'X'
	want(t, kv, "a", "mine", rev)
	e, err := kv.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	e.Value[0] = 'X'
	want(t, kv, "a", "mine", rev)
	entries, err := kv.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	entries[0].Value[0] = 'X'
	want(t, kv, "a", "mine", rev)
}

func testBig(t *testing.T, kv store.KV) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 256<<10) // 4 MiB
	rev := put(t, kv, "big", string(big), 0)
	want(t, kv, "big", string(big), rev)
	rev = put(t, kv, "big", "small", rev)
	want(t, kv, "big", "small", rev)
	long := strings.Repeat("k", store.MaxKey)
	rev = put(t, kv, long, "v", 0)
	want(t, kv, long, "v", rev)
}

func testBadKeys(t *testing.T, kv store.KV) {
	for _, key := range []string{"", strings.Repeat("k", store.MaxKey+1)} {
		if _, err := kv.Put(t.Context(), store.Entry{Key: key, Value: []byte("x")}); err == nil {
			t.Errorf("Put with a key of %d bytes succeeded", len(key))
		}
		_, err := kv.Get(t.Context(), key)
		wantErr(t, "Get of a key that cannot be", err, store.ErrNotFound)
	}
}

func testIncrements(t *testing.T, kv store.KV) {
	const writers, each = 16, 20
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := increment(t.Context(), kv, "n"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	e, err := kv.Get(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(e.Value); got != strconv.Itoa(writers*each) {
		t.Errorf("%d increments made %s", writers*each, got)
	}
}

func increment(ctx context.Context, kv store.KV, key string) error {
	for {
		e, err := kv.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n := 0
		if err == nil {
			if n, err = strconv.Atoi(string(e.Value)); err != nil {
				return err
			}
		}
		_, err = kv.Put(ctx, store.Entry{Key: key, Value: strconv.AppendInt(nil, int64(n+1), 10), Revision: e.Revision})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// Of many that write at the same revision at the same moment one wins, and the
// value is the winner's.
func testOneWinner(t *testing.T, kv store.KV) {
	for round := range 10 {
		key := fmt.Sprintf("round-%d", round)
		var wg sync.WaitGroup
		won := make(chan string, 8)
		for writer := range cap(won) {
			wg.Go(func() {
				name := fmt.Sprintf("writer-%d", writer)
				_, err := kv.Put(t.Context(), store.Entry{Key: key, Value: []byte(name)})
				switch {
				case err == nil:
					won <- name
				case !errors.Is(err, store.ErrConflict):
					t.Errorf("Put: %v, want nil or %v", err, store.ErrConflict)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d writers won, want 1", len(won))
		}
		e, err := kv.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if winner := <-won; string(e.Value) != winner {
			t.Errorf("value %q, but %q won", e.Value, winner)
		}
	}
}

func testCancelled(t *testing.T, kv store.KV) {
	rev := put(t, kv, "a", "one", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for op, err := range each(ctx, kv, "a", rev) {
		wantErr(t, op, err, context.Canceled)
	}
	want(t, kv, "a", "one", rev)
}

func testClosed(t *testing.T, kv store.KV) {
	rev := put(t, kv, "a", "one", 0)
	for range 2 {
		if err := kv.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	for op, err := range each(t.Context(), kv, "a", rev) {
		wantErr(t, op+" of a closed store", err, store.ErrClosed)
	}
}

// each does every operation once and returns their errors.
func each(ctx context.Context, kv store.KV, key string, rev store.Revision) map[string]error {
	errs := make(map[string]error)
	_, errs["Get"] = kv.Get(ctx, key)
	_, errs["Put"] = kv.Put(ctx, store.Entry{Key: key, Value: []byte("two"), Revision: rev})
	errs["Delete"] = kv.Delete(ctx, key, rev)
	_, errs["List"] = kv.List(ctx, "")
	_, errs["Keys"] = kv.Keys(ctx, "")
	return errs
}
