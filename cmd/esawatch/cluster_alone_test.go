package main

import (
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
)

// squadOfThree is an agent in each location.
func squadOfThree(t *testing.T) *squad {
	t.Helper()
	s := newSquad(t, 3)
	for name := range regions {
		s.add(name, clusterSites, botReceiver)
	}
	s.untilTogether()
	return s
}

// at is the only agent of a place.
func (s *squad) at(name string) *agentAt {
	s.t.Helper()
	for _, a := range s.agents {
		if a.place.name == name {
			return a
		}
	}
	s.t.Fatalf("nobody is in %s", name)
	return nil
}

// TestCutOffAlertsAlone: an agent that cannot ask the others tells after a while
// what it sees, and says that it is a single view. Back again, what nobody else
// sees is over, once.
func TestCutOffAlertsAlone(t *testing.T) {
	s := squadOfThree(t)
	fra := s.at("fra")
	cut := time.Now()
	fra.place.cut()
	fra.untilMetric("esawatch_cluster_connected", 0)
	t.Logf("%v until it was noticed", time.Since(cut).Round(time.Millisecond))
	fra.place.edge.Set(edgetest.Status(521))
	s.until("it is told alone", patience, func() bool { return len(s.open("shop")) == 1 })
	if told := s.open("shop")[0]; told.PostedAt.Sub(cut) < aloneAfter {
		t.Errorf("told %v after the cut, want it to wait for %v", told.PostedAt.Sub(cut), aloneAfter)
	} else {
		shows(t, told, "521", "single view", "fra is cut off from the other agents")
	}
	fra.untilMetric("esawatch_cluster_alone", 1)
	s.until("the other site is told too", patience, func() bool { return len(s.open("blog")) == 1 })

	fra.place.heal()
	s.untilTogether()
	s.until("what nobody else sees is over", patience, func() bool { return len(s.open("shop"))+len(s.open("blog")) == 0 })
	fra.place.edge.Reset()
	fra.untilAsked(fra.place.edge, 9)
	s.toldOnce(2)
}

// TestWithoutNATS: with all of NATS away every location tells what it sees. When
// it is back, one of the stories goes on and the others end in it.
func TestWithoutNATS(t *testing.T) {
	s := squadOfThree(t)
	for i := range 3 {
		s.nats.Kill(i)
	}
	for _, a := range s.agents {
		a.untilMetric("esawatch_cluster_connected", 0)
	}
	for _, p := range s.places {
		p.edge.SetPath("/blog", edgetest.Status(525))
	}
	s.until("each tells it alone", patience, func() bool { return len(s.open("blog")) == 3 })
	for i := range 3 {
		s.nats.Restart(i)
	}
	s.untilTogether()
	s.until("one story is left", patience, func() bool { return len(s.open("blog")) == 1 })
	s.at("fra").untilAsked(s.places["fra"].edge, 12)
	if open := s.open("blog"); len(open) != 1 || len(s.slack.Tops()) != 3 {
		t.Fatalf("%d open, %d messages, want one of three to go on", len(open), len(s.slack.Tops()))
	}
	on, _ := mark(t, s.open("blog")[0])
	s.until("the others say in which they go on", patience, func() bool {
		merged := 0
		for _, top := range s.slack.Tops() {
			for _, reply := range s.slack.Replies(top.TS) {
				if strings.Contains(reply.Rendered(), "it goes on as incident "+on) {
					merged++
				}
			}
		}
		return merged == 2
	})
	for _, p := range s.places {
		p.edge.Reset()
	}
	s.until("it is over", patience, func() bool { return len(s.open("blog")) == 0 })
	s.toldOnce(3)
}

// TestKnownIsNotToldAlone: what was told together is no news to one that is cut
// off in the middle of it, and its end is told once.
func TestKnownIsNotToldAlone(t *testing.T) {
	s := squadOfThree(t)
	for _, p := range s.places {
		p.edge.SetPath("/blog", edgetest.Status(522))
	}
	s.until("it is told", patience, func() bool { return len(s.open("blog")) == 1 })
	fra := s.at("fra")
	fra.place.cut()
	fra.untilMetric("esawatch_cluster_alone", 1)
	fra.untilAsked(fra.place.edge, 12)
	if tops := s.slack.Tops(); len(tops) != 1 {
		t.Errorf("%d messages, want the one that all had told", len(tops))
	}
	for _, p := range s.places {
		p.edge.Reset()
	}
	s.until("the others tell its end", patience, func() bool { return len(s.open("blog")) == 0 })
	fra.place.heal()
	s.untilTogether()
	fra.untilAsked(fra.place.edge, 9)
	s.toldOnce(1)
}
