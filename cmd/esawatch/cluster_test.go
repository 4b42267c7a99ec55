package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// The settings of agents that judge together, on top of baseConfig.
const (
	aloneAfter = 2 * time.Second

	clusterConfig = `
cluster:
  urls: [%s]
  bucket: esawatch
  replicas: 3
  region: %s
  stale_after: 3
  alone_after: 2s
`
	clusterSites = `
sites:
  - {name: shop, url: "${EDGE}", checks: [{name: home, path: /shop}, {name: login, path: /login}]}
  - {name: blog, url: "${EDGE}", checks: [{name: home, path: /blog}]}
`
)

// regions are where the locations of a squad lie.
var regions = map[string]string{"fra": "eu", "lon": "eu", "sin": "asia"}

// squad is agents in three locations that share a NATS cluster and a Slack.
type squad struct {
	t      *testing.T
	nats   *natstest.Cluster
	slack  *notifytest.Slack
	places map[string]*place
	agents []*agentAt
}

// place is a location: its own road to ESA, and to NATS.
type place struct {
	name  string
	edge  *edgetest.Edge
	wires []*wire // one to each node of NATS
}

// agentAt is one agent: a home, and the daemon that runs there.
type agentAt struct {
	*home
	*daemon
	place *place
}

// newSquad makes the places, with so many nodes of NATS, and no agent yet.
func newSquad(t *testing.T, nodes int) *squad {
	t.Helper()
	s := &squad{t: t, nats: natstest.Start(t, nodes), slack: notifytest.StartSlack(t), places: map[string]*place{}}
	for name := range regions {
		p := &place{name: name, edge: newEdge(t, edgetest.Options{ReadTimeout: time.Minute, POP: name + "7"})}
		for i := range nodes {
			p.wires = append(p.wires, newWire(t, s.nats.URL(i)))
		}
		s.places[name] = p
	}
	return s
}

// add starts an agent at a place, with more configuration.
func (s *squad) add(name string, parts ...string) *agentAt {
	s.t.Helper()
	p := s.places[name]
	h := &home{t: s.t, dir: s.t.TempDir(), edge: p.edge, slack: s.slack}
	h.write("slack-token", notifytest.SlackToken+"\n")
	h.write("00.yaml", strings.Replace(baseConfig, "location: test", "location: "+name, 1))
	h.write("01.yaml", fmt.Sprintf(clusterConfig, p.urls(), regions[name]))
	for i, part := range parts {
		h.write(fmt.Sprintf("1%d.yaml", i), part)
	}
	s.t.Cleanup(h.holdsNoSecret)
	a := &agentAt{home: h, place: p}
	s.agents = append(s.agents, a)
	a.daemon = h.start()
	return a
}

// urls are where the agents of the place find NATS, as the configuration has them.
func (p *place) urls() string {
	var urls []string
	for _, w := range p.wires {
		urls = append(urls, "nats://"+w.addr)
	}
	return strings.Join(urls, ", ")
}

// cut cuts the place off from NATS, in a way that is seen at once.
func (p *place) cut() { p.set(wireCut) }

// stall cuts it off without a word: what is sent is lost on the way, as when a
// cable is pulled.
func (p *place) stall() { p.set(wireStalled) }

// heal joins it again.
func (p *place) heal() { p.set(wireWhole) }

func (p *place) set(s wireState) {
	for _, w := range p.wires {
		w.set(s)
	}
}

// untilTogether waits until all agents that run judge together, and know of each other.
func (s *squad) untilTogether() {
	s.t.Helper()
	count := map[string]int{}
	for _, a := range s.agents {
		if a.runs() {
			count[a.place.name]++
		}
	}
	for _, a := range s.agents {
		if !a.runs() {
			continue
		}
		a.untilEvery(50*time.Millisecond, "it is together with the others", func() bool {
			text := a.metrics()
			if v, _ := valueOf(s.t, text, "esawatch_cluster_connected"); v != 1 {
				return false
			}
			for name, n := range count {
				if v, _ := valueOf(s.t, text, fmt.Sprintf("esawatch_cluster_members{location=%q}", name)); int(v) != n {
					return false
				}
			}
			return true
		})
	}
}

// runs tells whether the daemon has not ended.
func (d *daemon) runs() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// open are the incidents that Slack shows as going on, by site.
func (s *squad) open(site string) []notifytest.SlackMessage {
	var open []notifytest.SlackMessage
	for _, top := range s.slack.Tops() {
		if strings.Contains(top.Text, site) && !ended(top) {
			open = append(open, top)
		}
	}
	return open
}

