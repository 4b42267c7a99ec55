package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// markerKept is for how long it is remembered that a key was deleted, for those
// who watch. A writer that slept longer than that loses all the same: its
// revision is that of no message.
const markerKept = time.Hour

// open binds the bucket, made if need be, with the settings that this package
// relies on.
func (s *Store) open(ctx context.Context) (*bucket, error) {
	want := jetstream.KeyValueConfig{
		Bucket: s.opts.Bucket, Description: "what the agents of esawatch remember together",
		History: 1, Storage: jetstream.FileStorage, Replicas: s.opts.Replicas, LimitMarkerTTL: markerKept,
	}
	_, err := s.js.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if _, err = s.js.CreateKeyValue(ctx, want); err == nil {
			s.log.Info("bucket made", "target", want.Bucket)
		} else if errors.Is(err, jetstream.ErrBucketExists) {
			err = nil // another agent was faster
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %q: %w", want.Bucket, err)
	}
	stream, err := s.js.Stream(ctx, "KV_"+want.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %q: %w", want.Bucket, err)
	}
	if stream, err = s.fit(ctx, stream); err != nil {
		return nil, err
	}
	// Bound anew, since how it reads follows from the settings.
	kv, err := s.js.KeyValue(ctx, want.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %q: %w", want.Bucket, err)
	}
	return &bucket{kv, stream}, nil
}

// fit brings the settings of a stream in line with what is relied on.
func (s *Store) fit(ctx context.Context, stream jetstream.Stream) (jetstream.Stream, error) {
	c := stream.CachedInfo().Config
	switch {
	case c.Storage != jetstream.FileStorage:
		return nil, fmt.Errorf("bucket %q is kept in memory: delete it, or name another cluster.bucket", s.opts.Bucket)
	case c.MaxMsgsPerSubject != 1:
		return nil, fmt.Errorf("bucket %q has a history of %d: delete it, or name another cluster.bucket", s.opts.Bucket, c.MaxMsgsPerSubject)
	case c.MaxAge != 0:
		return nil, fmt.Errorf("bucket %q forgets its values after %v: delete it, or name another cluster.bucket", s.opts.Bucket, c.MaxAge)
	case !c.AllowDirect && c.Replicas == s.opts.Replicas && c.SubjectDeleteMarkerTTL == markerKept:
		return stream, nil
	}
	if c.Replicas != s.opts.Replicas {
		s.log.Info("replicas of the bucket change", "target", s.opts.Bucket, "was", c.Replicas, "replicas", s.opts.Replicas)
	}
	c.AllowDirect, c.Replicas = false, s.opts.Replicas
	c.AllowMsgTTL, c.SubjectDeleteMarkerTTL = true, markerKept
	changed, err := s.js.UpdateStream(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("change bucket %q: %w", s.opts.Bucket, err)
	}
	return changed, nil
}
