package agent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// stage is one room of the pipeline: run blocks until its ctx is done and all
// that it started has ended.
type stage struct {
	name string
	run  func(ctx context.Context) error
}

// runStages runs all stages at once. When ctx is done, or when one of them
// ends, they are stopped one after another in the order given, which is that of
// the data, so that what one has finished the next still takes. All of it
// happens within grace; a stage that is not through by then is named in the
// error and left behind.
func runStages(ctx context.Context, grace time.Duration, stages []stage) error {
	type ended struct {
		index int
		err   error
	}
	base := context.WithoutCancel(ctx)
	done := make(chan ended, len(stages))
	cancels := make([]context.CancelFunc, len(stages))
	for i, s := range stages {
		var stageCtx context.Context
		stageCtx, cancels[i] = context.WithCancel(base)
		defer cancels[i]()
		go func() { done <- ended{i, s.run(stageCtx)} }()
	}

	over := make([]bool, len(stages))
	var errs []error
	note := func(e ended) {
		over[e.index] = true
		if e.err != nil && !errors.Is(e.err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", stages[e.index].name, e.err))
		}
	}
	select {
	case <-ctx.Done():
	case e := <-done:
		note(e)
		if e.err == nil {
			errs = append(errs, fmt.Errorf("%s: ended before it was told to", stages[e.index].name))
		}
	}

	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	for i := range stages {
		cancels[i]()
		for !over[i] {
			select {
			case e := <-done:
				note(e)
			case <-deadline.C:
				for j := i; j < len(stages); j++ {
					cancels[j]()
				}
				return errors.Join(append(errs, fmt.Errorf("%s: still running after the %v of agent.shutdown_timeout", stages[i].name, grace))...)
			}
		}
	}
	return errors.Join(errs...)
}
