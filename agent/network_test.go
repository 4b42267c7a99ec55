package agent

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/agent/web"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// uplink is a network that can be cut. It answers for canaries and sites.
type uplink struct {
	mu    sync.Mutex
	cut   bool
	asked int
}

func (u *uplink) set(cut bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cut = cut
}

func (u *uplink) times() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

// end is something behind the uplink that takes a moment to answer.
type end struct {
	uplink *uplink
	status int           // of the answer
	takes  time.Duration // until the answer, or until it is known that there is none
}

func (e end) Do(ctx context.Context) *probe.Response {
	begin := time.Now()
	e.uplink.mu.Lock()
	cut := e.uplink.cut
	e.uplink.asked++
	e.uplink.mu.Unlock()
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		cut = true
	}
	r := &probe.Response{StartedAt: begin, Duration: time.Since(begin), Edge: probe.Edge{ViaESA: "no"}}
	if cut {
		r.Condition, r.Detail = catalog.ConnectUnreachable, "network is unreachable"
	} else {
		r.StatusCode = e.status
	}
	return r
}

// watched is an agent with one site, as far as deciding goes.
type watched struct {
	*Agent
	site end
}

func watch(t *testing.T, site end, canaries ...end) *watched {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	a := &Agent{log: slog.New(slog.DiscardHandler), registry: reg, recent: web.NewRecent()}
	a.opts.Log = a.log
	a.stalls = newStalls(a.log)
	a.keeper = incident.NewKeeper(memstore.New(), incident.Options{})
	if err := a.keeper.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.results = checks.NewMetrics("fra-1")
	a.network = newNetwork("fra-1", a.log, reg, a.observeNetwork, a.networkStands)
	var list []canary
	for _, c := range canaries {
		list = append(list, canary{name: "https://canary.invalid", prober: c})
	}
	a.network.set(list, catalog.Default())
	err := a.keeper.SetPolicies(t.Context(), map[string]incident.Policy{
		"shop/home": {}, "agent@fra-1/network": {Failures: 2, ResolveAfter: 2},
	}, incident.Timings{GroupWait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = a.network.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return &watched{Agent: a, site: site}
}

// check runs the site's check once, as the scheduler does.
func (w *watched) check(t *testing.T) (passed bool) {
	t.Helper()
	c := &checks.Check{Site: "shop", Name: "home", Location: "fra-1", URL: "https://shop.example.com/", Method: "GET",
		Edge: w.site, Catalog: catalog.Default(), Expect: nil}
	if w.site.status >= 400 {
		c.Edge = failing{w.site}
	}
	return w.job(slog.New(slog.DiscardHandler), c, checkSpec{}).Run(t.Context(), time.Now())
}

// failing is an end whose status is no good.
type failing struct{ end }

func (f failing) Do(ctx context.Context) *probe.Response {
	r := f.end.Do(ctx)
	if r.Condition == "" {
		r.Condition = catalog.FromStatus(r.StatusCode)
	}
	return r
}

// open names the sites with an open incident.
func (w *watched) open() string {
	var sites []string
	for _, inc := range w.keeper.Open() {
		sites = append(sites, inc.Site)
	}
	return strings.Join(sites, " ")
}

func (w *watched) online(t *testing.T, want float64) {
	t.Helper()
	if got := testutil.ToFloat64(gauge{w.registry}); got != want {
		t.Errorf("esawatch_agent_online %v, want %v", got, want)
	}
}

// gauge is esawatch_agent_online of a registry.
type gauge struct{ reg *prometheus.Registry }

func (g gauge) Describe(ch chan<- *prometheus.Desc) {
	ch <- prometheus.NewDesc("x", "x", nil, nil)
}

func (g gauge) Collect(ch chan<- prometheus.Metric) {
	families, err := g.reg.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		if f.GetName() == "esawatch_agent_online" {
			ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("x", "x", nil, nil), prometheus.GaugeValue, f.GetMetric()[0].GetGauge().GetValue())
		}
	}
}

