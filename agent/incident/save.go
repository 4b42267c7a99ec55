package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/agent/store"
)

// The keys in the store. What cannot be read is moved below badPrefix, for a
// person to look at.
const (
	sitePrefix    = "site/"
	historyPrefix = "history/"
	badPrefix     = "bad/"
)

const (
	// saveTimeout bounds one write. It does not end with the caller's context:
	// what was observed is to be remembered though the agent is stopping.
	saveTimeout = 30 * time.Second
	// maxConflicts bounds how often one change is made anew. Of many agents that
	// change a record at once on a slow network, one may lose many times in a row.
	maxConflicts = 200
)

// Load reads all records. It must be called once, before anything else. A
// record that cannot be read is set aside and logged; one written by a newer
// program is an error, because going on would overwrite it.
func (k *Keeper) Load(ctx context.Context) error {
	entries, err := k.kv.List(ctx, sitePrefix)
	if err != nil {
		return fmt.Errorf("load incidents: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range entries {
		name := strings.TrimPrefix(e.Key, sitePrefix)
		rec, err := decode(e)
		switch {
		case errors.Is(err, store.ErrNewer):
			return fmt.Errorf("load incidents: %w", err)
		case err != nil:
			k.log.Error("record cannot be read, set aside", "key", e.Key, "path", badPrefix+e.Key, "err", err)
			if err := k.discard(ctx, e); err != nil {
				k.log.Error("record cannot be set aside, the next one will overwrite it", "key", e.Key, "err", err)
				k.sites[name] = newSite(name, Record{}, e.Revision)
			}
		default:
			k.sites[name] = newSite(name, rec, e.Revision)
		}
	}
	k.signal()
	return k.silences.load(ctx)
}

// decode reads a record as it lies in the store. The error is store.ErrNewer where
// a newer program wrote it, else ErrCorrupt.
func decode(e store.Entry) (Record, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(e.Value, &head); err != nil {
		return Record{}, fmt.Errorf("record %q: %w: %w", e.Key, store.ErrCorrupt, err)
	}
	if head.Version > RecordVersion {
		return Record{}, fmt.Errorf("record %q: version %d, this program reads up to %d: %w", e.Key, head.Version, RecordVersion, store.ErrNewer)
	}
	var rec Record
	if err := json.Unmarshal(e.Value, &rec); err != nil {
		return Record{}, fmt.Errorf("record %q: %w: %w", e.Key, store.ErrCorrupt, err)
	}
	if rec.Version < 1 || sitePrefix+rec.Site != e.Key {
		return Record{}, fmt.Errorf("record %q: %w: version %d, site %q", e.Key, store.ErrCorrupt, rec.Version, rec.Site)
	}
	return rec, nil
}

// discard moves an entry below badPrefix, over what was there of it.
func (k *Keeper) discard(ctx context.Context, e store.Entry) error {
	if err := k.keepBad(ctx, e); err != nil {
		return err
	}
	return k.kv.Delete(ctx, e.Key, e.Revision)
}

// keepBad copies an entry below badPrefix.
func (k *Keeper) keepBad(ctx context.Context, e store.Entry) error {
	bad, err := k.kv.Get(ctx, badPrefix+e.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) && bad.Revision == 0 {
		return err
	}
	_, err = k.kv.Put(ctx, store.Entry{Key: badPrefix + e.Key, Value: e.Value, Revision: bad.Revision})
	return err
}

// spareFor is for how long an agent that knows nothing of a site leaves its damaged
// record to one that does.
const spareFor = 30 * time.Second

// spare tells whether a damaged record is to be left to others yet.
func (s *site) spare(rev store.Revision, now time.Time) bool {
	if s.badRev != rev {
		s.badRev, s.badSince = rev, now
	}
	return now.Sub(s.badSince) < spareFor
}

// change makes a change of a site's record and saves it; the caller has s.mu.
// If the store holds something newer the change is made on that. If the store
// cannot be written the change is made in memory, and saved later.
//
// Where the store is shared, a change that cannot be written is not made, and
// the error says so: others go on from what is in the store.
func (k *Keeper) change(ctx context.Context, s *site, f func(Record) (Record, bool)) (Record, error) {
	for attempt := range maxConflicts {
		if s.unsure || attempt > 0 {
			if err := k.reread(ctx, s); err != nil {
				return *s.rec.Load(), fmt.Errorf("save incidents of %q: %w", s.name, err)
			}
		}
		old := s.rec.Load()
		rec, save := f(*old)
		if !save {
			s.rec.Store(&rec) // newer evidence, which may be lost
			return rec, nil
		}
		k.remember(ctx, *old, rec)
		err := k.save(ctx, s, rec)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil && k.opts.Shared {
			s.unsure = true
			return *old, fmt.Errorf("save incidents of %q: %w", s.name, err)
		}
		s.rec.Store(&rec)
		s.dirty = err != nil
		k.note(s.name, err)
		k.logEvents(ctx, old, &rec)
		k.signal()
		return rec, nil
	}
	return *s.rec.Load(), fmt.Errorf("save incidents of %q: %w, %d times in a row", s.name, store.ErrConflict, maxConflicts)
}

// reread takes over what the store has before a change is made anew.
func (k *Keeper) reread(ctx context.Context, s *site) error {
	err := k.reload(ctx, s)
	if k.opts.Shared {
		k.unread.note(s.name, err)
	}
	if err == nil {
		s.unsure = false
	}
	return err
}

// save writes the record at the site's revision. A record with nothing in it is
// none in the store.
func (k *Keeper) save(ctx context.Context, s *site, rec Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	key := sitePrefix + s.name
	if rec.Empty() {
		err := k.kv.Delete(ctx, key, s.rev)
		if err == nil {
			s.rev = 0
		}
		return err
	}
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	rev, err := k.kv.Put(ctx, store.Entry{Key: key, Value: value, Revision: s.rev})
	if err == nil {
		s.rev, s.high = rev, rev
	}
	return err
}

// reload takes over the record that the store has. While ours is the newer one,
// because it could not be saved, only the revision is taken over: it may well be
// that of a write of ours which succeeded after all.
//
// What cannot be read of a shared store is set aside, unless a newer program wrote
// it: nobody else will, and until then the site would be judged by nobody. What this
// agent knew last takes its place, so that an open incident goes on.
func (k *Keeper) reload(ctx context.Context, s *site) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	e, err := k.kv.Get(ctx, sitePrefix+s.name)
	if errors.Is(err, store.ErrNotFound) {
		e, err = store.Entry{}, nil
	}
	var rec Record
	if err == nil && e.Revision != 0 && !s.dirty {
		rec, err = decode(e)
	}
	if err != nil && e.Revision != 0 && k.opts.Shared && !errors.Is(err, store.ErrNewer) {
		k.log.Error("record cannot be read, set aside", "key", e.Key, "path", badPrefix+e.Key, "err", err)
		if rec = *s.rec.Load(); rec.Empty() && s.spare(e.Revision, time.Now()) {
			return err
		}
		if err = k.keepBad(ctx, e); err == nil {
			s.rev = e.Revision
			err = k.save(ctx, s, rec)
			e.Revision = s.rev
		}
	}
	if err != nil {
		return err
	}
	if !s.dirty {
		if k.opts.Shared {
			rec = rec.upToDate(*s.rec.Load())
		}
		s.rec.Store(&rec)
	}
	s.rev, s.high = e.Revision, max(s.high, e.Revision)
	return nil
}

