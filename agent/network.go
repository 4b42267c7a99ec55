package agent

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

const (
	// canaryEvery is how often the canaries are asked of its own accord, and
	// canaryOffline how often while none of them answers.
	canaryEvery   = 10 * time.Second
	canaryOffline = 5 * time.Second
	// canaryTimeout bounds one question to a canary.
	canaryTimeout = 3 * time.Second
	// afterPause is for how long after the machine stood still a check that gets
	// no answer is not believed, where no canary could tell why.
	afterPause = 30 * time.Second

	networkCheck = "network"
)

// networkSite is the pseudo-site of an agent's own troubles. No site of the
// configuration can have the name, and no other agent's.
func networkSite(location string) string { return "agent@" + location }

// network watches this machine's own network, and decides whether a check that
// failed says anything of its site.
//
// The canaries are addresses that fail only with that network. While none of
// them answers the agent is offline: no failure counts then, and one incident of
// the agent's own is raised. A check that got no answer is not believed either
// before a canary has answered a question that was asked after that; so a check
// which fails a moment before anybody noticed raises nothing.
type network struct {
	log      *slog.Logger
	location string
	observe  func(ctx context.Context, r checks.Result) // takes in what the canaries show
	stands   func(offline bool)                         // is told how the network stands, whether that is new or not
	pauses   pauses
	wake     chan struct{} // holds one when next was made
	stopped  chan struct{} // closed when Run has returned

	telling sync.Mutex // held while stands is called; taken before mu

	mu       sync.Mutex
	canaries []canary
	words    *catalog.Catalog
	next     *round // asked for, not begun
	offline  bool
}

// canary is an address that answers as long as there is a network.
type canary struct {
	name   string // for people: scheme and host
	prober checks.Prober
}

// round is one question to all canaries.
type round struct {
	done   chan struct{} // closed when online is known
	online bool
}

func newNetwork(location string, log *slog.Logger, reg prometheus.Registerer,
	observe func(ctx context.Context, r checks.Result), stands func(offline bool)) *network {
	n := &network{
		log: log.With("component", "network"), location: location, observe: observe, stands: stands,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "esawatch_agent_online",
		Help: "Whether any canary answers, or there is none: 0 while this machine has no network.",
	}, func() float64 {
		if n.isOffline() {
			return 0
		}
		return 1
	}))
	return n
}

// set replaces the canaries. With none left the agent counts as online.
func (n *network) set(canaries []canary, words *catalog.Catalog) {
	n.mu.Lock()
	n.canaries, n.words = canaries, words
	if len(canaries) == 0 {
		n.offline = false
	}
	n.mu.Unlock()
	n.tell()
}

// tell says how the network stands. A reload and a round that ends may come at
// once: whoever is last says what holds then.
func (n *network) tell() {
	n.telling.Lock()
	defer n.telling.Unlock()
	n.stands(n.isOffline())
}

func (n *network) isOffline() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.offline
}

// Run asks the canaries until ctx is done. It returns nil.
func (n *network) Run(ctx context.Context) error {
	defer close(n.stopped)
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	var due time.Time
	for {
		n.ask(ctx, &due)
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-beat.C:
			if n.pauses.look(time.Now()) {
				n.log.Warn("the machine stood still, or its clock was set")
				due = time.Time{}
			}
		}
	}
}

