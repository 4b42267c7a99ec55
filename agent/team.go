package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/agent/cluster"
	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/natsstore"
	"github.com/esawatch/esawatch/checks"
)

// team is this agent as one of several: where cluster.urls is empty there is none,
// and nothing of this runs.
//
// Two keepers remember. The shared one has the records that all agents judge and
// tell from. The agent's own one has its troubles with its own network, and, while
// it is cut off from the others, what it sees by itself. It is told after
// cluster.alone_after, as the single view that it is. Back again, what was told
// becomes part of the shared records; see rejoin.go.
type team struct {
	log      *slog.Logger
	location string
	member   *cluster.Member
	store    *natsstore.Store
	shared   *incident.Keeper
	outbox   *outbox.Outbox // of the shared records
	own      *incident.Keeper
	changed  func()        // is called when another agent came or went
	telling  func() bool   // tells whether an attempt from the agent's own records is under way
	synced   chan struct{} // closed when the shared records were read for the first time
	syncing  sync.Once
	look     chan struct{} // holds one when it may not be usable any more

	neighbours atomic.Pointer[[]string] // with this agent, as its checks were shared out
	mode       atomic.Pointer[mode]
	aloneAfter atomic.Int64 // a time.Duration
}

// mode is how the agent stands to the others.
type mode struct {
	together bool // it judges with them
	alone    bool // cut off for so long that it tells by itself
	frozen   bool // what it told alone is being handed over
	since    time.Time
	why      error     // why it is not together
	hello    time.Time // when the others were asked whether they are there, to be together again
}

