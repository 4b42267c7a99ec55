package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
)

// from is a result of another location.
func from(location, what string, seconds int) checks.Result {
	r := result("a", what, at(seconds))
	r.Location = location
	r.Edge.POP = "pop-" + location
	return r
}

// seenFrom feeds results to an empty record.
func seenFrom(p Policy, results ...checks.Result) (rec Record) {
	for _, r := range results {
		rec, _ = Next(rec, r, p)
	}
	return rec
}

var three = Policy{Quorum: Majority, Locations: []string{"fra", "lon", "sin"}, Stale: 90 * time.Second}

func TestQuorumOf(t *testing.T) {
	for _, tt := range []struct {
		q            Quorum
		voters, want int
	}{
		{0, 1, 1}, {0, 3, 1}, {1, 3, 1}, {2, 3, 2}, {2, 1, 2}, {5, 3, 5},
		{Majority, 1, 1}, {Majority, 2, 2}, {Majority, 3, 2}, {Majority, 4, 3}, {Majority, 5, 3},
		{All, 0, 1}, {All, 1, 1}, {All, 4, 4},
	} {
		if got := tt.q.Of(tt.voters); got != tt.want {
			t.Errorf("%d of %d voters: %d, want %d", tt.q, tt.voters, got, tt.want)
		}
	}
}

// An outage that one of three sees is noted, that two see is told, and the third
// is news of its own.
func TestMajority(t *testing.T) {
	one := seenFrom(three, from("fra", "522", 0), from("lon", "ok", 1), from("sin", "ok", 2), from("fra", "522", 3))
	if states(one) != "a=pending" || len(one.Incidents) > 0 {
		t.Errorf("seen from one: %s, %d incidents, want pending and none", states(one), len(one.Incidents))
	}
	two, _ := Next(one, from("lon", "522", 4), three)
	if got := story(two); got != "opened:a(>522)" {
		t.Fatalf("seen from two: %q, want it to open", got)
	}
	a := two.Incidents[0].Alerts["a"]
	if names, voters := a.Failing(); !slices.Equal(names, []string{"fra", "lon"}) || voters != 3 {
		t.Errorf("the alert is seen from %q of %d", names, voters)
	}
	if a.Views[1].POP != "pop-lon" || !a.Since.Equal(at(0)) {
		t.Errorf("views %+v since %v, want the POPs, and since fra saw it first", a.Views, a.Since)
	}
	all, save := Next(two, from("sin", "522", 5), three)
	if got := story(all); !save || got != "opened:a(>522) spread:a(>522)" || all.Incidents[0].Events[1].Location != "sin" {
		t.Errorf("seen from the third too: saved %t, %q", save, got)
	}
	if again, _ := Next(all, from("sin", "525", 6), three); strings.Count(story(again), "spread") != 1 {
		t.Errorf("a location spreads once: %q", story(again))
	}
	fewer, _ := Next(all, from("fra", "ok", 7), three)
	if names, _ := alertIn(fewer).Failing(); states(fewer) != "a=firing" || !slices.Equal(names, []string{"lon", "sin"}) {
		t.Errorf("after one recovered: %s from %q, want firing from the others", states(fewer), names)
	}
	over, _ := Next(fewer, from("lon", "ok", 8), three)
	if over.Incidents[0].Open() || states(over) != "a=pending" {
		t.Errorf("after two recovered: %s, want it resolved and the last pending", states(over))
	}
	if rec, _ := Next(over, from("sin", "ok", 9), three); states(rec) != "" {
		t.Errorf("after all recovered: %q", states(rec))
	}
}

func alertIn(rec Record) *Alert {
	a := rec.Incidents[len(rec.Incidents)-1].Alerts["a"]
	return &a
}

// A location that is lost takes its vote along. That ends no incident: what
// nobody sees any more may well go on. A pass does.
func TestLostVote(t *testing.T) {
	rec := seenFrom(three, from("fra", "522", 0), from("lon", "522", 1))
	left := three
	left.Locations = []string{"fra", "sin"}
	rec, _ = Next(rec, from("fra", "522", 2), left)
	if states(rec) != "a=firing" || !rec.Incidents[0].Open() {
		t.Errorf("after a failing location was lost: %s, want it to go on", states(rec))
	}
	rec, _ = Next(rec, from("sin", "ok", 3), left)
	if rec.Incidents[0].Open() {
		t.Error("one of two fails and the other passes: still open")
	}
}

