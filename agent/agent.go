package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/web"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/exposition"
)

// Options are what an Agent is made with. Load is required.
type Options struct {
	Load    func() (*config.Config, error) // reads the configuration, at the start and at each reload
	Version string
	Commit  string
	Log     *slog.Logger
	Level   *slog.LevelVar // of Log, set from the configuration; nil: left alone
	Console io.Writer      // where console receivers print
	Color   bool           // whether Console shows colours
	Width   int            // of Console in columns; 0 = 100
	// Inputs are the files that the last call of Load has looked at. A change of
	// them reloads the configuration. nil: files are not watched.
	Inputs func() []config.Input
	// Reloading is called when a reload begins, and what it returns when it has
	// ended; nil: nobody wants to know.
	Reloading func() (ended func())
}

// Agent is the daemon: all rooms of the pipeline, put together.
type Agent struct {
	opts     Options
	log      *slog.Logger
	registry *prometheus.Registry
	metrics  *metrics
	results  *checks.Metrics
	recent   *web.Recent
	saver    *web.Saver // of recent
	store    store.KV
	unsaved  error            // why the store is not on disk; nil when it is
	keeper   *incident.Keeper // of what this agent sees by itself: with a team, only while that cannot be reached
	team     *team            // nil where cluster.urls is empty
	network  *network
	stalls   *stalls
	schedule *schedule.Scheduler
	outbox   *outbox.Outbox
	web      *web.Server

	reloading sync.Mutex     // held while a configuration is read and put in force
	started   *config.Config // what the agent was started with
	stopped   bool
	plan      *Plan          // in force
	work      work           // all of the plan's, of which a team has a share
	inputs    []config.Input // of the last attempt to load one, with what they held
	failure   string         // of the last attempt; "" when it succeeded
}

// New loads the configuration, opens the store and the listeners, and recalls
// what was going on. It starts nothing: Run does. The caller of a New that
// succeeded must call Run, which releases all of it.
func New(ctx context.Context, opts Options) (_ *Agent, err error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Console == nil {
		opts.Console = io.Discard
	}
	a := &Agent{opts: opts, log: opts.Log.With("component", "agent"), registry: prometheus.NewRegistry(),
		recent: web.NewRecent()}
	plan, err := a.load()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			plan.Close()
			a.release()
		}
	}()
	cfg := plan.Config
	if a.store, a.unsaved, err = openStore(cfg.Agent.DataDir, a.log); err != nil {
		return nil, err
	}
	a.keeper = incident.NewKeeper(a.store, incident.Options{Location: cfg.Agent.Location, Log: opts.Log, Mine: a.ownShows, Mutes: a.sharedMutes})
	if err := a.keeper.Load(ctx); err != nil {
		return nil, fmt.Errorf("recall incidents: %w", err)
	}
	a.metrics = newMetrics(a.registry, opts.Version, opts.Commit)
	if cfg.Cluster.Enabled() {
		if a.team, err = newTeam(cfg, opts.Version, opts.Log, a.keeper, a.registry); err != nil {
			return nil, err
		}
		a.team.changed = a.shareAgain
	}
	a.results = checks.NewMetrics(cfg.Agent.Location)
	a.network = newNetwork(cfg.Agent.Location, opts.Log, a.registry, a.observeNetwork, a.networkStands)
	a.stalls = newStalls(opts.Log)
	// A run may take a moment to see that its context is done; the stages' own
	// grace has to be longer.
	grace := cfg.Agent.ShutdownTimeout
	a.schedule = schedule.New(schedule.Options{
		MaxConcurrent: cfg.Agent.MaxConcurrentChecks, Grace: grace / 2, Log: opts.Log, Registerer: a.registry, KernelTimers: true})
	a.newOutboxes(grace / 4)
	options := web.Options{
		Listen: cfg.Web.Listen, ConfigFile: cfg.Web.ConfigFile, HealthListen: cfg.Web.HealthListen,
		Metrics: []func(*exposition.Writer){a.results.Write, a.writeStates}, Gatherer: a.registry, Log: opts.Log.With("component", "web"),
		Healthy: a.Healthy, Ready: a.Ready, Reload: a.Reload, RunNow: a.runNow,
		Recent: a.recent, Incidents: a.records(), Location: cfg.Agent.Location, Version: opts.Version,
	}
	if a.team != nil {
		options.Cluster = view{a.team}
	}
	if a.web, err = web.Listen(options); err != nil {
		return nil, err
	}
	if err := a.apply(ctx, plan); err != nil {
		return nil, err
	}
	a.saver = web.NewSaver(a.recent, a.store, opts.Log.With("component", "web"))
	a.saver.Load(ctx, plan.Catalog)
	return a, nil
}

// Addr is where the agent serves HTTP, with the real port.
func (a *Agent) Addr() net.Addr { return a.web.Addr() }

// Run runs the agent until ctx is done, then stops it in the order of the data:
// no check starts, those that run end, what they changed is saved, what is
// under way to a receiver is settled. It releases everything.
func (a *Agent) Run(ctx context.Context) error {
	defer a.release()
	cfg := a.current().Config
	debug.FreeOSMemory() // to read a configuration takes several times what is kept of it
	a.log.Info("watching", "path", filesOf(cfg), "checks", len(a.current().Checks), "sites", a.current().Sites,
		"location", cfg.Agent.Location, "listen", a.Addr().String(), "version", a.opts.Version)
	err := runStages(ctx, cfg.Agent.ShutdownTimeout, a.stages())
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	a.keeper.Flush(flush)
	a.log.Info("stopped")
	return err
}

// stages are the rooms of the pipeline, in the order of the data.
func (a *Agent) stages() []stage {
	stages := []stage{
		{"reload", a.watchFiles},
		{"heartbeat", a.newHeartbeat().run},
		{"schedule", a.runSchedule},
		{"network", a.network.Run},
		{"stalls", a.stalls.Run},
		{"incident", a.keeper.Run},
	}
	if t := a.team; t != nil {
		stages = append(stages, stage{"shared incident", t.shared.Run}, stage{"cluster", t.run},
			stage{"shared outbox", t.outbox.Run}, stage{"shared records", t.follow}, stage{"shared store", t.store.Run},
			stage{"member", t.member.Run})
	}
	return append(stages, stage{"outbox", a.outbox.Run}, stage{"web", a.web.Run}, stage{"recent", a.saver.Run})
}

// release closes what New opened, after a reload that is under way.
func (a *Agent) release() {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	a.stopped = true
	if a.web != nil {
		_ = a.web.Close() // it is closed already when Run ended it
	}
	if a.plan != nil {
		a.plan.Close()
	}
	if a.team != nil {
		a.team.close()
	}
	if a.store != nil {
		if err := a.store.Close(); err != nil {
			a.log.Error("store not closed", "err", err)
		}
	}
}
