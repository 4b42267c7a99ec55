package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// defaultRounds is how many rounds of faults there are unless
// ESAWATCH_CLUSTER_ROUNDS says so. ESAWATCH_CLUSTER_SEED repeats a run's choices,
// though not the machine's timing.
const defaultRounds = 6

// What is different for agents whose NATS loses a node now and then: a new leader
// takes seconds, and that is no reason to alert alone. Sites that break all the
// time are not told as flapping.
const patientConfig = "cluster: {alone_after: 8s}\nlog: {level: info}\nalerting: {storm: {incidents: 0}, flapping: {changes: 0}}\n"

// fault is what goes wrong in a round, beside the outage.
type fault int

const (
	nothing fault = iota
	agentKilled
	nodeKilled
	placeCut
	placeStalled
	faults // how many there are
)

var faultNames = [faults]string{"nothing", "agent killed", "NATS node killed", "location cut off", "location unheard"}

// apart tells whether the fault is that a location cannot reach NATS.
func (f fault) apart() bool { return f == placeCut || f == placeStalled }

// round is one outage and one fault.
type round struct {
	site    string
	failing []string // locations that see the outage
	fault   fault
	agent   int           // that is killed
	node    int           // that is killed
	cut     string        // the location that is cut off
	after   time.Duration // from the outage to the fault; negative: before it
	lasts   time.Duration // from when it was told to the end of both
}

func newRound(rng *rand.Rand, agents int) round {
	names := []string{"fra", "lon", "sin"}
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	r := round{
		site: []string{"shop", "blog"}[rng.IntN(2)], failing: names[:1+rng.IntN(3)], fault: fault(rng.IntN(int(faults))),
		agent: rng.IntN(agents), node: rng.IntN(3), cut: []string{"fra", "lon", "sin"}[rng.IntN(3)],
		after: time.Duration(rng.IntN(3500)-1000) * time.Millisecond, lasts: time.Duration(rng.IntN(2500)) * time.Millisecond,
	}
	if r.fault.apart() && rng.IntN(3) == 0 {
		r.lasts += 9 * time.Second // long enough to alert alone
	}
	return r
}

func (r *round) String() string {
	what := faultNames[r.fault]
	switch r.fault {
	case agentKilled:
		what += fmt.Sprintf(" (%d)", r.agent)
	case nodeKilled:
		what += fmt.Sprintf(" (%d)", r.node)
	case placeCut, placeStalled:
		what += " (" + r.cut + ")"
	}
	return fmt.Sprintf("%s fails from %s, %s %v later, for %v", r.site, strings.Join(r.failing, "+"), what, r.after, r.lasts)
}

// squadToll is what the rounds have come to.
type squadToll struct {
	rounds   [faults]int
	told     int             // incidents at Slack
	single   int             // told by one that was cut off
	untold   int             // rounds whose outage was one location's, and rightly not told
	latency  []time.Duration // from the failure at a second location to the message
	stranded int             // rounds in which too few locations were left to agree
}