// What a location saw long ago is no vote, and what goes on is saved in time for
// the others to see that it does.
func TestStaleVote(t *testing.T) {
	rec := seenFrom(three, from("fra", "522", 0), from("lon", "522", 100))
	if states(rec) != "a=pending" {
		t.Errorf("with a vote of 100 s ago: %s, want pending", states(rec))
	}
	rec = seenFrom(three, from("fra", "522", 0), from("lon", "522", 80))
	if states(rec) != "a=firing" {
		t.Errorf("with a vote of 80 s ago: %s, want firing", states(rec))
	}
	rec, saved := Record{}, time.Duration(0)
	last := at(0)
	for seconds := 0; seconds < 600; seconds += 10 {
		var save bool
		if rec, save = Next(rec, from("fra", "522", seconds), three); save {
			saved, last = max(saved, at(seconds).Sub(last)), at(seconds)
		}
	}
	if saved > 50*time.Second || saved < 40*time.Second {
		t.Errorf("a streak that goes on was saved after %v at the most, want about half of %v", saved, three.Stale)
	}
}

// voting is a panel of fixed locations.
type voting []string

func (v voting) Voters(string, string, time.Duration) ([]string, map[string]string) { return v, nil }
func (v voting) Behind(string) time.Duration                                        { return 0 }
func (v voting) Watched(string, string) bool                                        { return false }

// Agents that write the same record at once lose nothing of each other, and open
// one incident.
func TestSharedRecord(t *testing.T) {
	kv, locations := memstore.New(), voting{"fra", "lon", "sin", "sjc", "syd"}
	p := policies(Policy{Quorum: All, Stale: time.Hour}, "shop/a", "shop/b", "shop/c")
	keepers := make(map[string]*Keeper)
	for _, location := range locations {
		keepers[location] = start(t, kv, Options{Location: location, Panel: locations, Shared: true}, p)
	}
	round := func(what string, seconds int) {
		var wg sync.WaitGroup
		for _, location := range locations {
			for _, check := range []string{"a", "b", "c"} {
				wg.Go(func() {
					r := from(location, what, seconds)
					r.Check = check
					observe(t, keepers[location], r)
				})
			}
		}
		wg.Wait()
	}
	round("522", 0)
	rec := stored(t, kv, "shop")
	if len(rec.Incidents) != 1 || states(rec) != "a=firing b=firing c=firing" {
		t.Fatalf("%d incidents, %s, want one with all three", len(rec.Incidents), states(rec))
	}
	round("ok", 1)
	rec = stored(t, kv, "shop")
	if rec.Incidents[0].Open() || strings.Count(story(rec), "resolved") != 1 || states(rec) != "" {
		t.Errorf("after all passed: %q, %s", story(rec), states(rec))
	}
}

// unreachable is a store that can be cut off. What was being written then may
// be there or not.
type unreachable struct {
	store.KV
	mu        sync.Mutex
	away      bool
	afterward bool // the write happens all the same
}

var errAway = errors.New("away")

func (u *unreachable) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	u.mu.Lock()
	away, afterward := u.away, u.afterward
	u.mu.Unlock()
	if !away || afterward {
		if rev, err := u.KV.Put(ctx, e); !away || err != nil {
			return rev, err
		}
	}
	return 0, errAway
}

func (u *unreachable) set(away, afterward bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.away, u.afterward = away, afterward
}