// ended tells whether a message says that its incident is over, or goes on as
// another.
func ended(m notifytest.SlackMessage) bool {
	return isOver(m) || strings.Contains(m.Rendered(), "⚪ TAKEN OVER")
}

// until waits for what has to come.
func (s *squad) until(what string, limit time.Duration, come func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(limit); !come(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestQuorumDecides: what one location sees is noted and not told, what two see
// is told once, whatever how many agents there are, and resolved once.
func TestQuorumDecides(t *testing.T) {
	s := newSquad(t, 3)
	var fra *agentAt
	for _, name := range []string{"fra", "fra", "lon", "lon", "sin"} {
		fra = s.add(name, clusterSites, botReceiver)
	}
	s.untilTogether()

	s.places["fra"].edge.Set(edgetest.Status(522))
	failing := 0.0
	s.until("fra's view is in the metrics", patience, func() bool {
		failing = 0
		for _, a := range s.agents {
			v, _ := a.metric(`esawatch_check_locations{check="home",location="` + a.place.name + `",site="blog",view="failing"}`)
			failing = max(failing, v)
		}
		return failing == 1
	})
	fra.untilAsked(s.places["fra"].edge, 12) // four more rounds of the three checks
	if tops := s.slack.Tops(); len(tops) > 0 {
		t.Fatalf("seen from one of three, it was told:\n%s", tops[0].Rendered())
	}

	began := time.Now()
	s.places["lon"].edge.Set(edgetest.Status(522))
	s.until("both sites are told", patience, func() bool { return len(s.open("shop")) == 1 && len(s.open("blog")) == 1 })
	t.Logf("from the failure at a second location to the message: %v, with a group_wait of %v", time.Since(began).Round(time.Millisecond), groupWait)
	shows(t, s.open("blog")[0], "522", "seen from", "fra (POP fra7), lon (POP lon7), 2 of 3 locations", "all of region eu and nowhere else")
	s.places["sin"].edge.Set(edgetest.Status(522))
	s.until("the third is told too", patience, func() bool {
		return strings.Contains(s.open("blog")[0].Rendered(), "3 of 3 locations") && strings.Contains(s.open("blog")[0].Rendered(), "everywhere")
	})
	for _, p := range s.places {
		p.edge.Reset()
	}
	s.until("both are over", patience, func() bool { return len(s.open("shop")) == 0 && len(s.open("blog")) == 0 })
	s.toldOnce(2)
}

// toldOnce tests that Slack has so many incidents, each with one message and one
// end, once nobody is owed anything any more; any number if n is negative.
func (s *squad) toldOnce(n int) {
	s.t.Helper()
	for i, a := range s.agents {
		for deadline := time.Now().Add(2 * patience); ; time.Sleep(100 * time.Millisecond) {
			owed, ok := a.metric(queue)
			if ok && owed == 0 {
				break
			}
			if time.Now().After(deadline) {
				_, _, known := a.page("GET", "/api/v1/incidents", nil)
				s.t.Fatalf("agent %d (daemon %d, %s) still owes %v; it knows of %s", i, a.cmd.Process.Pid, a.place.name, owed, known)
			}
		}
	}
	tops := s.slack.Tops()
	s.until("every end is in its thread", patience, func() bool {
		return !slices.ContainsFunc(tops, func(top notifytest.SlackMessage) bool { return s.ends(top) == 0 })
	})
	seen := map[string]bool{}
	for _, top := range tops {
		id, _ := mark(s.t, top)
		if seen[id] {
			s.t.Errorf("incident %s has two messages", id)
		}
		seen[id] = true
		if ends := s.ends(top); !ended(top) || ends != 1 {
			s.t.Errorf("incident %s: over %t, told to be over %d times", id, ended(top), ends)
		}
	}
	if n >= 0 && len(seen) != n {
		s.t.Errorf("%d incidents were told, want %d", len(seen), n)
	}
}

// ends counts how often it is told that the incident of a message is over: in its
// thread, unless it was over already when it was first told.
func (s *squad) ends(top notifytest.SlackMessage) int {
	n := 0
	if first := slices.Concat(top.Edits, []notifytest.SlackMessage{top})[0]; ended(first) {
		n++
	}
	for _, reply := range s.slack.Replies(top.TS) {
		if ended(reply) {
			n++
		}
	}
	return n
}