// And K#1717, K#2474: the agent's own uplink fails, and not every site alerts.
func TestGatus1708OwnUplinkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{}
		w := watch(t, end{u, 200, 100 * time.Millisecond}, end{u, 200, 50 * time.Millisecond}, end{u, 404, 80 * time.Millisecond})
		time.Sleep(30 * time.Second)
		if !w.check(t) || w.open() != "" {
			t.Fatalf("with all well: %s", w.open())
		}
		w.online(t, 1)

		u.set(true)
		for range 20 {
			if !w.check(t) {
				t.Fatal("the scheduler is asked to confirm what cannot be seen")
			}
			time.Sleep(time.Second)
		}
		if got := w.open(); got != "agent@fra-1" {
			t.Errorf("open %q, want the agent's own incident alone", got)
		}
		w.online(t, 0)
		inc := w.keeper.Open()[0]
		a := inc.Alerts[networkCheck]
		if inc.Severity != catalog.Critical || a.Result.Condition() != catalog.AgentOffline || a.Result.Diagnosis.Fault != catalog.FaultNetwork ||
			len(a.Result.Diagnosis.Evidence) != 2 || !strings.Contains(a.Result.Diagnosis.Evidence[0], "network is unreachable") {
			t.Errorf("incident %+v", a.Result.Diagnosis)
		}

		u.set(false)
		time.Sleep(30 * time.Second)
		if !w.check(t) || w.open() != "" {
			t.Errorf("back again: open %q", w.open())
		}
		w.online(t, 1)
	})
}

// What still holds when the network is back is told like anything else.
func TestWhatStillHoldsIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{}
		w := watch(t, end{u, 522, 100 * time.Millisecond}, end{u, 200, 50 * time.Millisecond})
		u.set(true)
		time.Sleep(20 * time.Second)
		w.check(t)
		if got := w.open(); got != "agent@fra-1" {
			t.Errorf("offline: open %q", got)
		}
		u.set(false)
		time.Sleep(20 * time.Second)
		if w.check(t) || w.open() != "shop" {
			t.Errorf("online again: open %q, want the site that still fails", w.open())
		}
	})
}

// The check fails a moment before anybody noticed, and its first failure fires.
func TestACheckIsTheFirstToNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{}
		w := watch(t, end{u, 200, 10 * time.Millisecond}, end{u, 200, 50 * time.Millisecond}, end{u, 200, 100 * time.Millisecond})
		time.Sleep(15 * time.Second) // between two looks
		w.online(t, 1)
		u.set(true)
		w.check(t)
		if got := w.open(); got != "" {
			t.Errorf("open %q", got)
		}
		w.online(t, 0)
		// However many ask meanwhile: a second without a network is no incident.
		for range 5 {
			w.check(t)
		}
		if got := w.open(); got != "" {
			t.Errorf("open %q after a moment", got)
		}
		u.set(false)
		time.Sleep(time.Minute)
		if got := w.open(); got != "" {
			t.Errorf("open %q after a moment's loss", got)
		}
	})
}

// A site that is down while the network is up is told, in spite of canaries,
// and however many checks ask at once.
func TestCanariesHoldNothingBackOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, gone := &uplink{}, &uplink{cut: true}
		w := watch(t, end{gone, 0, 50 * time.Millisecond}, end{gone, 0, 3 * time.Second}, end{u, 200, 50 * time.Millisecond})
		time.Sleep(15 * time.Second)
		before := u.times()
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() { w.check(t) })
		}
		begin := time.Now()
		wg.Wait()
		if got := w.open(); got != "shop" {
			t.Errorf("open %q, want the site", got)
		}
		if took, asked := time.Since(begin), u.times()-before; took > 500*time.Millisecond || asked > 3 {
			t.Errorf("500 failures took %v and asked a canary %d times, want few", took, asked)
		}
	})
}

func TestNoCanaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{cut: true}
		w := watch(t, end{u, 200, time.Second})
		time.Sleep(time.Minute)
		w.check(t)
		w.online(t, 1)
		if got := w.open(); got != "shop" {
			t.Errorf("open %q, want the site", got)
		}
	})
}

// Canaries that are taken out of the configuration while none of them answers, as
// when theirs was the host that went, leave nobody offline: not the keeper, which
// reminds again, nor the other agents, for whom this one votes again. A question
// that is under way then changes nothing.
func TestCanariesTakenOutWhileOffline(t *testing.T) {
	for name, wait := range map[string]time.Duration{"between two questions": 4 * time.Second, "during one": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, end{&uplink{}, 503, 100 * time.Millisecond}, end{&uplink{cut: true}, 0, 2 * time.Second})
				offline := false // as the keeper and the team were told last
				w.network.telling.Lock()
				w.network.stands = func(o bool) { offline = o; w.networkStands(o) }
				w.network.telling.Unlock()
				running, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() { _ = w.keeper.Run(running) }()
				time.Sleep(20*time.Second + wait)
				w.online(t, 0)
				if !offline {
					t.Error("nobody is told of being offline")
				}
				w.network.set(nil, catalog.Default())
				err := w.keeper.SetPolicies(t.Context(), map[string]incident.Policy{"shop/home": {}}, incident.Timings{RepeatInterval: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				w.online(t, 1)
				time.Sleep(time.Minute)
				w.online(t, 1)
				if w.check(t); w.open() != "shop" || offline {
					t.Errorf("open %q, offline %t, want the site alone", w.open(), offline)
				}
				time.Sleep(time.Hour + time.Minute)
				if events := w.keeper.Open()[0].Events; events[len(events)-1].Kind != incident.EventReminder {
					t.Errorf("nobody was reminded: %+v", events)
				}
			})
		})
	}
}

