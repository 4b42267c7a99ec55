package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/agent/web"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/exposition"
)

// What an agent does by itself, or with a team where it has one.

// work is what there is to run.
type work struct {
	jobs   []schedule.Job
	checks []*checks.Check
}

// share is the part of the work that this agent does: all, or what falls to it
// among the agents of its location.
func (a *Agent) share(all work) work {
	if a.team == nil {
		return all
	}
	var mine work
	for i, job := range all.jobs {
		if a.team.runs(job.Name) {
			mine.jobs = append(mine.jobs, job)
			mine.checks = append(mine.checks, all.checks[i])
		}
	}
	return mine
}

// shareAgain takes over what falls to this agent now that another one of its
// location came or went.
func (a *Agent) shareAgain() {
	neighbours := a.team.member.Neighbours()
	if slices.Equal(neighbours, *a.team.neighbours.Load()) {
		return
	}
	a.reloading.Lock()
	defer a.reloading.Unlock()
	a.team.neighbours.Store(&neighbours)
	if a.stopped || a.plan == nil {
		return
	}
	began := time.Now()
	mine := a.share(a.work)
	if err := a.schedule.Replace(mine.jobs); err != nil {
		a.log.Error("checks not shared out anew", "err", err) // they were scheduled before
		return
	}
	a.results.SetChecks(mine.checks)
	a.recent.SetChecks(mine.checks)
	a.log.Info("checks shared out anew", "checks", len(mine.checks), "took", time.Since(began))
}

// runSchedule runs the checks, once it is known which are this agent's.
func (a *Agent) runSchedule(ctx context.Context) error {
	if a.team != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-a.team.member.Heard():
		}
		a.shareAgain()
	}
	return a.schedule.Run(ctx)
}

// runNow runs a check at once, if it is this agent's.
func (a *Agent) runNow(check string) error {
	err := a.schedule.RunNow(check)
	if errors.Is(err, schedule.ErrUnknown) && a.team != nil && !a.team.runs(check) {
		return web.ErrElsewhere
	}
	return err
}

// observe takes a result in.
func (a *Agent) observe(ctx context.Context, r checks.Result) error {
	if a.team != nil {
		return a.team.observe(ctx, r)
	}
	return a.keeper.Observe(ctx, r)
}

// newOutboxes makes what tells: of the agent's own records, and of a team's.
func (a *Agent) newOutboxes(grace time.Duration) {
	o := outbox.Options{Records: a.keeper, Log: a.opts.Log, Registerer: a.registry, Grace: grace}
	if a.team == nil {
		a.outbox = outbox.New(o)
		return
	}
	o.Records = held{a.keeper, a.team}
	a.outbox = outbox.New(o)
	a.team.telling = a.outbox.Telling
	o.Records, o.Registerer, o.Beside, o.Turns = a.team.shared, nil, a.outbox, a.team
	a.team.outbox = outbox.New(o)
}

// records are where the pages find what is known.
func (a *Agent) records() web.Incidents {
	if a.team != nil {
		return view{a.team}
	}
	return a.keeper
}

// writeStates writes the metrics of the records.
func (a *Agent) writeStates(w *exposition.Writer) {
	if a.team != nil {
		incident.WriteMetrics(w, a.team.shared, a.keeper)
		return
	}
	a.keeper.WriteMetrics(w)
}

// ownShows tells whether the agent's own keeper shows the metrics of a check.
func (a *Agent) ownShows(site, check string) bool {
	return a.team == nil || a.team.ownShows(site, check)
}

// sharedMutes are the silences that a team shares.
func (a *Agent) sharedMutes(at time.Time) incident.Mutes {
	if a.team == nil {
		return nil
	}
	return a.team.shared.Silences().Active(at)
}

// health is how each receiver does, of all records that are told from.
func (a *Agent) health() []outbox.Health {
	all := a.outbox.Health()
	if a.team != nil {
		all = append(all, a.team.outbox.Health()...)
	}
	return all
}
