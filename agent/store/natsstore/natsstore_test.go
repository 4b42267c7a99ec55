package natsstore

import (
	"context"
	"fmt"
	"log/slog"
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

// start is a store that looks whether it can be used.
func start(t testing.TB, nc *nats.Conn, o Options) *Store {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
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
	return s
}

// open is a store that can be used.
func open(t testing.TB, nc *nats.Conn, o Options) *Store {
	t.Helper()
	s := start(t, nc, o)
	until(t, "the store can be used", func() bool { return s.Available() == nil })
	return s
}

// patience is how long anything may take.
const patience = time.Minute

func until(t testing.TB, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !come(); time.Sleep(2 * time.Millisecond) {
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
	for _, subject := range []string{"c.x.0", "k.=4", "k.=ZZ", "", "k.=2f", "k.=61", "k.=+1", "k.a b", "k.==", "k.ü"} {
		if key, ok := decodeKey(subject); ok {
			t.Errorf("%q is read as %q, want it to be none of ours", subject, key)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		s := open(b, connect(b, natstest.Start(b, nodes).URLs()), Options{Bucket: "bench", Replicas: nodes})
		rev := put(b, s, "key", strings.Repeat("x", 4<<10), 0)
		b.Run(fmt.Sprintf("put/nodes=%d", nodes), func(b *testing.B) {
			for b.Loop() {
				rev = put(b, s, "key", strings.Repeat("x", 4<<10), rev)
			}
		})
		b.Run(fmt.Sprintf("get/nodes=%d", nodes), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Get(b.Context(), "key"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
