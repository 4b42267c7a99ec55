package incident

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/checks"
)

// Options are what a Keeper is made with. The zero value works.
type Options struct {
	Location string        // of this agent, for its metrics
	Log      *slog.Logger  // nil: none
	Interval time.Duration // between looks for reminders and for writes to try again; 0 = 5 s
	History  int           // ended incidents kept of each site; 0 = 20

	// What follows is for agents that judge together.

	// Panel says who votes. nil: there is one location.
	Panel Panel
	// Shared is set when others write to the store too. What cannot be written
	// there is then not so: a change either is in the store or was not made. See
	// Follower for how the others' changes come in.
	Shared bool
	// Usable tells whether the shared store can be written at the moment. What is
	// done of the keeper's own accord waits until then. nil: always.
	Usable func() bool
	// Mutes are in force beside those of the keeper's own; nil: none.
	Mutes func(at time.Time) Mutes
	// Mine tells whether the metrics of a check are this agent's to show. nil: of
	// all. Those of a site are shown by who shows any of its checks.
	Mine func(site, check string) bool
}

// Panel says who votes on a check, where several locations watch.
type Panel interface {
	// Voters are the locations whose vote on a check counts now, and their regions,
	// "" where one has none. A location that has been silent for stale has no vote.
	Voters(site, check string, stale time.Duration) (locations []string, regions map[string]string)
	// Behind is how far the clock of a location is behind this agent's; below 0 it
	// is ahead.
	Behind(location string) time.Duration
	// Watched tells whether another agent has the check in its configuration, or had
	// it and may be restarting.
	Watched(site, check string) bool
}

// Keeper remembers the records of all sites: it takes results in, saves what
// they change before anybody else sees it, and hands out snapshots.
//
// While the store cannot be written it goes on from memory, says so by Healthy,
// and saves what is missing once it can be.
//
// Load comes first, then SetPolicies; then all methods may be called at once.
type Keeper struct {
	kv      store.KV
	log     *slog.Logger
	opts    Options
	changed chan struct{}
	changes atomic.Uint64 // how often changed was signalled
	config  atomic.Pointer[config]
	windows atomic.Pointer[[]Window]
	offline atomic.Bool

	silences *Silences

	mu    sync.RWMutex
	sites map[string]*site

	unsaved unsaved
	unread  unread
	past    pastIndex
}

// removeEvery is how many intervals lie between two looks for checks that no
// agent has any more.
const removeEvery = 12

// config is what a reload replaces, as a whole.
type config struct {
	policies map[string]map[string]*Policy // by site and check; equal ones of a site are shared
	timings  Timings
}

// site is the record of one site. mu is held while a change is made and saved,
// so that a site's changes come one after another; readers need only rec.
type site struct {
	name string
	rec  atomic.Pointer[Record]

	mu    sync.Mutex
	rev   store.Revision // at which the store has the record
	high  store.Revision // the newest that is known of it, also of one that is gone
	dirty bool           // the store has an older one

	badRev   store.Revision      // of a damaged record in the store
	badSince time.Time           // when it was seen first
	unsure   bool                // a write may have happened or not: the store is to be read
	seen     map[place]time.Time // start of the newest result

	queue queue // of results, where the store is shared
}

// place is where a result comes from.
type place struct{ check, location string }

// NewKeeper returns a keeper that knows nothing yet: see Load.
func NewKeeper(kv store.KV, opts Options) *Keeper {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.Interval = cmp.Or(opts.Interval, 5*time.Second)
	opts.History = cmp.Or(opts.History, 20)
	k := &Keeper{
		kv: kv, log: opts.Log.With("component", "incident"), opts: opts,
		changed: make(chan struct{}, 1), sites: make(map[string]*site),
	}
	k.config.Store(&config{})
	k.windows.Store(&[]Window{})
	k.silences = newSilences(kv, k.log)
	k.past.shared = opts.Shared
	if k.opts.Usable == nil {
		k.opts.Usable = func() bool { return true }
	}
	return k
}

