// Package natsstore keeps values in a bucket of NATS JetStream, for agents in
// many places that remember together.
//
// Every read is answered by the stream's leader, or by a node that is shown to
// have what the leader had: a replica may be behind, and what was read there would
// be written on in vain. Every write is a compare and swap on the sequence of the
// key's last message, which is its revision.
package natsstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store"
)

// ErrUnavailable says that the store cannot be used at the moment: there is no
// connection, or JetStream has no leader, or does not answer in time. What was
// being written may have been written or not.
var ErrUnavailable = errors.New("shared store is unavailable")

// Options are what a Store is made with. Bucket is required.
type Options struct {
	Bucket   string        // name of the bucket: [A-Za-z0-9_-], at most 63
	Replicas int           // 0 = 1
	Log      *slog.Logger  // nil: none
	Timeout  time.Duration // of one operation; 0 = 5 s
	Check    time.Duration // between looks whether the store can be used; 0 = 2 s
}

// Store is a store.KV in a bucket. The connection must neither keep what it
// cannot send (nats.ReconnectBufSize(-1)) nor give up (nats.MaxReconnects(-1),
// nats.RetryOnFailedConnect(true)).
type Store struct {
	opts Options
	log  *slog.Logger
	nc   *nats.Conn
	js   jetstream.JetStream

	changed chan struct{} // holds one when Available may have changed
	hurry   chan struct{} // holds one when Run is to look at once
	silence silence       // of the watch

	mu       sync.Mutex
	bound    *bucket          // nil until it was found or made
	why      error            // why the store cannot be used; nil while it can
	troubles uint64           // how often something was wrong
	nodes    string           // that serve the bucket, as last seen
	renew    chan struct{}    // closed when watches have to begin anew
	ops      map[*op]struct{} // under way, which a lost connection ends
	heads    map[string]known // of big values that were written or read here
	closed   bool
}

// op is an operation under way.
type op struct{ end context.CancelCauseFunc }

// bucket is the stream and how it is written.
type bucket struct {
	js     jetstream.JetStream
	kv     jetstream.KeyValue
	stream jetstream.Stream
}

var (
	_         store.KV = (*Store)(nil)
	bucketFit          = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
)

// New makes a store. It makes no round trip: Run finds or makes the bucket. The
// error is about the options.
func New(nc *nats.Conn, o Options) (*Store, error) {
	if !bucketFit.MatchString(o.Bucket) {
		return nil, fmt.Errorf("bucket %q: want 1 to 63 of A-Z, a-z, 0-9, _ and -", o.Bucket)
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Check <= 0 {
		o.Check = 2 * time.Second
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open bucket %q: %w", o.Bucket, err)
	}
	return &Store{
		opts: o, log: o.Log.With("component", "store"), nc: nc, js: js,
		changed: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		why: errors.New("not looked for yet"), renew: make(chan struct{}),
		ops: make(map[*op]struct{}), heads: make(map[string]known),
	}, nil
}

// Close implements store.KV. It leaves the connection open.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Available returns nil while the store is believed to be usable, else
// ErrUnavailable with the reason.
func (s *Store) Available() error {
	_, err := s.usable()
	return err
}

// Availability holds one when Available may have changed. It is for one reader.
func (s *Store) Availability() <-chan struct{} { return s.changed }

// usable is the bucket, if it can be used.
func (s *Store) usable() (*bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usableLocked()
}

func (s *Store) usableLocked() (*bucket, error) {
	switch {
	case s.closed:
		return nil, store.ErrClosed
	case !s.nc.IsConnected():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, errNoConnection)
	case s.why != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, s.why)
	}
	return s.bound, nil
}

// track bounds an operation, and has it end at once when the connection is lost:
// the answer would not come any more. The caller has s.mu, so that no loss slips
// in between its look at the connection and this.
func (s *Store) trackLocked(ctx context.Context, atMost time.Duration) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithTimeout(ctx, atMost)
	ctx, end := context.WithCancelCause(ctx)
	o := &op{end}
	s.ops[o] = struct{}{}
	return ctx, func() {
		s.mu.Lock()
		delete(s.ops, o)
		s.mu.Unlock()
		end(nil)
		stop()
	}
}
