package natsstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/esawatch/esawatch/agent/store"
)

// counting is a Watcher that counts.
type counting struct{ puts, synced atomic.Int64 }

func (c *counting) Begin()                        { c.puts.Store(0) }
func (c *counting) Put(store.Entry)               { c.puts.Add(1) }
func (c *counting) Delete(string, store.Revision) {}
func (c *counting) Synced()                       { c.synced.Add(1) }

// Broken implements Watcher: nothing is.
func (c *counting) Broken(string, store.Revision, error) {}

// TestPermissions holds that an account needs no more than deploy/README.md says.
// The records are so many that the server wants to be told how far they came.
func TestPermissions(t *testing.T) {
	publish := []string{"perm.members", "perm.checks.*", "$KV.perm.>", "$JS.API.>", "$JS.FC.KV_perm.>", "_INBOX.>"}
	subscribe := []string{"perm.members", "perm.checks.*", "_INBOX.>"}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{{Username: "agent", Password: "of-a-test", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	var refused atomic.Pointer[error]
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("agent", "of-a-test"), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused.Store(&err) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)

	const records = 2000
	kv := open(t, nc, Options{Bucket: "perm"})
	for i := range records {
		value := make([]byte, 1<<10)
		if _, err := kv.Put(t.Context(), store.Entry{Key: fmt.Sprintf("site/%d", i), Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	big, err := kv.Put(t.Context(), store.Entry{Key: "big/one", Value: make([]byte, 2*chunkSize)})
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), "big/one", big); err != nil {
		t.Fatal(err)
	}
	if all, err := kv.List(t.Context(), "site/"); err != nil || len(all) != records {
		t.Errorf("%d records, %v", len(all), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var w counting
	go func() {
		defer close(done)
		_ = kv.Watch(ctx, []string{"site/"}, &w)
	}()
	until(t, "all records are watched", func() bool { return w.synced.Load() == 1 && w.puts.Load() == records })
	cancel()
	<-done
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := refused.Load(); err != nil {
		t.Errorf("the server refuses something: %v", *err)
	}
}
