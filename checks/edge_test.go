package checks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
)

// TestWhatAnEdgeDoesHasItsCondition goes the whole way from what the edge sends
// to what the result is called.
func TestWhatAnEdgeDoesHasItsCondition(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{ConnectTimeout: 50 * time.Millisecond, ReadTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	tests := []struct {
		edge   edgetest.Behaviour
		origin edgetest.OriginState
		want   catalog.Condition
	}{
		{edge: edgetest.Healthy()},
		{origin: edgetest.OriginStopped(), want: "521"},
		{origin: edgetest.OriginCrashing(), want: "520"},
		{origin: edgetest.OriginHanging(), want: "524"},
		{origin: edgetest.OriginFailing(503), want: "503"},
		{edge: edgetest.ConnectTimeout(), want: "522"},
		{edge: edgetest.ProxyStatusTLS(), want: "525"},
		{edge: edgetest.FunctionError(594), want: "594"},
		{edge: edgetest.Blocked(), want: "403"},
		{edge: edgetest.RateLimited(), want: "403"},
		{edge: edgetest.Challenge(403), want: "403"},
		{edge: edgetest.Challenge(200), want: catalog.Challenge},
		{edge: edgetest.JSChallenge(), want: catalog.Challenge},
		{edge: edgetest.WaitingRoom(200), want: catalog.WaitingRoom},
		{edge: edgetest.WaitingRoom(202), want: catalog.WaitingRoom},
		{edge: edgetest.WaitingRoom(429), want: "429"},
		{edge: edgetest.CachedError(404, time.Hour), want: "404"},
		{edge: edgetest.OriginStatus(500), want: "500"},
		{edge: edgetest.StaleCopy(), want: catalog.Stale},
	}
	for _, test := range tests {
		t.Run(test.edge.String()+", origin "+test.origin.String(), func(t *testing.T) {
			edge.Set(test.edge)
			if err := edge.Origin().Set(test.origin); err != nil {
				t.Fatal(err)
			}
			r := run(t, edge.URL()+"/")
			if r.Condition() != test.want {
				t.Errorf("condition = %q, want %q; %+v", r.Condition(), test.want, r.Diagnosis)
			}
			if r.Edge.ViaESA != "yes" || r.Edge.POP != edge.POP() || r.Edge.NodeIP != edge.NodeIP().String() {
				t.Errorf("edge = %+v, want ESA's node %s at %s", r.Edge, edge.NodeIP(), edge.POP())
			}
		})
	}
}

func TestWithoutESA(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	edge.Set(edgetest.NotESA())
	if r := run(t, edge.URL()+"/"); r.Edge.ViaESA != "no" || r.Condition() != "" {
		t.Errorf("via_esa = %q, condition %q; want no, none", r.Edge.ViaESA, r.Condition())
	}
}

// TestEveryStatusHasItsDiagnosis asks for each status that there is.
func TestEveryStatusHasItsDiagnosis(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	for code := 400; code <= 599; code++ {
		r := run(t, fmt.Sprintf("%s/status/%d", edge.URL(), code))
		if want := catalog.FromStatus(code); r.Condition() != want {
			t.Errorf("condition = %q, want %q", r.Condition(), want)
			continue
		}
		if d := r.Diagnosis; d.Title == "" || d.Summary == "" || d.Fault == "" || len(d.Steps) == 0 {
			t.Errorf("the diagnosis of %d is not whole: %+v", code, d)
		}
	}
}
