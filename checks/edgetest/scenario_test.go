package edgetest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
)

func TestTour(t *testing.T) {
	edge := start(t, edgetest.Options{ReadTimeout: 3 * time.Second})
	var got []int
	err := edgetest.Tour(time.Millisecond, 2*time.Millisecond).Run(t.Context(), edge, func(step edgetest.Step) {
		before := time.Now()
		code := get(t, edge, "/").StatusCode
		if took := time.Since(before); took > time.Second {
			code = -code // slow
		}
		got = append(got, code)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []int{200, 521, 200, 403, 200, -200, 200, 594, 200}
	if len(got) != len(want) {
		t.Fatalf("steps gave %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("steps gave %v, want %v", got, want)
			break
		}
	}
}

func TestScenarioEndsEarly(t *testing.T) {
	edge := start(t, edgetest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := 0
	scenario := edgetest.Scenario{
		{Name: "one", For: time.Hour, Edge: edgetest.Status(521)},
		{Name: "two", For: time.Hour},
	}
	err := scenario.Run(ctx, edge, func(edgetest.Step) { steps++; cancel() })
	if !errors.Is(err, context.Canceled) || steps != 1 {
		t.Errorf("got %v after %d steps, want context canceled after 1", err, steps)
	}
	if got := get(t, edge, "/").StatusCode; got != 521 {
		t.Errorf("status = %d, want the last step's 521", got)
	}
}

func TestScenarioNamesTheStepThatFailed(t *testing.T) {
	edge := start(t, edgetest.Options{})
	if err := edge.Origin().Set(edgetest.OriginStopped()); err != nil {
		t.Fatal(err)
	}
	// Someone else takes the origin's port while it is stopped.
	start(t, edgetest.Options{Addr: edge.Origin().Addr(), Origin: http.NotFoundHandler()})
	err := edgetest.Scenario{{Name: "back", For: time.Hour}}.Run(t.Context(), edge, nil)
	if err == nil || !strings.HasPrefix(err.Error(), `play step "back": `) {
		t.Errorf("got %v, want the step's name", err)
	}
}