// TestRandomFaults breaks sites, agents, NATS and the way to it at random. Every
// outage that enough locations see is told once and resolved once; what one
// location sees is not told.
func TestRandomFaults(t *testing.T) {
	rounds := fromEnv(t, "ESAWATCH_CLUSTER_ROUNDS", defaultRounds)
	seed := fromEnv(t, "ESAWATCH_CLUSTER_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("ESAWATCH_CLUSTER_ROUNDS=%d ESAWATCH_CLUSTER_SEED=%d", rounds, seed)
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	s := newSquad(t, 3)
	for _, name := range []string{"fra", "fra", "lon", "lon", "sin"} {
		s.add(name, patientConfig, clusterSites, botReceiver)
	}
	s.untilTogether()
	var sum squadToll
	for i := range rounds {
		r := newRound(rng, len(s.agents))
		if i < int(faults) {
			r.fault = fault(i) // each at least once
		}
		t.Logf("round %d: %s", i, &r)
		s.play(&r, &sum)
		if t.Failed() {
			t.FailNow()
		}
	}
	s.toldOnce(-1)
	for _, top := range s.slack.Tops() {
		if sum.told++; isSingleView(top) || slices.ContainsFunc(top.Edits, isSingleView) {
			sum.single++
		}
	}
	var counts []string
	for f, n := range sum.rounds {
		counts = append(counts, fmt.Sprintf("%d %s", n, faultNames[f]))
	}
	slices.Sort(sum.latency)
	middle, last := time.Duration(0), time.Duration(0)
	if n := len(sum.latency); n > 0 {
		middle, last = sum.latency[n/2], sum.latency[n-1]
	}
	t.Logf("%d rounds (%s): %d incidents told, each once and resolved once, %d of them by an agent that was cut off; %d outages of one location not told; %d with too few left to agree; to the message p50 %v, longest %v",
		rounds, strings.Join(counts, ", "), sum.told, sum.single, sum.untold, sum.stranded, middle.Round(10*time.Millisecond), last.Round(10*time.Millisecond))
}

func isSingleView(m notifytest.SlackMessage) bool {
	return strings.Contains(m.Rendered(), "single view")
}

// play plays a round and mends all at its end.
func (s *squad) play(r *round, sum *squadToll) {
	s.t.Helper()
	sum.rounds[r.fault]++
	before := len(s.slack.Tops())
	if r.after < 0 {
		s.strike(r)
		time.Sleep(-r.after)
	}
	began := time.Now()
	for _, name := range r.failing {
		s.places[name].edge.SetPath("/"+r.site, edgetest.Status(522))
	}
	if r.after >= 0 {
		time.Sleep(r.after)
		s.strike(r)
	}
	alone := 0 // may tell it as a single view
	if r.fault.apart() && slices.Contains(r.failing, r.cut) {
		alone = s.living(r.cut)
	}
	switch together := s.agreeing(r); {
	case together >= 2:
		s.until(fmt.Sprintf("it is told: %s", r), 2*patience, func() bool { return len(s.slack.Tops()) > before })
		sum.latency = append(sum.latency, s.slack.Tops()[before].PostedAt.Sub(began))
	case len(r.failing) == 1:
		time.Sleep(4 * period)
		if alone == 0 {
			if tops := s.slack.Tops(); len(tops) > before {
				s.t.Errorf("%s: one location saw it, and it was told:\n%s", r, tops[before].Rendered())
			}
			sum.untold++
		}
	default:
		time.Sleep(4 * period)
		sum.stranded++
	}
	time.Sleep(r.lasts)
	s.mend(r)
	// What one location saw opened nothing; while it is remembered, another that
	// fails in the next round would be the second.
	s.until("it is over", 3*patience, func() bool { return len(s.open("shop"))+len(s.open("blog")) == 0 && !s.failing() })
	if got, most := len(s.slack.Tops())-before, 1+alone; got > most {
		s.t.Errorf("%s: %d messages, want at most %d", r, got, most)
		for _, top := range s.slack.Tops()[before:] {
			id, _ := mark(s.t, top)
			s.t.Logf("%s at %s:\n%s", id, top.PostedAt.UTC().Format(time.StampMilli), top.Rendered())
		}
	}
}

// failing tells whether any location is known to see a check fail.
func (s *squad) failing() bool {
	for _, a := range s.agents {
		for line := range strings.Lines(a.metrics()) {
			if strings.HasPrefix(line, "esawatch_check_locations{") && strings.Contains(line, `view="failing"`) && !strings.HasSuffix(line, " 0\n") {
				return true
			}
		}
	}
	return false
}

// agreeing is how many of the failing locations can tell the others.
func (s *squad) agreeing(r *round) int {
	n := 0
	for _, name := range r.failing {
		if s.living(name) > 0 && !(r.fault.apart() && name == r.cut) {
			n++
		}
	}
	return n
}

// living is how many agents of a place run.
func (s *squad) living(name string) int {
	n := 0
	for _, a := range s.agents {
		if a.place.name == name && a.runs() {
			n++
		}
	}
	return n
}

// strike does what the round wants to go wrong.
func (s *squad) strike(r *round) {
	switch r.fault {
	case agentKilled:
		s.agents[r.agent].kill()
	case nodeKilled:
		s.nats.Kill(r.node)
	case placeCut:
		s.places[r.cut].cut()
	case placeStalled:
		s.places[r.cut].stall()
	}
}

// mend ends the outage and the fault.
func (s *squad) mend(r *round) {
	s.t.Helper()
	for _, p := range s.places {
		p.edge.Reset()
	}
	switch r.fault {
	case agentKilled:
		a := s.agents[r.agent]
		a.daemon = a.home.start()
	case nodeKilled:
		s.nats.Restart(r.node)
	case placeCut, placeStalled:
		s.places[r.cut].heal()
	}
	s.untilTogether()
}
