package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/checks"
)

// errStopped is returned by a reload that comes when the agent has ended.
var errStopped = errors.New("the agent has stopped")

// Reload reads the configuration again and puts it in force: all of it, or, if
// anything is wrong with it, nothing. One reload comes after another, so that
// what was read last is what holds.
func (a *Agent) Reload() error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	return a.reload(true)
}

// reload is Reload. One that nobody asked for says the same error only once. The
// caller holds a.reloading.
func (a *Agent) reload(asked bool) error {
	if a.stopped {
		return errStopped
	}
	if a.opts.Reloading != nil {
		defer a.opts.Reloading()()
	}
	plan, err := a.load()
	if err == nil {
		if err = a.apply(context.Background(), plan); err != nil {
			plan.Close()
		}
	}
	a.metrics.reloaded(err == nil, time.Now())
	if err != nil {
		said := err.Error() == a.failure
		a.failure = err.Error()
		if asked || !said {
			a.logFailure(err)
		}
		return err
	}
	a.failure = ""
	debug.FreeOSMemory() // as at the start
	a.log.Info("configuration loaded", "path", filesOf(plan.Config), "checks", len(plan.Checks), "receivers", len(plan.Receivers))
	return nil
}

// filesOf names the files of a configuration in one line, the first of many.
func filesOf(cfg *config.Config) string {
	const most = 10
	files := cfg.Files
	if len(files) > most {
		return fmt.Sprintf("%s, and %d more", strings.Join(files[:most], ", "), len(files)-most)
	}
	return strings.Join(files, ", ")
}

// logFailure logs what is wrong with a configuration, a line an error.
func (a *Agent) logFailure(err error) {
	for _, e := range configErrors(err) {
		a.log.Error("configuration not loaded, the old one stays in force", "err", e)
	}
}

// configErrors takes a configuration's errors apart, for a log line each.
func configErrors(err error) []error {
	if list, ok := errors.AsType[config.Errors](err); ok {
		return list.Unwrap()
	}
	return []error{err}
}

// load reads the configuration and makes a plan of it.
func (a *Agent) load() (*Plan, error) {
	cfg, err := a.opts.Load()
	if a.opts.Inputs != nil {
		a.inputs = a.opts.Inputs()
	}
	if err != nil {
		return nil, err
	}
	if a.started == nil {
		a.started = cfg.WithoutSites()
	} else {
		a.warnOfRestart(cfg)
		// Results, states and metrics carry the location; half of them cannot
		// change it while the program runs.
		cfg.Agent.Location = a.started.Agent.Location
		cfg.Cluster = reloadedCluster(&a.started.Cluster, &cfg.Cluster)
	}
	plan, err := Build(cfg, BuildOptions{Version: a.opts.Version, Console: a.opts.Console,
		Color: a.opts.Color, Width: a.opts.Width, Log: a.opts.Log})
	if err != nil {
		return nil, err
	}
	for _, warning := range plan.Warnings() {
		a.log.Warn(warning)
	}
	return plan, nil
}

// current is the plan in force.
func (a *Agent) current() *Plan {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	return a.plan
}

// apply puts a plan in force. What can fail comes first, so that an error
// leaves the old one as it was. A check that stays keeps its state. The caller
// holds a.reloading.
func (a *Agent) apply(ctx context.Context, plan *Plan) error {
	all := work{jobs: make([]schedule.Job, 0, len(plan.Checks)), checks: plan.Checks}
	log := a.opts.Log.With("component", "check")
	for _, c := range plan.Checks {
		all.jobs = append(all.jobs, a.job(log, c, plan.specs[c.FullName()]))
	}
	mine := a.share(all)
	a.results.SetChecks(mine.checks)
	if err := a.schedule.Replace(mine.jobs); err != nil {
		a.results.SetChecks(a.share(a.work).checks)
		return fmt.Errorf("schedule: %w", err)
	}
	if a.team != nil {
		a.work = all
	}
	a.network.set(plan.canaries, plan.Catalog)
	a.keeper.SetWindows(plan.Windows)
	if err := a.setPolicies(ctx, plan); err != nil {
		// The policies are in force all the same; what could not be written is
		// kept in memory and written later.
		a.log.Error("incidents of removed checks not all closed", "err", err)
	}
	cfg := plan.Config
	a.setReceivers(plan)
	a.schedule.SetMaxConcurrent(cfg.Agent.MaxConcurrentChecks)
	if a.opts.Level != nil {
		a.opts.Level.Set(levelOf(cfg.Log.Level))
	}
	a.recent.SetChecks(mine.checks)
	a.web.Show(contentOf(plan, a.externalURL(cfg)))
	plan.trim()
	a.metrics.configured(plan) // from now on it is read without a lock
	old := a.plan
	a.plan = plan
	if old != nil {
		old.Close()
	} else {
		a.metrics.reloaded(true, time.Now())
	}
	return nil
}

// setReceivers gives the outbox a plan's receivers, with which it starts afresh
// even if it has them already.
func (a *Agent) setReceivers(plan *Plan) {
	cfg := plan.Config
	settings := outbox.Settings{
		Timings:     plan.Timings,
		Storm:       outbox.Storm{Incidents: cfg.Alerting.Storm.Incidents, Window: cfg.Alerting.Storm.Window},
		ExternalURL: a.externalURL(cfg),
	}
	a.outbox.SetReceivers(plan.Receivers, settings)
	if a.team != nil {
		a.team.outbox.SetReceivers(plan.Receivers, settings)
	}
}

