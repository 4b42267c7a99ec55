package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
	prefix := historyPrefix + inc.Site + "/"
	_, err = k.kv.Put(ctx, store.Entry{Key: prefix + inc.ID, Value: value})
	if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: it is there already
		return err
	}
	entries, err := k.kv.List(ctx, prefix) // in the order of time, as the IDs are
	if err != nil {
		return err
	}
	for _, e := range entries[:max(0, len(entries)-k.opts.History)] {
		if err := k.kv.Delete(ctx, e.Key, e.Revision); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

// History reads the ended incidents of a site that have left its record, or of
// all sites if site is "", newest first. One that cannot be read is left out.
func (k *Keeper) History(ctx context.Context, site string) ([]Incident, error) {
	prefix := historyPrefix
	if site != "" {
		prefix += site + "/"
	}
	return k.history(ctx, prefix)
}

func (k *Keeper) history(ctx context.Context, prefix string) ([]Incident, error) {
	entries, err := k.kv.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	var past []Incident
	for _, e := range entries {
		var inc Incident
		if err := json.Unmarshal(e.Value, &inc); err != nil {
			k.log.Warn("incident of the history cannot be read", "key", e.Key, "err", err)
			continue
		}
		past = append(past, inc)
	}
	slices.SortStableFunc(past, func(a, b Incident) int { return b.OpenedAt.Compare(a.OpenedAt) })
	return past, nil
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
	if len(id) <= idTail {
		return Incident{}, false, nil
	}
	// An ID begins with its site, or with as much of it as there was room for.
	past, err := k.history(ctx, historyPrefix+id[:len(id)-idTail])
	if err != nil {
		return Incident{}, false, err
	}
	i := slices.IndexFunc(past, func(inc Incident) bool { return inc.ID == id })
	if i < 0 {
		return Incident{}, false, nil
	}
	return past[i], true, nil
}
