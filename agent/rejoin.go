package agent

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/esawatch/esawatch/agent/cluster"
	"github.com/esawatch/esawatch/agent/incident"
)

// lookEvery is how often it is looked whether the others can be reached.
const lookEvery = 500 * time.Millisecond

// run follows how the agent stands to the others until ctx is done: together,
// cut off, alone, and together again.
func (t *team) run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.member.Changed():
			t.outbox.Reconsider()
			t.changed()
		case <-t.look:
		case <-ticker.C:
		case <-t.store.Availability():
		}
		t.stand(ctx, time.Now())
	}
}

// stand finds out how the agent stands to the others now.
func (t *team) stand(ctx context.Context, now time.Time) {
	m, why := *t.mode.Load(), t.usable()
	switch {
	case why != nil && m.together:
		t.log.Warn("cut off from the other agents: what is seen now is kept apart", "err", why)
		t.blind(ctx) // before what is seen counts as the agent's own
		t.enter(mode{since: now, why: why})
	case why != nil:
		m.why, m.frozen, m.hello = why, false, time.Time{}
		if after := time.Duration(t.aloneAfter.Load()); !m.alone && now.Sub(m.since) >= after {
			t.log.Warn("alone: alerting by itself, on what this agent alone sees", "err", why)
			m.alone = true
		}
		t.enter(m)
	case m.hello.IsZero():
		if !m.together {
			// Who is there was out of reach. Judged by whom it knows now, the agent
			// would be a majority by itself.
			t.member.Hello()
			m.hello = now
			t.enter(m)
		}
	case !m.together && now.Sub(m.hello) >= cluster.HearTime:
		if !m.frozen {
			m.frozen = true
			t.enter(m) // nothing more is told alone; the next look hands over
			return
		}
		if done, err := t.rejoin(ctx, now); err != nil {
			t.log.Warn("cannot join the other agents yet", "err", err)
			return
		} else if !done {
			return // something is just being told; the next look sees
		}
		t.log.Info("together with the other agents")
		t.enter(mode{together: true, since: now})
	}
}

// enter puts a mode in force.
func (t *team) enter(m mode) {
	was := t.mode.Swap(&m)
	if was.together != m.together || was.alone != m.alone || was.frozen != m.frozen {
		t.own.Stir()
		t.shared.Stir()
	}
}

// blind notes in the agent's own records what the shared ones say is told
// already: it is no news to anybody that it goes on.
func (t *team) blind(ctx context.Context) {
	for _, inc := range t.shared.Open() {
		t.blindTo(ctx, inc)
	}
}

// blindTo is blind of one incident.
func (t *team) blindTo(ctx context.Context, inc incident.Incident) {
	_, err := t.own.Update(ctx, inc.Site, func(rec incident.Record) (incident.Record, bool) {
		return incident.Blind(rec, inc.Site, &inc, t.location)
	})
	if err != nil {
		t.log.Error("open incident not noted, it may be told again", "site", inc.Site, "incident", inc.ID, "err", err)
	}
}

// rejoin hands what the agent saw and told by itself over to the shared records.
// done is false while something of it is just being told. Of an attempt that is
// over and in doubt (a timeout, a crash) the shared record carries the doubt on:
// waiting for the receiver to answer would keep the agent out for as long as that
// is down.
func (t *team) rejoin(ctx context.Context, now time.Time) (done bool, err error) {
	done = true
	for _, rec := range t.own.Records() {
		if rec.Site == networkSite(t.location) {
			continue
		}
		inc, open := rec.OpenIncident()
		if open && inc.Sent() && t.telling() {
			done = false
			continue
		}
		adopted, into := false, ""
		if open && inc.ToldToAny() {
			if adopted, into, err = t.handOver(ctx, rec, inc.ID, now); err != nil {
				return false, err
			}
		}
		_, err := t.own.Update(ctx, rec.Site, func(own incident.Record) (incident.Record, bool) {
			if last, ok := own.OpenIncident(); ok && (last.ID != inc.ID || !reflect.DeepEqual(last.Deliveries, inc.Deliveries)) {
				done = false // it came, or was told, since we looked
				return own, false
			}
			if adopted { // even if it ended just now: the shared one tells of that
				own.Incidents = slices.DeleteFunc(slices.Clone(own.Incidents), func(i incident.Incident) bool { return i.ID == inc.ID })
			}
			left, changed := incident.Forget(own, adopted, into, now)
			return left, changed || adopted
		})
		if err != nil {
			return false, err
		}
	}
	return done, nil
}

// handOver makes the open incident of the agent's own record the shared one, or
// finds the one that it is part of.
func (t *team) handOver(ctx context.Context, rec incident.Record, id string, now time.Time) (adopted bool, into string, err error) {
	if _, over, err := t.shared.Recall(ctx, incident.Past{Site: rec.Site, ID: id}); err != nil || over {
		return over, "", err // it was handed over, and ended, before this agent could forget it
	}
	shared, err := t.shared.Update(ctx, rec.Site, func(shared incident.Record) (incident.Record, bool) {
		return incident.Adopt(shared, rec, t.location, now)
	})
	if err != nil {
		return false, "", err
	}
	if slices.ContainsFunc(shared.Incidents, func(i incident.Incident) bool { return i.ID == id }) {
		t.log.Info("incident that was told alone is shared now", "site", rec.Site, "incident", id)
		return true, "", nil
	}
	open, _ := shared.OpenIncident()
	t.log.Info("incident that was told alone is part of another", "site", rec.Site, "incident", id)
	return false, open.ID, nil
}

// held are the agent's own records as its outbox sees them: while it is not alone,
// only what was told already.
type held struct {
	*incident.Keeper
	team *team
}

// Records implements outbox.Records.
func (h held) Records() []incident.Record {
	all := h.Keeper.Records()
	for i := range all {
		all[i] = h.team.heard(all[i])
	}
	return all
}

// Record implements outbox.Records.
func (h held) Record(site string) (incident.Record, bool) {
	rec, ok := h.Keeper.Record(site)
	return h.team.heard(rec), ok
}

// heard is a record of the agent's own with the incidents that may be told of.
func (t *team) heard(rec incident.Record) incident.Record {
	m := t.mode.Load()
	if m.alone && !m.frozen || rec.Site == networkSite(t.location) {
		return rec
	}
	var left []incident.Incident
	for _, inc := range rec.Incidents {
		if inc.ToldToAny() && (!inc.Open() || !m.frozen) {
			left = append(left, inc)
		}
	}
	rec.Incidents = left
	return rec
}