// Observe takes a result in. The result of a check that has no policy is
// ignored: it was under way when its check left the configuration. What it
// changes is saved when Observe returns; ctx cannot stop that half-way.
//
// The error is the store's where the store gives an answer that makes no
// sense. A store that cannot be written is no error here: see Healthy.
func (k *Keeper) Observe(ctx context.Context, r checks.Result) error {
	s := k.site(r.Site, false)
	if s == nil {
		return nil
	}
	if k.opts.Shared {
		kept := r // for the others, a result stays off the heap
		return k.observeBatch(ctx, s, &kept)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := k.takes(s, &r)
	if !ok || s.rec.Load().stays(&r, p) {
		return nil
	}
	return k.observe(ctx, s, r, *p)
}

// takes tells whether a result counts, and by which policy; the caller has s.mu.
func (k *Keeper) takes(s *site, r *checks.Result) (*Policy, bool) {
	start := r.StartedAt.UTC().Round(0)
	// Read under the lock: a reload that drops the check comes either before
	// this, and then it has no policy, or after, and then it drops its state.
	p, ok := k.config.Load().policies[r.Site][r.Check]
	if !ok {
		return nil, false
	}
	from := place{r.Check, r.Location}
	if late(s.seen[from], start) {
		k.log.Debug("result came late", "site", r.Site, "check", r.Check, "location", r.Location)
		return nil, false
	}
	s.seen[from] = start
	return p, true
}

// observe is the part of Observe that allocates.
func (k *Keeper) observe(ctx context.Context, s *site, r checks.Result, p Policy) error {
	p = k.atMoment(&r, p)
	_, err := k.change(ctx, s, func(rec Record) (Record, bool) { return Next(rec, r, p) })
	return err
}

// atMoment is the policy with what is in force when the result is judged.
func (k *Keeper) atMoment(r *checks.Result, p Policy) Policy {
	p.Mutes = k.mutes(end(*r))
	if k.opts.Panel != nil {
		p.Locations, p.Regions = k.opts.Panel.Voters(r.Site, r.Check, p.Stale)
		p.Behind = make(map[string]time.Duration, len(p.Locations))
		for _, location := range p.Locations {
			p.Behind[location] = k.opts.Panel.Behind(location)
		}
	}
	return p
}

// Update changes the record of a site by f, and returns it as it then is. f
// must be a function of its argument alone: it is called again when somebody
// else has changed the record meanwhile. Its bool tells whether there is
// something to save. Incidents that f takes out of the record become history.
func (k *Keeper) Update(ctx context.Context, name string, f func(Record) (Record, bool)) (Record, error) {
	s := k.site(name, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	return k.change(ctx, s, f)
}

// SetPolicies replaces the policies, which are by full name (SITE/CHECK), and
// the timings. The checks that have no policy any more are removed: their
// alerts end with that reason, all others stay as they are. The windows set by
// then count for what fires.
func (k *Keeper) SetPolicies(ctx context.Context, policies map[string]Policy, t Timings) error {
	next := &config{policies: make(map[string]map[string]*Policy), timings: t}
	last := make(map[string]*Policy)
	for full, p := range policies {
		name, check := checks.SplitName(full)
		if next.policies[name] == nil {
			next.policies[name] = make(map[string]*Policy)
		}
		if last[name] == nil || !reflect.DeepEqual(*last[name], p) {
			last[name] = &p
		}
		next.policies[name][check] = last[name]
	}
	for name := range next.policies {
		k.site(name, true)
	}
	k.config.Store(next)
	defer k.quieten(ctx)
	if k.opts.Shared && !k.opts.Usable() {
		return nil // nor is it known what the others have: Run does it
	}
	return k.removeGone(ctx)
}

// removeGone ends the alerts of checks that nobody's configuration has.
func (k *Keeper) removeGone(ctx context.Context) error {
	policies := k.config.Load().policies
	return k.each(func(s *site) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		known := policies[s.name]
		has := func(check string) bool {
			_, ok := known[check]
			return ok || k.opts.Panel != nil && k.opts.Panel.Watched(s.name, check)
		}
		maps.DeleteFunc(s.seen, func(p place, _ time.Time) bool { return !has(p.check) })
		_, err := k.change(ctx, s, func(rec Record) (Record, bool) { return Remove(rec, has, time.Now()) })
		return err
	})
}

// SetWindows replaces the maintenances. They count at the latest an interval
// later for what fires already, and at once for what fires from then on.
func (k *Keeper) SetWindows(windows []Window) { k.windows.Store(&windows) }

// Silences are those of this keeper's store.
func (k *Keeper) Silences() *Silences { return k.silences }

// SetOffline tells the keeper whether the agent has no network: nobody is then
// reminded of what nobody can see.
func (k *Keeper) SetOffline(offline bool) { k.offline.Store(offline) }

// mutes are those in force at a moment.
func (k *Keeper) mutes(at time.Time) Mutes {
	mutes := k.silences.active(at)
	if k.opts.Mutes != nil {
		mutes = append(mutes, k.opts.Mutes(at)...)
	}
	for _, w := range *k.windows.Load() {
		if w.Active(at) {
			mutes = append(mutes, w.Mute)
		}
	}
	return mutes
}

// Run adds the reminders, follows the mutes and tries writes again, until ctx is
// done. It returns nil. Changes may still be made afterwards; Flush saves what they could not.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(k.opts.Interval)
	defer ticker.Stop()
	for ticks := 1; ; ticks++ {
		select {
		case <-ctx.Done():
			k.Flush(ctx)
			return nil
		case <-k.silences.changed:
			k.quieten(ctx)
		case <-ticker.C:
			if !k.opts.Usable() {
				continue
			}
			k.Flush(ctx)
			k.quieten(ctx)
			if !k.offline.Load() {
				k.remind(ctx)
			}
			k.silences.sweep(ctx, time.Now())
			if k.opts.Shared && ticks%removeEvery == 0 {
				// A check may have been the last agent's that had it, and that is gone.
				_ = k.removeGone(ctx) // what failed is tried again the next time
			}
		}
	}
}

