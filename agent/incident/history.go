package incident

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/agent/store"
)

// remember makes history of the incidents that are in old and not in rec any
// more. History is for people to read, not for alerting: one that cannot be
// written is logged and given up.
//
// Each is a value of its own, so that a record is small to write however much
// there was before. It comes first: after a crash in between, the incident
// leaves its record once more.
func (k *Keeper) remember(ctx context.Context, old, rec Record) {
	for i := range old.Incidents {
		inc := &old.Incidents[i]
		if slices.ContainsFunc(rec.Incidents, func(i Incident) bool { return i.ID == inc.ID }) {
			continue
		}
		if err := k.archive(ctx, inc); err != nil {
			k.log.Warn("incident cannot be kept for the history", "incident", inc.ID, "err", err)
		}
	}
}

// archive writes one incident to the history, and drops what is too much there.
func (k *Keeper) archive(ctx context.Context, inc *Incident) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	value, err := json.Marshal(inc)
	if err != nil {
		return err
	}
	_, err = k.kv.Put(ctx, store.Entry{Key: historyKey(inc.Site, inc.ID), Value: value})
	if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: it is there already
		return err
	}
	surplus, err := k.past.add(ctx, k.kv, inc.Site, inc.ID, k.opts.History)
	if err != nil {
		return err
	}
	for _, id := range surplus {
		if err := k.drop(ctx, historyKey(inc.Site, id)); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes a value, whatever its revision.
func (k *Keeper) drop(ctx context.Context, key string) error {
	e, err := k.kv.Get(ctx, key)
	if err == nil {
		err = k.kv.Delete(ctx, key, e.Revision)
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// Past names an incident of the history.
type Past struct{ Site, ID string }

// Opened is when it was opened, to the second: its ID tells. It is the zero time
// for an ID that was not made by this package.
func (p Past) Opened() time.Time {
	at, err := time.Parse(idTime, p.opened())
	if err != nil {
		return time.Time{}
	}
	return at
}

// opened is the part of the ID that is the time. It sorts as the time does.
func (p Past) opened() string {
	const random = len("-") + 6
	if len(p.ID) <= idTail {
		return ""
	}
	return p.ID[len(p.ID)-idTail : len(p.ID)-random]
}

// History lists the ended incidents of a site that have left its record, or of
// all sites if site is "", newest first. It reads none of them: see Recall.
func (k *Keeper) History(ctx context.Context, site string) ([]Past, error) {
	past, err := k.past.list(ctx, k.kv, site)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return past, nil
}

// Recall reads an incident of the history. The bool is false for one that has
// been dropped meanwhile, or that cannot be read, which is logged.
func (k *Keeper) Recall(ctx context.Context, p Past) (Incident, bool, error) {
	key := historyKey(p.Site, p.ID)
	e, err := k.kv.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Incident{}, false, nil
	case err != nil && !errors.Is(err, store.ErrCorrupt):
		return Incident{}, false, fmt.Errorf("read history: %w", err)
	}
	var inc Incident
	if err == nil {
		err = json.Unmarshal(e.Value, &inc)
	}
	if err != nil {
		k.log.Warn("incident of the history cannot be read", "key", key, "err", err)
		return Incident{}, false, nil
	}
	return inc, true, nil
}

// Incident finds an incident by its ID, in the records or in the history. The
// bool tells whether there is one.
func (k *Keeper) Incident(ctx context.Context, id string) (Incident, bool, error) {
	for _, rec := range k.Records() {
		for _, inc := range rec.Incidents {
			if inc.ID == id {
				return inc, true, nil
			}
		}
	}
	found, ok, err := k.past.find(ctx, k.kv, id)
	if !ok || err != nil {
		return Incident{}, false, err
	}
	return k.Recall(ctx, found)
}

func historyKey(site, id string) string { return historyPrefix + site + "/" + id }

// pastIndex knows which incidents the history has: about 100 bytes for each of
// them, and nothing until somebody asks or an incident ends. It is read from the
// keys alone, which tell the site and, in the ID, the time. Where others write
// to the same store, it is read again when it is old.
type pastIndex struct {
	shared bool // others write to the store

	mu    sync.Mutex
	sites map[string][]string // IDs in the order of time; nil until it was read
	at    time.Time           // when it was read
}

// pastFresh is how long an index of a shared store may be used.
const pastFresh = 10 * time.Second

// read fills the index. The caller holds p.mu.
func (p *pastIndex) read(ctx context.Context, kv store.KV) error {
	if p.sites != nil && (!p.shared || time.Since(p.at) < pastFresh) {
		return nil
	}
	keys, err := kv.Keys(ctx, historyPrefix)
	if err != nil {
		return err
	}
	sites := make(map[string][]string)
	for _, key := range keys { // in the order of time within a site, as the IDs are
		if site, id, ok := strings.Cut(strings.TrimPrefix(key, historyPrefix), "/"); ok {
			sites[site] = append(sites[site], id)
		}
	}
	p.sites, p.at = sites, time.Now()
	return nil
}

// add notes that the history has an incident, and takes out the oldest ones of
// its site above so many: those are to be dropped.
func (p *pastIndex) add(ctx context.Context, kv store.KV, site, id string, keep int) (surplus []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(ctx, kv); err != nil {
		return nil, err
	}
	ids := p.sites[site]
	if i, known := slices.BinarySearch(ids, id); !known {
		ids = slices.Insert(ids, i, id)
	}
	n := max(0, len(ids)-keep)
	surplus = slices.Clone(ids[:n])
	p.sites[site] = slices.Delete(ids, 0, n)
	return surplus, nil
}

// list returns those of a site, or of all if it is "", newest first.
func (p *pastIndex) list(ctx context.Context, kv store.KV, site string) ([]Past, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(ctx, kv); err != nil {
		return nil, err
	}
	sites := p.sites
	if site != "" {
		sites = map[string][]string{site: p.sites[site]}
	}
	var all []Past
	for name, ids := range sites {
		for _, id := range ids {
			all = append(all, Past{name, id})
		}
	}
	slices.SortFunc(all, func(a, b Past) int {
		return cmp.Or(strings.Compare(b.opened(), a.opened()), strings.Compare(b.ID, a.ID))
	})
	return all, nil
}

// find returns the one of that ID. An ID begins with its site, or with as much
// of it as there was room for.
func (p *pastIndex) find(ctx context.Context, kv store.KV, id string) (Past, bool, error) {
	if len(id) <= idTail {
		return Past{}, false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(ctx, kv); err != nil {
		return Past{}, false, err
	}
	for site, ids := range p.sites {
		if !strings.HasPrefix(site, id[:len(id)-idTail]) {
			continue
		}
		if _, ok := slices.BinarySearch(ids, id); ok {
			return Past{site, id}, true, nil
		}
	}
	return Past{}, false, nil
}
