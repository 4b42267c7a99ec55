package natsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
)

// notes is a Watcher that writes down what it is told.
type notes struct {
	mu     sync.Mutex
	begun  int
	synced int // the Begin that was followed by a Synced
	all    map[string]string
	broken map[string]error
}

func (n *notes) locked(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *notes) Begin() {
	n.locked(func() { n.begun++; n.all, n.broken = make(map[string]string), make(map[string]error) })
}
func (n *notes) Synced() { n.locked(func() { n.synced = n.begun }) }
func (n *notes) Put(e store.Entry) {
	n.locked(func() { n.all[e.Key] = string(e.Value); delete(n.broken, e.Key) })
}
func (n *notes) Delete(key string, _ store.Revision) {
	n.locked(func() { delete(n.all, key); delete(n.broken, key) })
}
func (n *notes) Broken(key string, _ store.Revision, err error) {
	n.locked(func() { n.broken[key] = err })
}

// syncs is how often all was told.
func (n *notes) syncs() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.synced
}

// knows tells whether all that lies in the store was told, and nothing else.
func (n *notes) knows(want map[string]string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.synced == n.begun && maps.Equal(n.all, want)
}

// watching has notes taken of a store.
func watching(t *testing.T, s *Store, prefixes ...string) *notes {
	t.Helper()
	n := &notes{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Watch(ctx, prefixes, n)
	}()
	t.Cleanup(func() { cancel(); <-done })
	until(t, "a watch has told all", func() bool { return n.syncs() > 0 })
	return n
}

func TestWatch(t *testing.T) {
	servers := natstest.Start(t, 1)
	nc := connect(t, servers.URLs())
	s := open(t, nc, Options{Bucket: "watch"})
	big := func(c string) string { return strings.Repeat(c, 2*chunkSize+7) }
	rev := put(t, s, "a/big", big("x"), 0)
	put(t, s, "b/other", "not asked for", 0)
	n := watching(t, s, "a/", "c")
	until(t, "the big value was told", func() bool { return n.knows(map[string]string{"a/big": big("x")}) })
	rev = put(t, s, "a/big", big("y"), rev)
	small := put(t, s, "c", "one", 0)
	until(t, "the changes were told", func() bool { return n.knows(map[string]string{"a/big": big("y"), "c": "one"}) })
	if err := s.Delete(t.Context(), "c", small); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/big", "small", rev)
	until(t, "the removal was told", func() bool { return n.knows(map[string]string{"a/big": "small"}) })
	if got := n.syncs(); got != 1 {
		t.Errorf("the watch has begun %d times, want once: nothing was missed", got)
	}
}

