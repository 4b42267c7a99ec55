// Package store is the contract of small durable state: values under keys,
// each with a revision, written by compare and swap.
package store

import (
	"context"
	"errors"
)

// Revision tells one write of a key from every other: it grows with each write
// and is not used again, not even after the key was deleted and made anew.
// 0 means that the key does not exist.
type Revision uint64

// Entry is a value, its key and the revision at which it was read. For Put the
// revision is the one expected to be in the store: 0 to create.
type Entry struct {
	Key      string
	Value    []byte
	Revision Revision
}

var (
	// ErrNotFound is returned by Get for a key that does not exist.
	ErrNotFound = errors.New("key not found")
	// ErrConflict is returned by Put and Delete when the key is at another revision.
	ErrConflict = errors.New("revision conflict")
	// ErrClosed is returned by everything but Close once the store is closed.
	ErrClosed = errors.New("store is closed")
	// ErrCorrupt is returned when what was read is not what had been written.
	ErrCorrupt = errors.New("stored data is damaged")
	// ErrNewer says of what cannot be read that a newer program may have written
	// it: it is not to be overwritten.
	ErrNewer = errors.New("written by a newer esawatch")
)

// MaxKey is the length in bytes that every store takes for a key. A key is
// never empty.
const MaxKey = 512

// KV is a store of keys. Implementations are safe for concurrent use, and a
// write that has returned survives the death of the process and of the machine
// as far as the medium allows. Values handed in are not kept, values handed out
// belong to the caller.
//
// After an error of Put or Delete other than ErrConflict or ErrClosed the write
// may have happened or not: read again before drawing a conclusion.
type KV interface {
	// Get returns ErrNotFound when there is no such key. With ErrCorrupt the entry
	// may have a revision: then its value is what lies there as it is, and it can be
	// replaced or deleted.
	Get(ctx context.Context, key string) (Entry, error)
	// Put writes e.Value if the key is at e.Revision, and returns the new
	// revision; else ErrConflict.
	Put(ctx context.Context, e Entry) (Revision, error)
	// Delete removes the key if it is at rev; else ErrConflict. Deleting at
	// revision 0 a key that does not exist changes nothing and is no error.
	Delete(ctx context.Context, key string, rev Revision) error
	// List returns the entries whose key begins with prefix, in byte order of
	// the keys. The empty prefix lists everything.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Keys returns the keys that List would, without reading their values: for
	// prefixes below which there is much.
	Keys(ctx context.Context, prefix string) ([]string, error)
	// Close releases the store. It is not usable afterwards. Closing again is
	// no error.
	Close() error
}