// ask makes a round if somebody waits for one or one is due.
func (n *network) ask(ctx context.Context, due *time.Time) {
	n.mu.Lock()
	r, canaries, words, was := n.next, n.canaries, n.words, n.offline
	n.next = nil
	n.mu.Unlock()
	now := time.Now()
	regular := len(canaries) > 0 && !now.Before(*due)
	if r == nil && !regular {
		return
	}
	if r == nil {
		r = &round{}
	} else {
		defer close(r.done)
	}
	findings, online := askAll(ctx, canaries)
	if ctx.Err() != nil {
		r.online = !was
		return // cut off by our own end
	}
	r.online = online
	n.mu.Lock()
	n.offline = !online && len(n.canaries) > 0
	offline := n.offline
	n.mu.Unlock()
	n.tell()
	if next := now.Add(canaryOffline); regular || offline && next.Before(*due) {
		*due = now.Add(canaryEvery)
		if offline {
			*due = next
		}
	}
	if offline != was {
		n.log.Info("the network of this machine", "state", map[bool]string{true: "offline", false: "online"}[offline], "err", strings.Join(findings, ", "))
	}
	if regular { // those that were asked for may come in any number at once
		n.observe(ctx, n.result(now, findings, offline, words))
	}
}

// askAll asks all canaries at once, and is through with the first that answers.
// It returns what was found at the others.
func askAll(ctx context.Context, canaries []canary) (findings []string, online bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan string, len(canaries))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, c := range canaries {
		wg.Go(func() {
			resp := c.prober.Do(ctx)
			if alive(resp) {
				answers <- ""
				return
			}
			answers <- c.name + ": " + string(resp.Condition) + ", " + resp.Detail
		})
	}
	for range canaries {
		finding := <-answers
		if finding == "" {
			return nil, true
		}
		findings = append(findings, finding)
	}
	slices.Sort(findings)
	return findings, len(canaries) == 0
}

// alive tells whether an answer shows that there is a network. What asks for a
// login first is none (511).
func alive(r *probe.Response) bool { return r.StatusCode != 0 && r.StatusCode != 511 }

// result is what the canaries have shown, as a run of a check of the agent.
func (n *network) result(at time.Time, findings []string, offline bool, words *catalog.Catalog) checks.Result {
	r := checks.Result{
		Site: networkSite(n.location), Check: networkCheck, Location: n.location,
		StartedAt: at.UTC().Truncate(time.Millisecond), DurationSeconds: time.Since(at).Seconds(),
		Outcome: checks.Pass, Success: true,
	}
	if !offline {
		return r
	}
	r.Outcome, r.Success = checks.Fail, false
	if words == nil {
		words = catalog.Default()
	}
	d, _ := words.Explain(catalog.Query{Edge: catalog.Leg{Condition: catalog.AgentOffline}})
	d.Evidence = findings
	r.Diagnosis = &d
	return r
}

// believes tells whether a result says something of its site. began is when its
// run did. It may ask the canaries, which takes a moment.
func (n *network) believes(ctx context.Context, r checks.Result, began time.Time) bool {
	if r.Outcome == checks.Pass {
		return true
	}
	now := time.Now()
	n.pauses.look(now)
	if n.pauses.within(began) {
		return false
	}
	n.mu.Lock()
	blind := len(n.canaries) == 0
	n.mu.Unlock()
	switch {
	case !unanswered(r.Condition()):
		return !n.isOffline()
	case blind:
		return !n.pauses.within(now.Add(-afterPause))
	}
	return n.online(ctx)
}

// online asks the canaries, by a question that begins after the call. Without
// time to wait, or an answer, what was last known counts.
func (n *network) online(ctx context.Context) bool {
	n.mu.Lock()
	if n.next == nil {
		n.next = &round{done: make(chan struct{})}
	}
	r := n.next
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
	select {
	case <-r.done:
		return r.online
	case <-ctx.Done():
	case <-n.stopped:
	}
	return !n.isOffline()
}

// unanswered tells whether a condition is one that a broken network of our own
// would show as well.
func unanswered(c catalog.Condition) bool {
	switch c {
	case catalog.DNSFailure, catalog.ConnectRefused, catalog.ConnectTimeout, catalog.ConnectUnreachable,
		catalog.TLSHandshake, catalog.TLSWrongHost, catalog.TLSUntrusted,
		catalog.Timeout, catalog.ConnectionReset, catalog.ProtocolError:
		return true
	}
	return false
}
