package agent

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/agent/store/natsstore"
	"github.com/esawatch/esawatch/checks"
)

// away is a shared store that can be out of reach.
type away struct {
	store.KV
	is bool
}

func (a *away) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	if a.is {
		return 0, natsstore.ErrUnavailable
	}
	return a.KV.Put(ctx, e)
}

// teamOf is an agent in fra that judges together with lon, with no server between.
func teamOf(t *testing.T) (*team, *away) {
	t.Helper()
	kv := &away{KV: memstore.New()}
	tm := &team{log: slog.New(slog.DiscardHandler), location: "fra", telling: func() bool { return false }, look: make(chan struct{}, 1)}
	tm.own = incident.NewKeeper(memstore.New(), incident.Options{Location: "fra"})
	tm.shared = incident.NewKeeper(kv, incident.Options{Location: "fra", Shared: true, Panel: both{}})
	tm.mode.Store(&mode{together: true})
	policy := incident.Policy{Quorum: incident.Majority, Stale: 3 * time.Minute}
	if err := tm.shared.SetPolicies(t.Context(), map[string]incident.Policy{"shop/a": policy}, incident.Timings{}); err != nil {
		t.Fatal(err)
	}
	if err := tm.own.SetPolicies(t.Context(), map[string]incident.Policy{"shop/a": {Single: true}}, incident.Timings{}); err != nil {
		t.Fatal(err)
	}
	return tm, kv
}

// both is a panel of two locations.
type both struct{}

func (both) Voters(string, string, time.Duration) ([]string, map[string]string) {
	return []string{"fra", "lon"}, nil
}
func (both) Behind(string) time.Duration { return 0 }
func (both) Watched(string, string) bool { return false }

// sees has the agent take in a failure that a location saw so long ago.
func (t *team) sees(tt *testing.T, location string, ago time.Duration) {
	tt.Helper()
	r := checks.Result{Site: "shop", Check: "a", Location: location, StartedAt: time.Now().Add(-ago), Outcome: checks.Fail}
	if err := t.observe(tt.Context(), r); err != nil {
		tt.Fatal(err)
	}
}

// tells writes down that an attempt to tell oncall of the open incident begins.
func (t *team) tells(tt *testing.T, keeper *incident.Keeper) incident.Incident {
	tt.Helper()
	open := keeper.Open()
	if len(open) != 1 {
		tt.Fatalf("%d open incidents, want 1", len(open))
	}
	a := incident.Attempt{Incident: open[0].ID, Receiver: "oncall", Seq: open[0].Seq, At: time.Now()}
	if _, err := keeper.Update(tt.Context(), "shop", func(rec incident.Record) (incident.Record, bool) {
		return incident.Begin(rec, a)
	}); err != nil {
		tt.Fatal(err)
	}
	return open[0]
}

// An attempt of which nobody knows whether it got through does not keep the agent
// from the others: they have the incident with that doubt.
func TestRejoinInDoubt(t *testing.T) {
	tm, _ := teamOf(t)
	tm.mode.Store(&mode{alone: true})
	tm.sees(t, "fra", time.Second)
	inc := tm.tells(t, tm.own)
	tm.mode.Store(&mode{alone: true, frozen: true})

	tm.telling = func() bool { return true }
	if done, err := tm.rejoin(t.Context(), time.Now()); done || err != nil {
		t.Fatalf("joined %t (%v) in the middle of an attempt", done, err)
	}
	tm.telling = func() bool { return false }
	if done, err := tm.rejoin(t.Context(), time.Now()); !done || err != nil {
		t.Fatalf("joined %t (%v), want it to join", done, err)
	}
	open := tm.shared.Open()
	if len(open) != 1 || open[0].ID != inc.ID || open[0].Deliveries["oncall"].Sending == 0 {
		t.Errorf("shared is %+v, want the incident with its doubt", open)
	}
	if own := tm.own.Records(); len(own) != 0 {
		t.Errorf("the agent still remembers %+v", own)
	}
}

// What all have told is no news to the agent that finds out by a result that it is
// cut off.
func TestCutOffByAResult(t *testing.T) {
	tm, kv := teamOf(t)
	tm.sees(t, "lon", 110*time.Second)
	tm.sees(t, "fra", 109*time.Second)
	tm.tells(t, tm.shared)
	kv.is = true
	tm.sees(t, "fra", 10*time.Second) // which has to be saved by now
	tm.blind(t.Context())
	tm.mode.Store(&mode{alone: true})
	tm.sees(t, "fra", 0)
	if open := tm.own.Open(); len(open) != 0 {
		t.Errorf("the agent has an incident of its own: %+v", open[0].Events)
	}
}
