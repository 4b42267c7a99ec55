package agent

import (
	"errors"
	"time"
)

// Status is what the agent is at, in numbers.
type Status struct {
	Sites     int // configured
	Checks    int // enabled
	Incidents int // open
	// Stale is true when the last attempt to load the configuration failed, so
	// that an older one is in force.
	Stale bool
}

// Status tells what the agent is at now.
func (a *Agent) Status() Status {
	a.reloading.Lock()
	s := Status{Sites: a.plan.Sites, Checks: len(a.plan.Checks), Stale: a.failure != ""}
	a.reloading.Unlock()
	for _, rec := range a.records().Records() {
		if _, open := rec.OpenIncident(); open {
			s.Incidents++
		}
	}
	return s
}

// Healthy tells whether the agent does its work: the scheduler's clock ticks.
// A new start may mend what it says.
func (a *Agent) Healthy() error {
	const patience = 15 * time.Second
	if beat := a.schedule.LastBeat(); beat.IsZero() || time.Since(beat) > patience {
		return errors.New("the scheduler has stood still for more than " + patience.String())
	}
	return nil
}

// Ready tells whether the agent can be relied on: its configuration is loaded,
// its checks are scheduled, it can remember what they find, and it can read what
// other agents remember. A reload that failed leaves it ready: the old
// configuration is in force.
func (a *Agent) Ready() error {
	err := errors.Join(a.Healthy(), a.unsaved, a.keeper.Healthy())
	if a.team != nil {
		err = errors.Join(err, a.team.shared.Healthy())
	}
	return err
}
