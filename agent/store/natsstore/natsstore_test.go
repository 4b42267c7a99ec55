package natsstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
	"github.com/esawatch/esawatch/agent/store/storetest"
)

// connect makes a connection as the store wants it.
func connect(t testing.TB, urls string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(urls, nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(50*time.Millisecond), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// open is a store that can be used.
func open(t testing.TB, nc *nats.Conn, o Options) *Store {
	t.Helper()
	s, err := New(nc, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	until(t, "the store can be used", func() bool { return s.Available() == nil })
	return s
}

func until(t testing.TB, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !come(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name            string
		nodes, replicas int
	}{{"one node", 1, 1}, {"three nodes", 3, 3}} {
		t.Run(tt.name, func(t *testing.T) {
			servers := natstest.Start(t, tt.nodes)
			nc := connect(t, servers.URLs())
			storetest.Run(t, func(t *testing.T) store.KV {
				bucket := strings.ReplaceAll(t.Name(), "/", "-")
				return open(t, nc, Options{Bucket: bucket[max(0, len(bucket)-60):], Replicas: tt.replicas})
			})
		})
	}
}

func TestKeys(t *testing.T) {
	for _, key := range []string{"a", "site/shop", "site/shop.example.com/x", "/", "//", "a/", "/a", "ü=.* >", "\x00\xff", "A-Z_09", "=", "k.a"} {
		got, ok := decodeKey(encodeKey(key))
		if !ok || got != key {
			t.Errorf("%q became %q, which is read as %q, %t", key, encodeKey(key), got, ok)
		}
	}
	for _, subject := range []string{"c.x.0", "k.=4", "k.=ZZ", ""} {
		if key, ok := decodeKey(subject); ok {
			t.Errorf("%q is read as %q, want it to be none of ours", subject, key)
		}
	}
}
