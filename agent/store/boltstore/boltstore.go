// Package boltstore keeps values in one bbolt file, fsynced. Writes that come
// at the same moment share a transaction, and so an fsync.
//
// bbolt trusts its file: a damaged page makes it panic, fault or loop. The file
// is therefore looked through before bbolt sees it, every value carries a
// checksum, and what cannot be trusted is set aside (never deleted) while all
// that can be is carried over.
package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/esawatch/esawatch/agent/store"
)

// bucketName is the bucket of everything. A program that encodes values
// another way uses another one, so that neither takes the other's for damage.
var bucketName = []byte("v1")

// Options are the zero value in production.
type Options struct {
	// Timeout is how long to wait for another process to let go of the file.
	// 0 means one second.
	Timeout time.Duration
}

// Store is a store.KV in a file.
type Store struct {
	db        *bolt.DB
	path      string
	recovered *Recovery
	broken    atomic.Pointer[error] // set by a panic or fault in bbolt: it cannot be used after one

	turn chan struct{} // holds one token, for whoever commits or closes

	mu     sync.Mutex
	queue  []*write // to be committed by whoever gets the turn
	closed bool
}

var _ store.KV = (*Store)(nil)

// Recovered tells that the file was found damaged by Open, nil if it was sound.
func (s *Store) Recovered() *Recovery { return s.recovered }

// Get implements store.KV.
func (s *Store) Get(ctx context.Context, key string) (store.Entry, error) {
	var e store.Entry
	err := s.view(ctx, func(b *bolt.Bucket) error {
		raw := b.Get([]byte(key))
		if raw == nil {
			return store.ErrNotFound
		}
		var err error
		e, err = decode([]byte(key), raw)
		return err
	})
	if err != nil {
		return store.Entry{}, fmt.Errorf("get %q: %w", key, err)
	}
	return e, nil
}

// List implements store.KV.
func (s *Store) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	var found []store.Entry
	err := s.view(ctx, func(b *bolt.Bucket) error {
		found = nil
		c := b.Cursor()
		for k, raw := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, raw = c.Next() {
			e, err := decode(k, raw)
			if err != nil {
				return fmt.Errorf("key %q: %w", k, err)
			}
			found = append(found, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	return found, nil
}

// Keys implements store.KV. It does not look at the values, so that it finds
// those of damaged ones too.
func (s *Store) Keys(ctx context.Context, prefix string) ([]string, error) {
	var found []string
	err := s.view(ctx, func(b *bolt.Bucket) error {
		found = nil
		c := b.Cursor()
		for k, _ := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
			found = append(found, string(k))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list keys of %q: %w", prefix, err)
	}
	return found, nil
}

// view runs f in a read transaction.
func (s *Store) view(ctx context.Context, f func(*bolt.Bucket) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	return s.guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error { return f(tx.Bucket(bucketName)) })
	})
}

func (s *Store) usable(ctx context.Context) error {
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}

// guard runs f, which calls bbolt, and makes an error of a panic or a fault in
// it. After one the store is of no more use: bbolt may hold its locks for ever.
func (s *Store) guard(f func() error) error {
	err := protect(f)
	var p *panicError
	switch {
	case errors.As(err, &p):
		err = fmt.Errorf("%w: %w", store.ErrCorrupt, err)
		s.broken.CompareAndSwap(nil, &err)
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		err = store.ErrClosed
	}
	return err
}

// protect runs f on this goroutine and returns as an error what would have
// been a panic, or a fault in the memory that maps the file.
func protect(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{r}
		}
	}()
	return f()
}

type panicError struct{ reason any }

func (p *panicError) Error() string { return fmt.Sprintf("bbolt panicked: %v", p.reason) }

// Close implements store.KV. It waits for the writes that have begun.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.mu.Lock()
	was, waiting := s.closed, s.queue
	s.closed, s.queue = true, nil
	s.mu.Unlock()
	for _, w := range waiting {
		w.settle(0, store.ErrClosed)
	}
	if was {
		return nil
	}
	// Before the lock goes, so that it never names a process that holds nothing.
	_ = os.Remove(pidPath(s.path))
	if s.broken.Load() != nil {
		return nil // closing could block for ever; the file goes with the process
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}