// newTeam joins the agents that share the configured NATS. It waits for nobody.
func newTeam(cfg *config.Config, version string, log *slog.Logger, own *incident.Keeper, reg prometheus.Registerer) (*team, error) {
	c := &cfg.Cluster
	if cfg.Agent.LocationFromHost {
		// In containers no two have the same.
		log.Warn("agent.location is not set, so this host is a location with a vote of its own, and shares its checks with nobody: agents of one place need the same location",
			"component", "cluster", "location", cfg.Agent.Location)
	}
	t := &team{
		log: log.With("component", "cluster"), location: cfg.Agent.Location, own: own,
		synced: make(chan struct{}), look: make(chan struct{}, 1), changed: func() {},
		telling: func() bool { return false },
	}
	if c.Replicas == 1 {
		t.log.Warn("cluster.replicas is 1: what is open is lost with the disk of one server")
	}
	var err error
	t.member, err = cluster.Join(cluster.Options{
		Server: cluster.Server{
			URLs: c.URLs, CredentialsFile: c.CredentialsFile, Username: c.Username, Password: c.Password.Get,
			CAFile: c.TLS.CAFile, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
		},
		Name: c.Bucket, Location: cfg.Agent.Location, Region: c.Region, Version: version, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	t.store, err = natsstore.New(t.member.Conn(), natsstore.Options{Bucket: c.Bucket, Replicas: c.Replicas, Log: log})
	if err != nil {
		t.member.Close()
		return nil, fmt.Errorf("cluster: %w", err)
	}
	t.member.Relay(func() uint64 { return uint64(t.store.Wrote()) },
		func(rev uint64) { t.store.Heard(store.Revision(rev)) })
	t.shared = incident.NewKeeper(t.store, incident.Options{
		Location: cfg.Agent.Location, Log: log, Panel: t, Shared: true, Usable: t.together, Mine: t.shows,
	})
	self := []string{t.member.ID()}
	t.neighbours.Store(&self)
	t.mode.Store(&mode{since: time.Now(), why: errors.New("not connected yet")})
	newTeamMetrics(reg, t)
	return t, nil
}

// close ends the connection, when nothing uses it any more.
func (t *team) close() {
	_ = t.store.Close() // it is ours alone, and has nothing left to write
	t.member.Close()
}

// together tells whether the agent judges with the others.
func (t *team) together() bool { return t.mode.Load().together }

// usable tells whether the shared records can be read and written.
func (t *team) usable() error {
	if !t.member.Connected() {
		return errors.New("no connection to NATS")
	}
	if err := t.store.Available(); err != nil {
		return err
	}
	select {
	case <-t.synced:
		return nil
	default:
		return errors.New("the shared records are not read yet")
	}
}

// Voters implements incident.Panel.
func (t *team) Voters(site, check string, stale time.Duration) (locations []string, regions map[string]string) {
	return t.member.Voters(checks.FullName(site, check), stale)
}

// Behind implements incident.Panel.
func (t *team) Behind(location string) time.Duration { return t.member.Behind(location) }

// Watched implements incident.Panel.
func (t *team) Watched(site, check string) bool {
	return t.member.Watched(checks.FullName(site, check))
}

// runs tells whether a check is this agent's share.
func (t *team) runs(check string) bool { return t.member.Share(*t.neighbours.Load(), check) }

// shows tells whether the shared keeper shows the metrics of a check.
func (t *team) shows(site, check string) bool {
	return t.together() && t.runs(checks.FullName(site, check))
}

// ownShows tells whether the agent's own keeper does.
func (t *team) ownShows(site, check string) bool {
	return site == networkSite(t.location) || !t.together() && t.runs(checks.FullName(site, check))
}

// observe takes in a result: together with the others where that is possible.
func (t *team) observe(ctx context.Context, r checks.Result) error {
	if r.Site == networkSite(t.location) {
		return t.own.Observe(ctx, r)
	}
	if t.together() {
		err := t.shared.Observe(ctx, r)
		if err == nil || !errors.Is(err, natsstore.ErrUnavailable) {
			return err
		}
		t.hasten()
		// This comes before stand has noted what is told already.
		if rec, ok := t.shared.Record(r.Site); ok {
			if inc, open := rec.OpenIncident(); open {
				t.blindTo(ctx, inc)
			}
		}
	}
	return t.own.Observe(ctx, r)
}

// setOffline notes whether this machine's own network is down.
func (t *team) setOffline(offline bool) {
	t.shared.SetOffline(offline)
	t.member.SetOffline(offline)
}

// hasten has run look at once whether the others can be reached.
func (t *team) hasten() {
	select {
	case t.look <- struct{}{}:
	default:
	}
}

// setPolicies puts the policies of a plan in force in the shared records.
func (t *team) setPolicies(ctx context.Context, plan *Plan, url string) error {
	t.aloneAfter.Store(int64(plan.Config.Cluster.AloneAfter))
	shared := make(map[string]incident.Policy, len(plan.Policies))
	names := make([]string, 0, len(plan.Policies))
	for name, p := range plan.Policies {
		if site, _ := checks.SplitName(name); site == networkSite(t.location) {
			continue
		}
		shared[name] = p
		names = append(names, name)
	}
	t.member.SetChecks(names, url)
	t.shared.SetWindows(plan.Windows)
	return t.shared.SetPolicies(ctx, shared, plan.Timings)
}

// alone are the policies of an agent that cannot ask the others. Of its own
// network it never has to.
func (t *team) alone(policies map[string]incident.Policy) map[string]incident.Policy {
	all := make(map[string]incident.Policy, len(policies))
	for name, p := range policies {
		if site, _ := checks.SplitName(name); site == networkSite(t.location) {
			all[name] = p
			continue
		}
		p.Quorum, p.Stale, p.Single = 0, 0, true
		all[name] = p
	}
	return all
}

// The stages of a team, beside those that an agent has by itself.

// follow takes in what the others write.
func (t *team) follow(ctx context.Context) error {
	return t.store.Watch(ctx, incident.FollowPrefixes(), &follower{t.shared.Follower(), t})
}

// follower notes when the records have been read.
type follower struct {
	*incident.Follower
	team *team
}

// Synced implements natsstore.Watcher.
func (f *follower) Synced() {
	f.Follower.Synced()
	f.team.syncing.Do(func() { close(f.team.synced) })
	f.team.hasten()
}

var _ natsstore.Watcher = (*follower)(nil)

// Self implements outbox.Turns.
func (t *team) Self() string { return t.member.ID() }

// Wait implements outbox.Turns.
func (t *team) Wait(receiver string) time.Duration { return t.member.Wait(receiver) }

// Alive implements outbox.Turns.
func (t *team) Alive(agent string) bool { return t.member.Alive(agent) }

// Able implements outbox.Turns.
func (t *team) Able() bool { return t.together() }

var (
	_ outbox.Turns   = (*team)(nil)
	_ incident.Panel = (*team)(nil)
	_ store.KV       = (*natsstore.Store)(nil)
)