// unsaved is which sites the store has an older record of, and why.
type unsaved struct {
	mu    sync.Mutex
	sites map[string]struct{}
	err   error // the last
}

// note keeps account of a write of a site's record, and logs only when it
// begins to fail and when all is saved again.
func (k *Keeper) note(name string, err error) {
	u := &k.unsaved
	u.mu.Lock()
	defer u.mu.Unlock()
	before := len(u.sites)
	if err == nil {
		delete(u.sites, name)
	} else {
		if u.sites == nil {
			u.sites = make(map[string]struct{})
		}
		u.sites[name], u.err = struct{}{}, err
	}
	switch after := len(u.sites); {
	case before == 0 && after > 0:
		k.log.Error("incidents cannot be saved, going on from memory", "site", name, "err", err)
	case before > 0 && after == 0:
		u.err = nil
		k.log.Info("incidents are saved again")
	}
}

// Healthy returns nil when all that is known is saved and all that others have saved
// can be read, else why it is not.
func (k *Keeper) Healthy() error { return errors.Join(k.unsaved.failure(), k.unread.err()) }

func (u *unsaved) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.sites) == 0 {
		return nil
	}
	return fmt.Errorf("incidents of %d sites are not saved: %w", len(u.sites), u.err)
}

// Flush tries to save what could not be saved. Healthy tells whether it could.
func (k *Keeper) Flush(ctx context.Context) {
	k.unsaved.mu.Lock()
	names := slices.Sorted(maps.Keys(k.unsaved.sites))
	k.unsaved.mu.Unlock()
	for _, name := range names {
		s := k.site(name, true)
		s.mu.Lock()
		if s.dirty {
			if _, err := k.change(ctx, s, func(rec Record) (Record, bool) { return rec, true }); err != nil {
				k.note(name, err)
			}
		}
		failed := s.dirty
		s.mu.Unlock()
		if failed {
			return // neither will the others
		}
	}
}

// Stir has the reader of Changed look again, though nothing has changed.
func (k *Keeper) Stir() { k.signal() }

// signal lets the reader of Changed know that there is something new.
func (k *Keeper) signal() {
	k.changes.Add(1)
	select {
	case k.changed <- struct{}{}:
	default:
	}
}
