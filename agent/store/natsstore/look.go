package natsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// soon lies between looks while there is no bucket, or it is away.
	soon = 200 * time.Millisecond
	// lookTimeout bounds the wait for the leader's answer: others are to know of
	// its absence before their own operations have waited in vain.
	lookTimeout = 3 * time.Second
	// silent is for how long a leader that has not heard of a node may still count
	// it. Nodes speak every second. By itself a leader steps down after ten to
	// twenty, and takes writes until then that nobody confirms.
	silent = 5 * time.Second
)

var (
	errNoConnection = errors.New("no connection to NATS")
	errLost         = fmt.Errorf("%w: the connection to NATS was lost meanwhile", ErrUnavailable)
)

// Run looks again and again whether the store can be used, and finds or makes the
// bucket first, until ctx is done. It returns nil.
func (s *Store) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	events := s.nc.StatusChanged()
	defer s.nc.RemoveStatusListener(events) // closes it
	wg.Go(func() { s.listen(events) })
	wg.Go(func() { s.sweeps(ctx) })

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.hurry:
		}
		seen := s.seen()
		err := s.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wait := s.opts.Check
		if err != nil {
			s.trouble(err)
			wait = min(soon, wait)
		} else if !s.well(seen) {
			wait = min(soon, wait)
		}
		timer.Reset(wait)
	}
}

// listen hears of the connection. One that was lost is trouble even if it is back
// before anybody looks: what was said meanwhile was missed.
func (s *Store) listen(events <-chan nats.Status) {
	for status := range events {
		if status != nats.CONNECTED {
			s.trouble(errNoConnection)
			s.cut()
		}
		s.hasten()
	}
}

// cut ends the operations under way.
func (s *Store) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.ops {
		o.end(errLost)
	}
}

// hasten has Run look at once.
func (s *Store) hasten() {
	select {
	case s.hurry <- struct{}{}:
	default:
	}
}

// seen is how often something was wrong so far.
func (s *Store) seen() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.troubles
}

// trouble takes down that the store cannot be used.
func (s *Store) trouble(why error) {
	s.mu.Lock()
	first := s.why == nil
	s.why = why
	s.troubles++
	s.mu.Unlock()
	if first {
		s.log.Warn("shared store cannot be used", "err", why)
		s.signal()
		s.hasten()
	}
}

// well takes down that the store can be used, unless something was wrong since
// the look that says so began. What was away may have changed meanwhile, so
// watches begin anew.
func (s *Store) well(seen uint64) bool {
	s.mu.Lock()
	if s.troubles != seen {
		s.mu.Unlock()
		return false
	}
	back := s.why != nil
	s.why = nil
	if back {
		s.rewatchLocked()
	}
	s.mu.Unlock()
	if back {
		s.log.Info("shared store can be used")
		s.signal()
	}
	return true
}

func (s *Store) rewatchLocked() {
	close(s.renew)
	s.renew = make(chan struct{})
}

// signal lets the reader of Availability know.
func (s *Store) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// look asks the stream's leader. When something was wrong, only a write proves
// that it is not any more: a leader that has lost the others still answers.
func (s *Store) look(ctx context.Context) error {
	if !s.nc.IsConnected() {
		return errNoConnection
	}
	s.mu.Lock()
	b, prove := s.bound, s.why != nil
	atMost := min(s.opts.Timeout, lookTimeout)
	if b == nil {
		atMost = s.opts.Timeout
	}
	ctx, cancel := s.trackLocked(ctx, atMost)
	s.mu.Unlock()
	defer cancel()
	if b == nil {
		var err error
		if b, err = s.open(ctx); err != nil {
			return explain(err)
		}
		s.mu.Lock()
		s.bound = b
		s.mu.Unlock()
		s.silence.reset()
	} else if err := s.ask(ctx, b); err != nil {
		return err
	}
	if prove {
		if _, err := b.stamp(ctx); err != nil {
			return explain(err)
		}
	}
	return nil
}

// ask has the leader tell of the nodes.
func (s *Store) ask(ctx context.Context, b *bucket) error {
	info, err := b.stream.Info(ctx)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		s.mu.Lock()
		s.bound = nil // somebody has deleted it: it is made anew
		s.mu.Unlock()
		return errors.New("the bucket is gone")
	case err != nil:
		return explain(err)
	case info.Cluster == nil || info.Cluster.Name == "":
		return nil // one server by itself
	case info.Cluster.Leader == "":
		return errors.New("the bucket has no leader")
	}
	nodes := reached(info.Cluster)
	if all := 1 + len(info.Cluster.Replicas); 2*len(nodes) <= all {
		return fmt.Errorf("the bucket's leader reaches %d of %d nodes", len(nodes), all)
	}
	s.serve(nodes)
	return nil
}

// reached are the nodes that serve a bucket: the leader, and those it hears of.
func reached(c *jetstream.ClusterInfo) []string {
	var others []string
	for _, r := range c.Replicas {
		if !r.Offline && r.Active < silent {
			others = append(others, r.Name)
		}
	}
	slices.Sort(others)
	return append([]string{c.Leader}, others...)
}

// serve takes down which nodes serve the bucket. Those who watch are served by
// one, and hear of its end late: where one is gone they begin anew.
func (s *Store) serve(nodes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for was := range strings.FieldsSeq(s.nodes) {
		if !slices.Contains(nodes, was) {
			s.rewatchLocked()
			break
		}
	}
	s.nodes = strings.Join(nodes, " ")
}

// explain says of an error of JetStream what people can do about it.
func explain(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: switch JetStream on in the server, or for the account", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("JetStream does not answer: %w", err)
	case strings.Contains(err.Error(), "insufficient resources"), strings.Contains(err.Error(), "no suitable peers"),
		strings.Contains(err.Error(), "non-clustered"):
		return fmt.Errorf("%w: cluster.replicas needs as many servers with JetStream", err)
	}
	return err
}
