package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks/catalog"
)

// pastStore is a store whose history is counted as it is read, and cannot be read
// from some time on.
type pastStore struct {
	store.KV
	reads atomic.Int64
	sound atomic.Int64 // how many reads work
}

func (p *pastStore) Get(ctx context.Context, key string) (store.Entry, error) {
	if strings.HasPrefix(key, "history/") && p.reads.Add(1) > p.sound.Load() {
		return store.Entry{}, errors.New("input/output error")
	}
	return p.KV.Get(ctx, key)
}

// newPast is a scene with so many past incidents of shop, the ID of each by its
// place in the list.
func newPast(t *testing.T, n int) (*scene, *pastStore, []string) {
	t.Helper()
	kv := &pastStore{KV: memstore.New()}
	kv.sound.Store(1 << 20)
	ids := make([]string, n)
	for i := range ids {
		at := noon.Add(-time.Duration(i) * time.Hour)
		ids[i] = fmt.Sprintf("shop-%s-%06x", at.Format("20060102T150405Z"), i)
		value, err := json.Marshal(incident.Incident{ID: ids[i], Site: "shop", Since: at, OpenedAt: at, ResolvedAt: at.Add(time.Minute),
			Reason: "recovered", Severity: catalog.Critical, Peak: catalog.Critical})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Put(t.Context(), store.Entry{Key: "history/shop/" + ids[i], Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	sc := newScene(t, func(o *Options) { o.Incidents = incident.NewKeeper(kv, incident.Options{}) })
	return sc, kv, ids
}

// TestAPIIncidentsAreReadAsTheyAreSent: a reader that goes away, or is slow, does
// not have the whole history read into memory.
func TestAPIIncidentsAreReadAsTheyAreSent(t *testing.T) {
	const n = 300
	sc, kv, _ := newPast(t, n)
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("it went on to the end")
			}
		}()
		sc.api().ServeHTTP(&leaver{ResponseRecorder: httptest.NewRecorder(), left: 100},
			httptest.NewRequest("GET", "/api/v1/incidents?limit=1000", nil))
	}()
	if reads := kv.reads.Load(); reads < 2 || reads > n/2 {
		t.Errorf("%d of %d incidents were read for a reader that left after 100 bytes", reads, n)
	}
	if all := decode[[]incidentJSON](t, get(t, sc.Server, "/api/v1/incidents?limit=1000"), 200); len(all) != n {
		t.Errorf("%d incidents, want %d", len(all), n)
	}
}

// TestAPIIncidentsOfABrokenStore: it is told where there is time to, and half a
// list never looks like a whole one.
func TestAPIIncidentsOfABrokenStore(t *testing.T) {
	sc, kv, _ := newPast(t, 3)
	kv.sound.Store(0)
	decode[problemJSON](t, get(t, sc.Server, "/api/v1/incidents"), 500)
	kv.reads.Store(0)
	kv.sound.Store(2)
	resp, err := http.DefaultTransport.RoundTrip(request(t, "GET", sc.Addr(), "/api/v1/incidents", nil))
	if err == nil {
		t.Errorf("got %s, want a connection that breaks off", resp.Status)
		_ = resp.Body.Close()
	}
}

// TestAPIIncidentsGoOnAfterOneThatIsGone: the history drops incidents,
// and where a list goes on must not depend on them.
func TestAPIIncidentsGoOnAfterOneThatIsGone(t *testing.T) {
	sc, kv, ids := newPast(t, 4)
	first := get(t, sc.Server, "/api/v1/incidents?limit=2")
	if link := first.Header.Get("Link"); !strings.Contains(link, "before="+ids[1]) {
		t.Fatalf("Link %q, want it to go on after %q", link, ids[1])
	}
	e, err := kv.Get(t.Context(), "history/shop/"+ids[1])
	if err == nil {
		err = kv.Delete(t.Context(), e.Key, e.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := decode[[]incidentJSON](t, get(t, sc.Server, "/api/v1/incidents?limit=2&before="+ids[1]), 200)
	if len(got) != 2 || got[0].ID != ids[2] || got[1].ID != ids[3] {
		t.Errorf("got %+v, want %q and %q", got, ids[2], ids[3])
	}
}