// quieten brings the open incidents in line with the mutes in force.
func (k *Keeper) quieten(ctx context.Context) {
	now := time.Now()
	mutes := k.mutes(now)
	k.touch(ctx, "cannot follow a silence or maintenance", func(rec Record, t Timings) (Record, bool) {
		return Quieten(rec, now, mutes, t)
	})
}

// remind adds the reminders that are due.
func (k *Keeper) remind(ctx context.Context) {
	now := time.Now()
	k.touch(ctx, "cannot add a reminder", func(rec Record, t Timings) (Record, bool) { return Tick(rec, now, t) })
}

// touch changes the records that f changes. Most it does not; those cost no lock.
func (k *Keeper) touch(ctx context.Context, problem string, f func(Record, Timings) (Record, bool)) {
	_ = k.each(func(s *site) error {
		timings := k.config.Load().timings
		if _, changes := f(*s.rec.Load(), timings); !changes {
			return nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		_, err := k.change(ctx, s, func(rec Record) (Record, bool) { return f(rec, timings) })
		if err != nil {
			k.log.Error(problem, "site", s.name, "err", err)
		}
		return nil
	})
}

// Changed holds a value when a record has changed since it was last received
// from, and at the start. It is for one reader: the outbox.
func (k *Keeper) Changed() <-chan struct{} { return k.changed }

// Changes is a number that is another one after each change that this agent or
// another one has saved.
func (k *Keeper) Changes() uint64 { return k.changes.Load() }

// Records returns all records, by site. They are snapshots and must not be
// changed.
func (k *Keeper) Records() []Record {
	var all []Record
	for _, s := range k.all() {
		if rec := s.rec.Load(); !rec.Empty() {
			all = append(all, *rec)
		}
	}
	return all
}

// Record returns a site's record, and false when there is nothing to remember
// of it: all is well.
func (k *Keeper) Record(name string) (Record, bool) {
	s := k.site(name, false)
	if s == nil {
		return Record{}, false
	}
	rec := s.rec.Load()
	return *rec, !rec.Empty()
}

// Open returns the open incidents, oldest first.
func (k *Keeper) Open() []Incident {
	var open []Incident
	for _, s := range k.all() {
		if inc, ok := s.rec.Load().open(); ok {
			open = append(open, inc)
		}
	}
	slices.SortStableFunc(open, func(a, b Incident) int { return a.OpenedAt.Compare(b.OpenedAt) })
	return open
}

// site returns the site of that name, made anew if need be and wanted.
func (k *Keeper) site(name string, make bool) *site {
	k.mu.RLock()
	s := k.sites[name]
	k.mu.RUnlock()
	if s != nil || !make {
		return s
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.sites[name]; s != nil {
		return s
	}
	s = newSite(name, Record{}, 0)
	k.sites[name] = s
	return s
}

func newSite(name string, rec Record, rev store.Revision) *site {
	s := &site{name: name, rev: rev, high: rev, seen: make(map[place]time.Time)}
	s.rec.Store(&rec)
	return s
}

// all returns the sites by name.
func (k *Keeper) all() []*site {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.SortedFunc(maps.Values(k.sites), func(a, b *site) int { return strings.Compare(a.name, b.name) })
}

// each calls f for every site, many at once, since each may wait for the disk
// and they can share that. It returns the first error, having done them all.
func (k *Keeper) each(f func(*site) error) error {
	const atOnce = 64
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	turns := make(chan struct{}, atOnce)
	for _, s := range k.all() {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if err := f(s); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	wg.Wait()
	return first
}
