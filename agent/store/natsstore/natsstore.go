// Package natsstore keeps values in a bucket of NATS JetStream, for agents in
// many places that remember together.
//
// Every read is answered by the stream's leader: a replica may be behind, and
// what was read there would be written on in vain. Every write is a compare and
// swap on the sequence of the key's last message, which is its revision.
package natsstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
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

	mu     sync.Mutex
	bound  *bucket          // nil until it was found or made
	why    error            // why the store cannot be used; nil while it can
	renew  chan struct{}    // closed when watches have to begin anew
	heads  map[string]*head // of big values that this agent has written
	closed bool
}

// bucket is the stream and how it is written.
type bucket struct {
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
		changed: make(chan struct{}, 1), why: errors.New("not looked for yet"), renew: make(chan struct{}),
		heads: make(map[string]*head),
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
	switch {
	case s.closed:
		return nil, store.ErrClosed
	case !s.nc.IsConnected():
		return nil, fmt.Errorf("%w: no connection to NATS", ErrUnavailable)
	case s.why != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, s.why)
	}
	return s.bound, nil
}

// note takes down whether the store can be used. What was away may have changed
// meanwhile, so watches begin anew.
func (s *Store) note(why error) {
	s.mu.Lock()
	was := s.why
	s.why = why
	back := was != nil && why == nil
	if back {
		close(s.renew)
		s.renew = make(chan struct{})
	}
	s.mu.Unlock()
	if (was == nil) != (why == nil) {
		if back {
			s.log.Info("shared store can be used")
		} else {
			s.log.Warn("shared store cannot be used", "err", why)
		}
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// Run looks again and again whether the store can be used, and finds or makes the
// bucket first, until ctx is done. It returns nil.
func (s *Store) Run(ctx context.Context) error {
	const soon = 200 * time.Millisecond // while there is no bucket, or it is away
	timer := time.NewTimer(0)
	defer timer.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			s.sweep(ctx)
			continue
		case <-timer.C:
		}
		err := s.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		s.note(err)
		if timer.Reset(s.opts.Check); err != nil {
			timer.Reset(min(soon, s.opts.Check))
		}
	}
}

// look asks the stream's leader, which steps down when it has no quorum.
func (s *Store) look(ctx context.Context) error {
	if !s.nc.IsConnected() {
		return errors.New("no connection to NATS")
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	s.mu.Lock()
	b := s.bound
	s.mu.Unlock()
	if b == nil {
		b, err := s.open(ctx)
		if err != nil {
			return explain(err)
		}
		s.mu.Lock()
		s.bound = b
		s.mu.Unlock()
		return nil
	}
	info, err := b.stream.Info(ctx)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		s.mu.Lock()
		s.bound = nil // somebody has deleted it: it is made anew
		s.mu.Unlock()
		return errors.New("the bucket is gone")
	case err != nil:
		return explain(err)
	case info.Cluster != nil && info.Cluster.Name != "" && info.Cluster.Leader == "":
		return errors.New("the bucket has no leader")
	}
	return nil
}

// explain says of an error of JetStream what people can do about it.
func explain(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w: switch JetStream on in the server, or for the account", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("JetStream does not answer: %w", err)
	case strings.Contains(err.Error(), "insufficient resources"), strings.Contains(err.Error(), "no suitable peers"):
		return fmt.Errorf("%w: cluster.replicas needs as many servers with JetStream", err)
	}
	return err
}
