// Package store is the contract of small durable state: values under keys,
// each with a revision, written by compare and swap.
package store

import (
	"context"
	"errors"
)

// Revision counts the writes of a key. 0 means that the key does not exist.
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
)

// KV is a store of keys. Implementations are safe for concurrent use, and a
// write that has returned survives the death of the process and of the machine
// as far as the medium allows.
type KV interface {
	// Get returns ErrNotFound when there is no such key.
	Get(ctx context.Context, key string) (Entry, error)
	// Put writes e.Value if the key is at e.Revision, and returns the new
	// revision; else ErrConflict.
	Put(ctx context.Context, e Entry) (Revision, error)
	// Delete removes the key if it is at rev; else ErrConflict.
	Delete(ctx context.Context, key string, rev Revision) error
	// List returns the entries whose key begins with prefix, in key order.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Close releases the store. It is not usable afterwards.
	Close() error
}
