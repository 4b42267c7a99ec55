// Package memstore keeps values in memory, for tests and for commands that
// have nothing to remember.
package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/esawatch/esawatch/agent/store"
)

// Store is a store.KV that dies with the process.
type Store struct {
	mu      sync.RWMutex
	entries map[string]store.Entry // nil once closed
	last    store.Revision         // given out, over all keys
}

var _ store.KV = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{entries: make(map[string]store.Entry)}
}

// Get implements store.KV.
func (s *Store) Get(ctx context.Context, key string) (store.Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return store.Entry{}, fmt.Errorf("get %q: %w", key, err)
	}
	e, ok := s.entries[key]
	if !ok {
		return store.Entry{}, fmt.Errorf("get %q: %w", key, store.ErrNotFound)
	}
	return clone(e), nil
}

// Put implements store.KV.
func (s *Store) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(ctx, e.Key, e.Revision); err != nil {
		return 0, fmt.Errorf("put %q: %w", e.Key, err)
	}
	s.last++
	e.Revision = s.last
	s.entries[e.Key] = clone(e)
	return e.Revision, nil
}

// Delete implements store.KV.
func (s *Store) Delete(ctx context.Context, key string, rev store.Revision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(ctx, key, rev); err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	delete(s.entries, key)
	return nil
}

// List implements store.KV.
func (s *Store) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	var found []store.Entry
	for key, e := range s.entries {
		if strings.HasPrefix(key, prefix) {
			found = append(found, clone(e))
		}
	}
	slices.SortFunc(found, func(a, b store.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return found, nil
}

// Keys implements store.KV.
func (s *Store) Keys(ctx context.Context, prefix string) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, fmt.Errorf("list keys of %q: %w", prefix, err)
	}
	var found []string
	for key := range s.entries {
		if strings.HasPrefix(key, prefix) {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	return found, nil
}

// Close implements store.KV.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = nil
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.entries == nil {
		return store.ErrClosed
	}
	return ctx.Err()
}

func (s *Store) writable(ctx context.Context, key string, rev store.Revision) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if key == "" || len(key) > store.MaxKey {
		return fmt.Errorf("key of %d bytes, want 1 to %d", len(key), store.MaxKey)
	}
	if s.entries[key].Revision != rev {
		return store.ErrConflict
	}
	return nil
}

func clone(e store.Entry) store.Entry {
	e.Value = bytes.Clone(e.Value)
	if e.Value == nil {
		e.Value = []byte{} // every store gives an empty value the same face
	}
	return e
}
