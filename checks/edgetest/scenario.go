package edgetest

import (
	"context"
	"fmt"
	"time"
)

// Step is one scene: what the edge and the origin do, and for how long.
type Step struct {
	Name   string // for people: "the origin refuses connections"
	For    time.Duration
	Edge   Behaviour
	Origin OriginState
}

// Scenario is a list of scenes, played in turn.
type Scenario []Step

// Tour breaks a site in four ways, each for the time broken, and lets it
// recover for the time well before, between and after them.
func Tour(well, broken time.Duration) Scenario {
	return Scenario{
		{Name: "all is well", For: well},
		{Name: "the origin stops: ESA answers 521", For: broken, Origin: OriginStopped()},
		{Name: "the origin is back", For: well},
		{Name: "a firewall rule challenges visitors: 403 with a slider page", For: broken, Edge: Challenge(403)},
		{Name: "the rule is gone", For: well},
		{Name: "the origin is slow: each answer takes 1.5 s", For: broken, Origin: OriginSlow(1500 * time.Millisecond)},
		{Name: "the origin is quick again", For: well},
		{Name: "an edge function throws: 594", For: broken, Edge: FunctionError(594)},
		{Name: "the function is rolled back", For: well},
	}
}

// Run plays the scenes on e, from the first to the last, and returns when the
// last one's time is over; ctx ends it early. Each scene is handed to began,
// which may be nil, once it holds. Paths with a behaviour of their own keep it,
// and the last scene stays.
func (s Scenario) Run(ctx context.Context, e *Edge, began func(Step)) error {
	for _, step := range s {
		if err := e.origin.Set(step.Origin); err != nil {
			return fmt.Errorf("play step %q: %w", step.Name, err)
		}
		e.Set(step.Edge)
		if began != nil {
			began(step)
		}
		select {
		case <-time.After(step.For):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
