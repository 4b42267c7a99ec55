package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

// unreadable is a store in which a key cannot be read.
type unreadable struct {
	store.KV
	key string
}

func (u *unreadable) Get(ctx context.Context, key string) (store.Entry, error) {
	if key == u.key {
		return store.Entry{}, fmt.Errorf("read %q: %w", key, store.ErrCorrupt)
	}
	return u.KV.Get(ctx, key)
}

// damaged is a store in which a value is not what was written, but can be replaced.
type damaged struct {
	store.KV
	value string
}

func (d *damaged) Get(ctx context.Context, key string) (store.Entry, error) {
	e, err := d.KV.Get(ctx, key)
	if err == nil && string(e.Value) == d.value {
		err = fmt.Errorf("read %q: %w", key, store.ErrCorrupt)
	}
	return e, err
}

// A damaged record is set aside for people to look at, whatever lay there before,
// and its site is judged on.
func TestDamagedRecordIsSetAside(t *testing.T) {
	kv := &damaged{memstore.New(), "torn"}
	k := start(t, kv, Options{Location: "fra", Panel: voting{"fra"}, Shared: true}, policies(Policy{}, "shop/a"))
	observe(t, k, from("fra", "522", 0))
	first := k.Open()[0].ID
	for i, value := range []string{"torn", "torn", "{}"} { // the last can be read, and makes no sense
		e, err := kv.Get(t.Context(), sitePrefix+"shop")
		if err != nil {
			t.Fatal(err)
		}
		e.Value = []byte(value)
		rev, err := kv.Put(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		k.Follower().Broken(e.Key, rev, store.ErrCorrupt)
		if err := k.Healthy(); err == nil || !strings.Contains(err.Error(), `site "shop"`) {
			t.Errorf("health %v, want the site named", err)
		}
		observe(t, k, from("fra", "522", i+1))
		if err := k.Healthy(); err != nil || len(k.Open()) != 1 {
			t.Errorf("health %v, %d open, want the site to be judged again", err, len(k.Open()))
		}
		if got := k.Open()[0].ID; got != first {
			t.Errorf("the incident that was open, %s, goes on as another, %s", first, got)
		}
		if bad, _ := kv.KV.Get(t.Context(), badPrefix+sitePrefix+"shop"); string(bad.Value) != value {
			t.Errorf("%q was set aside, want %q", bad.Value, value)
		}
	}
}

// Of a record that cannot be read any more what was known is not judged on.
func TestBrokenRecordIsNotJudged(t *testing.T) {
	kv := &unreadable{KV: memstore.New()}
	k := start(t, kv, Options{Location: "fra", Panel: voting{"fra"}, Shared: true}, policies(Policy{}, "shop/a"))
	observe(t, k, from("fra", "522", 0))
	e, err := kv.Get(t.Context(), sitePrefix+"shop")
	if err != nil {
		t.Fatal(err)
	}
	kv.key = e.Key
	f := k.Follower()
	f.Begin()
	f.Broken(e.Key, e.Revision, store.ErrCorrupt) // of our own write: nothing new
	f.Synced()
	observe(t, k, from("fra", "522", 1))
	f.Broken(e.Key, e.Revision+10, store.ErrCorrupt)
	if err := k.Observe(t.Context(), from("fra", "522", 2)); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("error %v, want %v", err, store.ErrCorrupt)
	}
	kv.key = "" // somebody has mended it
	observe(t, k, from("fra", "522", 3))
}

// An agent that knows nothing of a site leaves its damaged record to one that does,
// for a while.
func TestDamagedRecordIsLeftToWhoKnowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := &damaged{memstore.New(), "torn"}
		k := start(t, kv, Options{Location: "fra", Panel: voting{"fra"}, Shared: true}, policies(Policy{}, "shop/a"))
		rev, err := kv.Put(t.Context(), store.Entry{Key: sitePrefix + "shop", Value: []byte("torn")})
		if err != nil {
			t.Fatal(err)
		}
		k.Follower().Broken(sitePrefix+"shop", rev, store.ErrCorrupt)
		if err := k.Observe(t.Context(), from("fra", "522", 0)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("error %v, want %v", err, store.ErrCorrupt)
		}
		if keys, _ := kv.Keys(t.Context(), badPrefix); len(keys) > 0 {
			t.Errorf("%q were set aside at once", keys)
		}
		time.Sleep(spareFor)
		observe(t, k, from("fra", "522", 1))
		if keys, _ := kv.Keys(t.Context(), badPrefix); len(keys) != 1 || len(k.Open()) != 1 {
			t.Errorf("%q were set aside, %d open", keys, len(k.Open()))
		}
	})
}