// setPolicies puts a plan's policies in force.
func (a *Agent) setPolicies(ctx context.Context, plan *Plan) error {
	if a.team == nil {
		return a.keeper.SetPolicies(ctx, plan.Policies, plan.Timings)
	}
	return errors.Join(a.keeper.SetPolicies(ctx, a.team.alone(plan.Policies), plan.Timings),
		a.team.setPolicies(ctx, plan, a.externalURL(plan.Config)))
}

// externalURL is the address for links. One that was derived from a listener on
// port 0 gets the port that the system chose.
func (a *Agent) externalURL(cfg *config.Config) string {
	u, err := url.Parse(cfg.Web.ExternalURL)
	if err != nil || u.Port() != "0" {
		return cfg.Web.ExternalURL
	}
	_, port, err := net.SplitHostPort(a.Addr().String())
	if err != nil {
		return cfg.Web.ExternalURL
	}
	u.Host = net.JoinHostPort(u.Hostname(), port)
	return u.String()
}

// job is a check as the scheduler runs it.
func (a *Agent) job(log *slog.Logger, c *checks.Check, s checkSpec) schedule.Job {
	return schedule.Job{
		Name: s.name, Spec: s.spec, Confirm: s.confirm, Settle: s.settle,
		Run: func(ctx context.Context, _ time.Time) bool {
			began := time.Now()
			before := a.stalls.begin(began)
			r := c.Run(ctx)
			now := time.Now()
			lost := a.stalls.end(now, before)
			if ctx.Err() != nil {
				return false // cut off by our own end, which says nothing of the site
			}
			if a.stalls.starved(now, &r, lost) {
				a.schedule.CountStarved()
				return true // there is nothing to confirm, and no time for it
			}
			a.results.Observe(r)
			a.recent.Observe(r)
			if !a.network.believes(ctx, r, began) {
				log.Debug("failure not counted, it may be our own", "site", r.Site, "check", r.Check, "condition", string(r.Condition()))
				return true // there is nothing to confirm
			}
			if err := a.observe(ctx, r); err != nil {
				log.Error("result not remembered", "site", r.Site, "check", r.Check, "err", err)
			}
			logResult(ctx, log, r)
			return r.Outcome == checks.Pass
		},
	}
}

func logResult(ctx context.Context, log *slog.Logger, r checks.Result) {
	if !log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	log.Debug("checked", "site", r.Site, "check", r.Check, "outcome", string(r.Outcome),
		"condition", string(r.Condition()), "status_code", r.StatusCode,
		"took", time.Duration(r.DurationSeconds*float64(time.Second)))
}

// reloadedCluster is what holds of a section cluster that is loaded again. Whether
// there is a team, and how it is connected, is settled at the start. Switched on
// or off meanwhile, nothing of the new section holds: the rules for several agents
// are none for one, and the other way round.
func reloadedCluster(started, loaded *config.Cluster) config.Cluster {
	c := *started
	if started.Enabled() && loaded.Enabled() {
		c.Quorum, c.StaleAfter, c.AloneAfter = loaded.Quorum, loaded.StaleAfter, loaded.AloneAfter
	}
	return c
}

// restartSetting is a setting that only a restart changes, as it was and is.
type restartSetting struct{ path, was, now string }

// clusterSettings are those of the section cluster that only a restart changes.
// Without a team before and after, they are of no use, and where one comes or
// goes, that alone is worth saying.
func clusterSettings(was, now *config.Cluster) []restartSetting {
	urls := restartSetting{"cluster.urls", strings.Join(was.URLs, ","), strings.Join(now.URLs, ",")}
	if !was.Enabled() || !now.Enabled() {
		return []restartSetting{urls}
	}
	return []restartSetting{
		urls,
		{"cluster.credentials_file", was.CredentialsFile, now.CredentialsFile},
		{"cluster.username", was.Username, now.Username},
		{"cluster.password", secretNamed(was.Password), secretNamed(now.Password)},
		{"cluster.tls.ca_file", was.TLS.CAFile, now.TLS.CAFile},
		{"cluster.tls.cert_file", was.TLS.CertFile, now.TLS.CertFile},
		{"cluster.tls.key_file", was.TLS.KeyFile, now.TLS.KeyFile},
		{"cluster.bucket", was.Bucket, now.Bucket},
		{"cluster.replicas", strconv.Itoa(was.Replicas), strconv.Itoa(now.Replicas)},
		{"cluster.region", was.Region, now.Region},
	}
}

// secretNamed tells one secret from another. One that is in a file is that file:
// it is read anew whenever it is used.
func secretNamed(s config.Secret) string {
	if file := s.File(); file != "" {
		return "file " + file
	}
	value, err := s.Get()
	if err != nil {
		return "" // only a file can fail
	}
	return "value " + value
}

// warnOfRestart names the settings that differ from those that the agent was
// started with and that a reload cannot change.
func (a *Agent) warnOfRestart(now *config.Config) {
	old := a.started
	for _, s := range append([]restartSetting{
		{"agent.data_dir", old.Agent.DataDir, now.Agent.DataDir},
		{"agent.location", old.Agent.Location, now.Agent.Location},
		{"agent.shutdown_timeout", old.Agent.ShutdownTimeout.String(), now.Agent.ShutdownTimeout.String()},
		{"web.listen", old.Web.Listen, now.Web.Listen},
		{"web.health_listen", old.Web.HealthListen, now.Web.HealthListen},
		{"web.config_file", old.Web.ConfigFile, now.Web.ConfigFile},
		{"log.format", old.Log.Format, now.Log.Format},
	}, clusterSettings(&old.Cluster, &now.Cluster)...) {
		if s.was != s.now {
			a.log.Warn("setting changes only with a restart", "path", s.path)
		}
	}
}

// levelOf is the level that a configuration names.
func levelOf(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo // the configuration allows no other names
	}
	return level
}
