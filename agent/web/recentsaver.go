package web

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/checks/catalog"
)

const (
	recentPrefix = "recent/"

	// A site whose results are new is saved once every saveEvery, in one of
	// saveTurns turns that its name chooses, so that thousands of sites do not
	// come at once.
	saveEvery = 5 * time.Minute
	saveTurns = 30

	// saveAtOnce is how many writes are under way together: they share a
	// transaction, and one more is all that an alert can wait for.
	saveAtOnce = 16
	saveWithin = 30 * time.Second // one write
)

// Saver carries a short form of a Recent over a restart: the last day's
// availability, the newest answer and a line of latencies of each check. It is
// one value a site, about 250 bytes a check, written every five minutes when
// there is anything new, and at the end. What cannot be saved is lost with the
// process and nothing else: nobody is alerted from it.
//
// Load comes first, once the Recent knows its checks; then Run.
type Saver struct {
	recent  *Recent
	kv      store.KV
	log     *slog.Logger
	saved   map[string]saved // by site: what the store has
	failing bool             // the last write did not succeed
}

// saved is what the store has of one site.
type saved struct {
	rev     store.Revision
	changes uint64 // of the site by then
}

// NewSaver returns one that has loaded nothing yet.
func NewSaver(recent *Recent, kv store.KV, log *slog.Logger) *Saver {
	return &Saver{recent: recent, kv: kv, log: log, saved: make(map[string]saved)}
}

// Load fills the recent results with what was saved of them. A condition is
// called as the catalog has it. What cannot be read is logged, and the pages
// begin without it.
func (s *Saver) Load(ctx context.Context, cat *catalog.Catalog) {
	entries, err := s.kv.List(ctx, recentPrefix)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("recent results cannot be read, the pages begin empty", "err", err)
		}
		return
	}
	var bad error
	unread := 0
	for _, e := range entries {
		name := strings.TrimPrefix(e.Key, recentPrefix)
		err := readDoc(e.Value, func(check string, r *ring) { s.recent.recall(name, check, r, cat) })
		if err != nil {
			unread++
			bad = fmt.Errorf("key %q: %w", e.Key, err)
		}
		s.saved[name] = saved{e.Revision, s.recent.changesOf(name)}
	}
	if unread > 0 {
		s.log.Warn("recent results of some sites cannot be read, their pages begin empty", "sites", unread, "err", bad)
	}
}

// Run saves what is new until ctx is done, and once more then. It returns nil.
func (s *Saver) Run(ctx context.Context) error {
	ticker := time.NewTicker(saveEvery / saveTurns)
	defer ticker.Stop()
	for turn := uint32(0); ; turn++ {
		select {
		case <-ctx.Done():
			s.save(ctx, func(string) bool { return true })
			return nil
		case <-ticker.C:
			s.save(ctx, func(site string) bool { return turnOf(site) == turn%saveTurns })
		}
	}
}

// turnOf is the turn in which a site is saved.
func turnOf(site string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(site)) // it cannot fail
	return h.Sum32() % saveTurns
}

// save writes the sites that are due and have changed, and deletes those that
// have left the configuration. After a failure it leaves the rest for the next
// time: they would fail too.
func (s *Saver) save(ctx context.Context, due func(site string) bool) {
	jobs := s.jobs(due)
	for batch := range slices.Chunk(jobs, saveAtOnce) {
		var wg sync.WaitGroup
		for i := range batch {
			wg.Go(func() { batch[i].do(ctx, s) })
		}
		wg.Wait()
		if s.settle(batch); s.failing {
			return
		}
	}
}

// saveJob is the write of one site, or its deletion.
type saveJob struct {
	site  string
	was   saved
	now   saved
	gone  bool // it is to be deleted
	value []byte
	err   error
}

// jobs lists what has to be written.
func (s *Saver) jobs(due func(site string) bool) []saveJob {
	var all []saveJob
	for site, changes := range s.recent.changed() {
		was := s.saved[site]
		if due(site) && changes != was.changes {
			all = append(all, saveJob{site: site, was: was, now: saved{changes: changes}})
		}
	}
	for site, was := range s.saved {
		if due(site) && !s.recent.has(site) {
			all = append(all, saveJob{site: site, was: was, gone: true})
		}
	}
	slices.SortFunc(all, func(a, b saveJob) int { return strings.Compare(a.site, b.site) })
	return all
}

// do writes what is there now, so that a long list of jobs is no long list of
// documents. Ours is the only hand that writes these keys, but a write that was
// reported as failed may have happened: the revision is then read again.
func (j *saveJob) do(ctx context.Context, s *Saver) {
	// The agent's end is when there is most to save.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	key := recentPrefix + j.site
	if !j.gone {
		j.value = s.recent.doc(j.site)
	}
	if j.err = j.write(ctx, s.kv, key, j.was.rev); !errors.Is(j.err, store.ErrConflict) {
		return
	}
	e, err := s.kv.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		j.err = err
		return
	}
	j.err = j.write(ctx, s.kv, key, e.Revision)
}

func (j *saveJob) write(ctx context.Context, kv store.KV, key string, rev store.Revision) (err error) {
	if j.gone {
		return kv.Delete(ctx, key, rev)
	}
	j.now.rev, err = kv.Put(ctx, store.Entry{Key: key, Value: j.value, Revision: rev})
	return err
}

// settle notes what became of a batch, and logs when saving begins to fail and
// when it works again.
func (s *Saver) settle(batch []saveJob) {
	var err error
	for i := range batch {
		j := &batch[i]
		j.value = nil
		switch {
		case j.err != nil:
			err = j.err
		case j.gone:
			delete(s.saved, j.site)
		default:
			s.saved[j.site] = j.now
		}
	}
	switch {
	case err != nil && !s.failing:
		s.log.Warn("recent results cannot be saved, a restart would forget them", "err", err)
	case err == nil && s.failing:
		s.log.Info("recent results are saved again")
	}
	s.failing = err != nil
}

// recall takes over what was saved of a check, unless it has results already or
// has left the configuration.
func (m *Recent) recall(site, check string, saved *ring, cat *catalog.Catalog) {
	r := m.ring(site, check)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) > 0 {
		return
	}
	r.entries, r.kinds, r.last, r.hours, r.recalled = saved.entries, saved.kinds, saved.last, saved.hours, true
	if len(r.entries) == 0 {
		return
	}
	if c := r.kinds[r.nth(0).kind].Value().condition; c != "" {
		v := cat.View(c, "en")
		r.last.diagnosis = &catalog.Diagnosis{Condition: c, Title: v.Title, Fault: v.Fault, Owner: v.Owner, Severity: v.Severity}
	}
}

// changed is how often each site has changed.
func (m *Recent) changed() map[string]uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make(map[string]uint64, len(m.sites))
	for name, s := range m.sites {
		all[name] = s.changes.Load()
	}
	return all
}

func (m *Recent) changesOf(site string) uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if s := m.sites[site]; s != nil {
		return s.changes.Load()
	}
	return 0
}

func (m *Recent) has(site string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sites[site] != nil
}

// doc is the document of a site.
func (m *Recent) doc(site string) []byte {
	m.mu.RLock()
	var names []string
	var rings []*ring
	if s := m.sites[site]; s != nil {
		for name, r := range s.rings {
			names, rings = append(names, name), append(rings, r)
		}
	}
	m.mu.RUnlock()
	return appendDoc(make([]byte, 0, 16+300*len(names)), names, rings)
}