// While the agent is offline nothing that fails counts, not even an answer: who
// knows whose it is. And who has no time to wait goes by what is known.
func TestNoFailureCountsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, end{&uplink{}, 522, time.Millisecond}, end{&uplink{cut: true}, 0, 50 * time.Millisecond})
		time.Sleep(time.Second)
		w.check(t)
		time.Sleep(time.Minute)
		if got := w.open(); got != "agent@fra-1" {
			t.Errorf("open %q", got)
		}
		hurried, cancel := context.WithCancel(t.Context())
		cancel()
		if w.network.online(hurried) {
			t.Error("online, to one who cannot wait")
		}
	})
}

// An answer of a network that wants a login first is none of the canary's.
func TestAlive(t *testing.T) {
	for status, want := range map[int]bool{0: false, 200: true, 302: true, 404: true, 503: true, 511: false} {
		if got := alive(&probe.Response{StatusCode: status}); got != want {
			t.Errorf("%d: %t, want %t", status, got, want)
		}
	}
}

// The agent that stops does not take that for being offline, nor does it wait.
func TestNetworkStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{}
		n := newNetwork("fra-1", slog.New(slog.DiscardHandler), prometheus.NewRegistry(), func(context.Context, checks.Result) {
			t.Error("a round that was cut off counts")
		}, func(bool) {})
		n.set([]canary{{"slow", end{u, 200, time.Hour}}}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		begin := time.Now()
		if !n.online(t.Context()) || time.Since(begin) > 0 {
			t.Errorf("after the end: offline %t, after %v", n.isOffline(), time.Since(begin))
		}
	})
}

// The machine slept for an hour in the middle of a check: its time ran out
// while nothing ran. Afterwards the network may take a moment to come up.
func TestMachineSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{}
		w := watch(t, end{u, 522, 100 * time.Millisecond})
		began := time.Now()
		time.Sleep(time.Second)
		w.network.pauses.look(time.Now())
		w.network.pauses.mu.Lock()
		w.network.pauses.over = time.Now() // as look finds it when the clocks part
		w.network.pauses.mu.Unlock()
		believes := func(c catalog.Condition, began time.Time) bool {
			r := checks.Result{Outcome: checks.Fail, Diagnosis: &catalog.Diagnosis{Condition: c}}
			return w.network.believes(t.Context(), r, began)
		}
		if believes("522", began) || believes(catalog.Timeout, began) {
			t.Error("a run with a pause in it is believed")
		}
		time.Sleep(time.Second)
		if !believes("522", time.Now()) || believes(catalog.Timeout, time.Now()) {
			t.Error("soon after: want an answer to be believed, and no answer not")
		}
		time.Sleep(afterPause)
		if !believes(catalog.Timeout, time.Now()) {
			t.Error("long after: not believed")
		}
	})
}

func TestPaused(t *testing.T) {
	for _, tt := range []struct {
		what            string
		wall, monotonic time.Duration
		want            bool
	}{
		{"a beat", time.Second, time.Second, false},
		{"a round of canaries", 4 * time.Second, 4 * time.Second, false},
		{"suspended for an hour", time.Hour, time.Second, true},
		{"clock set back", -time.Hour, time.Second, true},
		{"clock slewed", 1100 * time.Millisecond, time.Second, false},
		{"the process was stopped", time.Hour, time.Hour, true},
	} {
		if got := paused(tt.wall, tt.monotonic); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.what, got, tt.want)
		}
	}
	var p pauses
	if now := time.Now(); p.look(now) || p.look(now.Add(time.Second)) || p.within(now.Add(-time.Hour)) {
		t.Error("a pause from nothing")
	}
	if now := time.Now(); !p.look(now.Add(time.Minute)) || !p.within(now) || p.within(now.Add(time.Hour)) {
		t.Error("a minute of nothing is no pause")
	}
}