// What cannot be read is told as such, and reading it says the same.
func TestBroken(t *testing.T) {
	servers := natstest.Start(t, 1)
	nc := connect(t, servers.URLs())
	s := open(t, nc, Options{Bucket: "broken"})
	put(t, s, "lost", strings.Repeat("x", 3*chunkSize), 0)
	put(t, s, "damaged", strings.Repeat("x", 3*chunkSize), 0)
	put(t, s, "fine", "value", 0)
	put(t, s, "newer", "value", 0)
	n := watching(t, s, "")
	chunks := chunksOf(t, s)
	for _, chunk := range chunks {
		var err error
		switch key, _, _ := ofChunk(chunk); {
		case key == "lost" && strings.Contains(chunk, ".1."):
			err = s.bound.kv.Purge(t.Context(), chunk)
		case key == "damaged" && strings.Contains(chunk, ".2."):
			_, err = s.bound.kv.Put(t.Context(), chunk, bytes.Repeat([]byte("y"), chunkSize))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	raw := map[string][]byte{"newer": {9, 'x'}, "nothing": {}, "nonsense": []byte("\x02{"), "vast": []byte(`` + "\x02" + `{"id":"x","n":129}`)}
	for key, value := range raw {
		if _, err := s.bound.kv.Put(t.Context(), encodeKey(key), value); err != nil {
			t.Fatal(err)
		}
	}
	want := append(slices.Collect(maps.Keys(raw)), "lost", "damaged")
	for _, key := range want {
		e, err := s.Get(t.Context(), key)
		if !errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNewer) != (key == "newer") {
			t.Errorf("Get(%q): error %v, want %v", key, err, store.ErrCorrupt)
		}
		if value, known := raw[key]; e.Revision == 0 || known && !bytes.Equal(e.Value, value) {
			t.Errorf("Get(%q) gives %q at %d, want what lies there, to be set aside", key, e.Value, e.Revision)
		}
	}
	if _, err := s.List(t.Context(), ""); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("List: error %v, want %v", err, store.ErrCorrupt)
	}
	if err := s.Available(); err != nil {
		t.Errorf("a value that cannot be read makes the store unavailable: %v", err)
	}
	// Those that were there before are looked at when it begins anew.
	s.mu.Lock()
	s.rewatchLocked()
	s.mu.Unlock()
	until(t, "all that cannot be read was told", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.begun > 1 && n.synced == n.begun && len(n.broken) == len(want) && n.all["fine"] == "value"
	})
	for _, key := range want {
		n.locked(func() {
			if !errors.Is(n.broken[key], store.ErrCorrupt) {
				t.Errorf("%q: told %v, want %v", key, n.broken[key], store.ErrCorrupt)
			}
		})
	}
	for _, key := range want {
		e, _ := s.Get(t.Context(), key)
		if err := s.Delete(t.Context(), key, e.Revision); err != nil {
			t.Errorf("it cannot be deleted: %v", err)
		}
		if _, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get(%q) after it was deleted: %v", key, err)
		}
	}
}

// A watch that was cut off begins anew, and tells of all, also of what was removed
// and has left no trace.
func TestWatchAfterCut(t *testing.T) {
	servers := natstest.Start(t, 1)
	w := newWire(t, servers.URL(0))
	s := open(t, connect(t, w.url), Options{Bucket: "cut"})
	other := open(t, connect(t, servers.URLs()), Options{Bucket: "cut"})
	want := make(map[string]string)
	for i := range 20 {
		want[fmt.Sprintf("key/%d", i)] = "value"
	}
	for key, value := range want {
		put(t, s, key, value, 0)
	}
	n := watching(t, s, "")
	until(t, "all was told", func() bool { return n.knows(want) })

	w.cut()
	until(t, "the loss is noticed", func() bool { return s.Available() != nil })
	gone, err := other.Get(t.Context(), "key/3")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(t.Context(), gone.Key, gone.Revision); err != nil {
		t.Fatal(err)
	}
	// Its marker goes, as it does after an hour.
	_, marker, err := other.bound.last(t.Context(), encodeKey(gone.Key))
	if !errors.Is(err, store.ErrNotFound) || marker == 0 {
		t.Fatalf("marker at %d, %v", marker, err)
	}
	if err := other.bound.stream.Purge(t.Context(), jetstream.WithPurgeSubject(other.bound.subject(encodeKey(gone.Key)))); err != nil {
		t.Fatal(err)
	}
	if _, marker, _ := other.bound.last(t.Context(), encodeKey(gone.Key)); marker != 0 {
		t.Fatalf("marker at %d, want none", marker)
	}
	delete(want, gone.Key)
	put(t, other, "key/new", "new", 0)
	want["key/new"] = "new"

	w.mend()
	until(t, "all was told anew", func() bool { return n.syncs() > 1 && n.knows(want) })
}

// Also a loss that is over before anybody looks is one.
func TestBlink(t *testing.T) {
	servers := natstest.Start(t, 1)
	w := newWire(t, servers.URL(0))
	s := open(t, connect(t, w.url), Options{Bucket: "blink", Check: patience})
	n := watching(t, s, "")
	for len(s.Availability()) > 0 {
		<-s.Availability()
	}
	seen := s.seen()
	w.blink()
	until(t, "the loss is noticed", func() bool { return s.seen() > seen })
	select {
	case <-s.Availability():
	default:
		t.Error("nobody was told of the loss")
	}
	until(t, "it is over, though no look was due", func() bool { return s.Available() == nil })
	until(t, "the watch has begun anew", func() bool { return n.syncs() > 1 })
}
