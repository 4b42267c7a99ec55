package incident

import (
	"context"
	"slices"
	"time"
)

// The history of a site is bounded, but sites come and go, as those of previews
// do. What is remembered of one that nobody watches any more is forgotten in time.

const (
	// pastKept is for how long the history of a site that nobody watches is kept
	// after its newest incident.
	pastKept = 90 * 24 * time.Hour
	// forgetFirst is the time from the start to the first look for such sites: by
	// then somebody has noticed a configuration that lacks half of them.
	// forgetEvery lies between two looks.
	forgetFirst = time.Hour
	forgetEvery = 24 * time.Hour
)

// forgetPast drops the history of the sites that nobody watches and in which
// nothing has happened for long.
func (k *Keeper) forgetPast(ctx context.Context, now time.Time) {
	all, err := k.History(ctx, "") // newest first
	if err != nil {
		k.log.Warn("old history not forgotten", "err", err)
		return
	}
	sites := make(map[string][]Past)
	for _, p := range all {
		sites[p.Site] = append(sites[p.Site], p)
	}
	before := now.Add(-pastKept)
	for name, past := range sites {
		newest := past[0].Opened()
		if newest.IsZero() || newest.After(before) || len(k.config.Load().policies[name]) > 0 {
			continue
		}
		if err := k.forgetSite(ctx, past, before); err != nil {
			k.log.Warn("old history not forgotten", "site", name, "err", err)
			return // the next look tries again
		}
	}
}

// forgetSite drops the history of a site that this agent does not watch, unless
// something of it ended after before or another agent has one of its checks.
func (k *Keeper) forgetSite(ctx context.Context, past []Past, before time.Time) error {
	for _, p := range past {
		inc, ok, err := k.Recall(ctx, p)
		if err != nil {
			return err
		}
		if ok && (inc.ResolvedAt.After(before) || k.watchedElsewhere(&inc)) {
			return nil
		}
	}
	for _, p := range slices.Backward(past) { // the newest last: it tells the next look how old all are
		if err := k.drop(ctx, historyKey(p.Site, p.ID)); err != nil {
			return err
		}
	}
	k.past.forget(past)
	k.log.Info("history of a site that nobody watches forgotten", "site", past[0].Site)
	return nil
}

// watchedElsewhere tells whether another agent has a check of an incident, or had
// it within a day: for old history there is no hurry.
func (k *Keeper) watchedElsewhere(inc *Incident) bool {
	if k.opts.Panel == nil {
		return false
	}
	for check := range inc.Alerts {
		if k.opts.Panel.Watched(inc.Site, check, forgetEvery) {
			return true
		}
	}
	return false
}