// What cannot be written to a shared store is not so: nobody tells it.
func TestSharedStoreAway(t *testing.T) {
	for _, afterward := range []bool{false, true} {
		t.Run(fmt.Sprint("written all the same ", afterward), func(t *testing.T) {
			kv := &unreachable{KV: memstore.New()}
			k := start(t, kv, Options{Location: "fra", Panel: voting{"fra"}, Shared: true}, policies(Policy{}, "shop/a"))
			kv.set(true, afterward)
			if err := k.Observe(t.Context(), from("fra", "522", 0)); !errors.Is(err, errAway) {
				t.Fatalf("error %v, want %v", err, errAway)
			}
			if rec, _ := k.Record("shop"); len(rec.Incidents) > 0 {
				t.Error("an incident was opened that nobody else knows of")
			}
			kv.set(false, false)
			observe(t, k, from("fra", "522", 1))
			rec, _ := k.Record("shop")
			if got := story(rec); got != "opened:a(>522)" {
				t.Errorf("back again: %q, want one incident", got)
			}
			if err := k.Healthy(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A follower takes over what others write, and what they delete.
func TestFollower(t *testing.T) {
	kv, locations := memstore.New(), voting{"fra", "lon"}
	p := policies(Policy{Quorum: 1, Stale: time.Hour}, "shop/a")
	writer := start(t, kv, Options{Location: "fra", Panel: locations, Shared: true}, p)
	reader := start(t, kv, Options{Location: "lon", Panel: locations, Shared: true}, p)
	drain(reader.Changed())
	observe(t, writer, from("fra", "522", 0))
	silence, err := writer.Silences().Add(t.Context(), Silence{Matchers: mute(t, "check=a").Matchers, Until: time.Now().Add(time.Hour), Author: "ana"})
	if err != nil {
		t.Fatal(err)
	}

	f := reader.Follower()
	dump := func() {
		f.Begin()
		for _, prefix := range FollowPrefixes() {
			entries, err := kv.List(t.Context(), prefix)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				f.Put(e)
			}
		}
		f.Synced()
	}
	dump()
	if rec, _ := reader.Record("shop"); story(rec) != "opened:a(>522)" || !drain(reader.Changed()) {
		t.Errorf("the follower knows %q", story(rec))
	}
	if list := reader.Silences().List(); len(list) != 1 || list[0].ID != silence.ID {
		t.Errorf("silences %v, want that of the other", list)
	}

	// An old value that comes late is no news.
	e, err := kv.Get(t.Context(), sitePrefix+"shop")
	if err != nil {
		t.Fatal(err)
	}
	observe(t, reader, from("lon", "522", 1))
	f.Put(e)
	if rec, _ := reader.Record("shop"); len(rec.Checks["a"].Locations) != 2 {
		t.Error("an old record took the place of a newer one")
	}

	// Gone while nobody listened: only Synced tells.
	observe(t, writer, from("fra", "ok", 2))
	observe(t, writer, from("lon", "ok", 3))
	if _, err := writer.Update(t.Context(), "shop", func(rec Record) (Record, bool) {
		rec, _, ok := Prune(rec, func(*Incident) bool { return true })
		return rec, ok
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Get(t.Context(), sitePrefix+"shop"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the record is still there: %v", err)
	}
	dump()
	if rec, ok := reader.Record("shop"); ok {
		t.Errorf("the follower still knows %q", story(rec))
	}
	observe(t, reader, from("lon", "522", 4)) // and can write it anew
	if got := story(stored(t, kv, "shop")); got != "opened:a(>522)" {
		t.Errorf("written anew: %q", got)
	}
}

// A record of a newer program is left as it is, and its site is not judged.
func TestNewerRecordIsNotOverwritten(t *testing.T) {
	kv := memstore.New()
	k := start(t, kv, Options{Location: "fra", Panel: voting{"fra"}, Shared: true}, policies(Policy{}, "shop/a"))
	newer := fmt.Sprintf(`{"version":%d,"site":"shop","surprise":true}`, RecordVersion+1)
	rev, err := kv.Put(t.Context(), store.Entry{Key: sitePrefix + "shop", Value: []byte(newer)})
	if err != nil {
		t.Fatal(err)
	}
	k.Follower().Put(store.Entry{Key: sitePrefix + "shop", Value: []byte(newer), Revision: rev})
	if err := k.Observe(t.Context(), from("fra", "522", 0)); !errors.Is(err, store.ErrNewer) {
		t.Errorf("error %v, want %v", err, store.ErrNewer)
	}
	if e, _ := kv.Get(t.Context(), sitePrefix+"shop"); string(e.Value) != newer {
		t.Errorf("the record is now %s", e.Value)
	}
	want := `incidents of site "shop" are not told: the shared record cannot be read`
	if err := k.Healthy(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("health %v, want %q", err, want)
	}
	k.Follower().Delete(sitePrefix+"shop", rev+1)
	if err := k.Healthy(); err != nil {
		t.Errorf("health %v, though it is gone", err)
	}
}

// Clocks that are minutes apart cost no location its vote: the age of what it saw
// is measured on one clock.
func TestVotesByOtherClocks(t *testing.T) {
	behind := map[string]int{"fra": 300, "lon": 0, "sin": -200} // in seconds, by true time
	var rec Record
	for round := range 3 {
		for _, location := range []string{"fra", "lon", "sin"} {
			p := three
			p.Failures = 2
			p.Behind = make(map[string]time.Duration)
			for other, s := range behind {
				p.Behind[other] = time.Duration(s-behind[location]) * time.Second
			}
			what := "522"
			if location == "sin" {
				what = "ok"
			}
			rec, _ = Next(rec, from(location, what, 1000+30*round-behind[location]), p)
		}
	}
	if states(rec) != "a=firing" || len(rec.Incidents) != 1 {
		t.Errorf("%s, %d incidents: want two of three to be a majority", states(rec), len(rec.Incidents))
	}
	// A vote is lost by age all the same.
	p := three
	p.Behind = map[string]time.Duration{"fra": 5 * time.Minute}
	late, _ := Next(seenFrom(three, from("fra", "522", 0)), from("lon", "522", 300+91), p)
	if states(late) != "a=pending" {
		t.Errorf("%s: what fra saw is older than 90 s", states(late))
	}
}

// A reload while the agent is not together with the others ends nothing: it does
// not know what they watch.
func TestNothingRemovedApart(t *testing.T) {
	kv := memstore.New()
	usable := false
	k := NewKeeper(kv, Options{Shared: true, Panel: voting{"fra"}, Usable: func() bool { return usable }})
	rec := seenFrom(Policy{}, from("fra", "522", 0))
	if _, err := k.Update(t.Context(), "shop", func(Record) (Record, bool) { return rec, true }); err != nil {
		t.Fatal(err)
	}
	for _, usable = range []bool{false, true} {
		if err := k.SetPolicies(t.Context(), nil, timings); err != nil {
			t.Fatal(err)
		}
		if open := len(k.Open()) == 1; open == usable {
			t.Errorf("usable %t: open %t after a reload without the check", usable, open)
		}
	}
}

// Two agents of a location that write the same record write it as often as one
// would, and not once for each check.
func TestStreaksAreSavedTogether(t *testing.T) {
	const checks = 20
	kv, p := &counting{KV: memstore.New()}, map[string]Policy{}
	for i := range checks {
		p[fmt.Sprintf("shop/c%d", i)] = Policy{Quorum: 1, Stale: 90 * time.Second}
	}
	agents := []*Keeper{
		start(t, kv, Options{Location: "fra", Panel: voting{"fra"}, Shared: true}, p),
		start(t, kv, Options{Location: "fra", Panel: voting{"fra"}, Shared: true}, p),
	}
	round := func(seconds int) {
		for i := range checks {
			r := from("fra", "522", seconds)
			r.Check, r.StartedAt = fmt.Sprintf("c%d", i), r.StartedAt.Add(time.Duration(i)*time.Second)
			observe(t, agents[i%2], r)
			e, err := kv.Get(t.Context(), sitePrefix+"shop")
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range agents {
				k.Follower().Put(e)
			}
		}
	}
	round(0)
	kv.writes = 0
	for seconds := 30; seconds <= 900; seconds += 30 {
		round(seconds)
	}
	if most := 2 * 900 / 45 * 3 / 2; kv.writes > most {
		t.Errorf("%d writes in 15 min, want at most %d: each agent once in 45 s or so", kv.writes, most)
	}
}

// counting counts what is written.
type counting struct {
	store.KV
	writes int
}

func (c *counting) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	c.writes++
	return c.KV.Put(ctx, e)
}

// A store that was lost and made anew counts its revisions from the beginning.
func TestStoreMadeAnew(t *testing.T) {
	kv, p := memstore.New(), policies(Policy{Quorum: 1, Stale: time.Hour}, "shop/a", "shop/b")
	opts := Options{Location: "fra", Panel: voting{"fra"}, Shared: true}
	swapped := &swap{KV: kv}
	k := start(t, swapped, opts, p)
	for seconds := range 6 {
		observe(t, k, from("fra", []string{"522", "ok"}[seconds%2], seconds))
	}
	swapped.KV = memstore.New()
	other := start(t, swapped.KV, opts, p)
	r := from("fra", "525", 10)
	r.Check = "b"
	observe(t, other, r)
	e, err := swapped.Get(t.Context(), sitePrefix+"shop")
	if err != nil {
		t.Fatal(err)
	}
	f := k.Follower()
	f.Begin()
	f.Put(e)
	f.Synced()
	if rec, _ := k.Record("shop"); states(rec) != "b=firing" {
		t.Errorf("the agent still has %q, want what is in the new store", states(rec))
	}
}

// swap is a store that can be put in the place of another.
type swap struct{ store.KV }
