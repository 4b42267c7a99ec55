package natsstore

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
)

// Where there is no bucket to be had, Available says why.
func TestNoBucket(t *testing.T) {
	t.Parallel()
	one, three := natstest.Start(t, 1), natstest.Start(t, 3)
	for _, tt := range []struct {
		name     string
		servers  *natstest.Cluster
		replicas int
		want     string
	}{
		{"JetStream off", natstest.StartPlain(t), 1, "switch JetStream on"},
		{"one server", one, 3, "cluster.replicas needs as many servers"},
		{"three servers", three, 5, "cluster.replicas needs as many servers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, connect(t, tt.servers.URLs()), Options{Bucket: "none", Replicas: tt.replicas})
			until(t, "it says "+tt.want, func() bool {
				err := s.Available()
				return err != nil && strings.Contains(err.Error(), tt.want)
			})
		})
	}
	t.Run("more replicas", func(t *testing.T) { testReplicas(t, three) })
}

// The bucket has as many replicas as the agents that came last want, with what it
// held before.
func testReplicas(t *testing.T, servers *natstest.Cluster) {
	nc := connect(t, servers.URLs())
	s := open(t, nc, Options{Bucket: "replicas"})
	rev := put(t, s, "key", "value", 0)
	s = open(t, nc, Options{Bucket: "replicas", Replicas: 3})
	put(t, s, "key", "other", rev)
	until(t, "all three have it", func() bool {
		info, err := s.bound.stream.Info(t.Context())
		if err != nil || info.Config.Replicas != 3 || len(info.Cluster.Replicas) != 2 {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current {
				return false
			}
		}
		return true
	})
}

// A stream that is no bucket of ours is left alone.
func TestUnfit(t *testing.T) {
	servers := natstest.Start(t, 1)
	nc := connect(t, servers.URLs())
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	good := func(bucket string) jetstream.StreamConfig {
		return jetstream.StreamConfig{Name: "KV_" + bucket, Subjects: []string{"$KV." + bucket + ".>"}, MaxMsgsPerSubject: 1, AllowRollup: true, AllowDirect: true}
	}
	for bucket, tt := range map[string]struct {
		change func(*jetstream.StreamConfig)
		want   string
	}{
		"memory":   {func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "is kept in memory"},
		"history":  {func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }, "has a history of 5"},
		"age":      {func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "forgets its values after 1h0m0s"},
		"subjects": {func(c *jetstream.StreamConfig) { c.Subjects = []string{"$KV.subjects.x"} }, "is a stream of the subjects"},
		"size":     {func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }, "takes messages of 1000 bytes"},
		"read":     {func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }, "forgets what was read"},
	} {
		c := good(bucket)
		tt.change(&c)
		if _, err := js.CreateOrUpdateStream(t.Context(), c); err != nil {
			t.Fatalf("%s: %v", bucket, err)
		}
		s := start(t, nc, Options{Bucket: bucket})
		until(t, bucket+" "+tt.want, func() bool {
			err := s.Available()
			return err != nil && strings.Contains(err.Error(), tt.want)
		})
	}

	// A server leaves something running when a copy ends.
	c := good("mirror")
	c.Mirror = &jetstream.StreamSource{Name: "KV_other"}
	if got := unfit(c, "mirror"); got != "is a copy of another" {
		t.Errorf("a copy %s, want that it is one", got)
	}

	// One whose settings only need a change, as people may have made it.
	c = good("mended")
	c.MaxBytes, c.MaxMsgs, c.Discard = 1<<30, 1e6, jetstream.DiscardOld
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s := open(t, nc, Options{Bucket: "mended"})
	put(t, s, "key", "value", 0)
	got := s.bound.stream.CachedInfo().Config
	if got.Discard != jetstream.DiscardNew || got.AllowDirect || !got.AllowMsgTTL || got.SubjectDeleteMarkerTTL != markerKept || got.MaxBytes != 1<<30 {
		t.Errorf("settings are %+v", got)
	}
}
