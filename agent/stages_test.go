package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStagesStopInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		slow := func(name string) stage {
			return stage{name, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
				return ctx.Err()
			}}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		if err := runStages(ctx, 10*time.Second, []stage{slow("schedule"), slow("incident"), slow("outbox")}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"schedule", "incident", "outbox"}; !slices.Equal(order, want) {
			t.Errorf("stopped in the order %v, want %v", order, want)
		}
	})
}

func TestStageThatFailsStopsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		stopped := false
		err := runStages(t.Context(), time.Second, []stage{
			{"web", func(context.Context) error { return boom }},
			{"outbox", func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil }},
		})
		if !errors.Is(err, boom) || !strings.HasPrefix(err.Error(), "web: ") {
			t.Errorf("got error %v, want web: boom", err)
		}
		if !stopped {
			t.Error("the other stage was not stopped")
		}
	})
}

func TestStageThatDoesNotStopIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := runStages(ctx, 3*time.Second, []stage{
			{"schedule", func(ctx context.Context) error { <-release; return nil }},
			{"outbox", func(ctx context.Context) error { <-ctx.Done(); return nil }},
		})
		if err == nil || !strings.Contains(err.Error(), "schedule: still running after the 3s") {
			t.Errorf("got error %v, want one that names schedule", err)
		}
		close(release)
	})
}
