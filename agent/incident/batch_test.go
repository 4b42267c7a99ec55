package incident

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

// farStore is a store to which the way is long.
type farStore struct {
	store.KV
	writes atomic.Int64
}

func (f *farStore) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	time.Sleep(200 * time.Millisecond)
	f.writes.Add(1)
	return f.KV.Put(ctx, e)
}

// When all checks of a site fail at once, far from the store, a handful of writes
// takes them in.
func TestManyAtOnce(t *testing.T) {
	const n = 200
	kv := &farStore{KV: memstore.New()}
	k := NewKeeper(kv, Options{Shared: true, Panel: voting{"fra"}})
	policies := make(map[string]Policy)
	for i := range n {
		policies[fmt.Sprintf("shop/c%d", i)] = Policy{}
	}
	if err := k.SetPolicies(t.Context(), policies, timings); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			r := from("fra", "522", 0)
			r.Check = fmt.Sprintf("c%d", i)
			if err := k.Observe(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	open := k.Open()
	if len(open) != 1 || len(open[0].Alerts) != n {
		t.Fatalf("%d incidents, want one with %d alerts", len(open), n)
	}
	if writes := kv.writes.Load(); writes > 10 {
		t.Errorf("%d writes for %d results", writes, n)
	}
}
