package natsstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
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
	return &bucket{s.js, kv, stream}, nil
}

// fit brings the settings of a stream in line with what is relied on. What would
// have to be thrown away for that is for people to decide.
func (s *Store) fit(ctx context.Context, stream jetstream.Stream) (jetstream.Stream, error) {
	was := stream.CachedInfo().Config
	if why := unfit(was, s.opts.Bucket); why != "" {
		return nil, fmt.Errorf("bucket %q %s: delete it, or name another cluster.bucket", s.opts.Bucket, why)
	}
	c := was
	c.AllowDirect, c.Replicas = false, s.opts.Replicas
	c.AllowMsgTTL, c.SubjectDeleteMarkerTTL = true, markerKept
	c.AllowRollup, c.DenyPurge = true, false
	// Where there is too much, the new is refused: the old would be forgotten.
	c.Discard, c.DiscardNewPerSubject = jetstream.DiscardNew, false
	if reflect.DeepEqual(c, was) {
		return stream, nil
	}
	if c.Replicas != was.Replicas {
		s.log.Info("replicas of the bucket change", "target", s.opts.Bucket, "was", was.Replicas, "replicas", s.opts.Replicas)
	}
	changed, err := s.js.UpdateStream(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("change bucket %q: %w", s.opts.Bucket, err)
	}
	return changed, nil
}

// unfit says of a stream why it cannot be our bucket; "" if it can.
func unfit(c jetstream.StreamConfig, bucket string) string {
	const least = chunkSize + 8<<10 // with the name and headers
	switch {
	case c.Mirror != nil || len(c.Sources) > 0:
		return "is a copy of another"
	case !slices.Equal(c.Subjects, []string{"$KV." + bucket + ".>"}):
		return fmt.Sprintf("is a stream of the subjects %q", c.Subjects)
	case c.Sealed:
		return "is sealed"
	case c.NoAck:
		return "does not confirm what is written"
	case c.Retention != jetstream.LimitsPolicy:
		return "forgets what was read"
	case c.Storage != jetstream.FileStorage:
		return "is kept in memory"
	case c.MaxMsgsPerSubject != 1:
		return fmt.Sprintf("has a history of %d", c.MaxMsgsPerSubject)
	case c.MaxAge != 0:
		return fmt.Sprintf("forgets its values after %v", c.MaxAge)
	case c.MaxMsgSize > 0 && c.MaxMsgSize < least:
		return fmt.Sprintf("takes messages of %d bytes, want at least %d", c.MaxMsgSize, least)
	}
	return ""
}
