package agent

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/cluster"
	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/agent/web"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// Plan is a configuration made ready to run: all that can be wrong with it has
// been found by then, so that a reload takes all of it or nothing.
type Plan struct {
	Config    *config.Config
	Sites     int             // how many
	Checks    []*checks.Check // the enabled ones, in the order of the configuration
	Policies  map[string]incident.Policy
	Receivers []outbox.Receiver
	Timings   incident.Timings
	Windows   []incident.Window // the maintenances
	Catalog   *catalog.Catalog  // the built-in one, with what is said of every site

	specs    map[string]checkSpec // by full name
	canaries []canary
}

// checkSpec is when a check runs.
type checkSpec struct {
	name    string // SITE/CHECK, the same text as in Plan.Policies
	spec    schedule.Spec
	confirm schedule.Confirm
	settle  int
}

// BuildOptions are what a Plan needs beside the configuration.
type BuildOptions struct {
	Version string    // for the user agent
	Console io.Writer // where console receivers print
	Color   bool      // whether Console shows colours
	Width   int       // of Console in columns; 0 = 100
	Log     *slog.Logger
	// Unserved leaves out what only the web server needs, such as its private key,
	// which not everybody may read who runs a check.
	Unserved bool
}

// Build makes a plan of a configuration. Its error is config.Errors: everything
// that is wrong, each with its place.
func Build(cfg *config.Config, opts BuildOptions) (*Plan, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	p := &Plan{
		Config:   cfg,
		Sites:    len(cfg.Sites),
		Policies: map[string]incident.Policy{},
		specs:    map[string]checkSpec{},
		Timings: incident.Timings{
			GroupWait:      cfg.Alerting.GroupWait,
			GroupInterval:  cfg.Alerting.GroupInterval,
			RepeatInterval: cfg.Alerting.RepeatInterval,
		},
	}
	b := builder{plan: p, opts: opts, maker: checkMaker{id: IdentityOf(cfg, opts.Version)}}
	b.catalogs()
	b.checks()
	b.receivers()
	b.maintenance()
	b.canaries()
	b.webConfig()
	if len(b.errs) > 0 {
		p.Close()
		return nil, b.errs
	}
	return p, nil
}

// trim drops what was only needed to put the plan in force: with many checks
// that is most of it.
func (p *Plan) trim() {
	p.Config = p.Config.WithoutSites()
	p.Policies, p.specs, p.Windows = nil, nil, nil
}

// Close frees what the plan's checks and receivers hold. It is for a plan that
// is not used, or not any more.
func (p *Plan) Close() {
	for _, c := range p.Checks {
		closeCheck(c)
	}
	for _, c := range p.canaries {
		closeProber(c.prober)
	}
	for _, r := range p.Receivers {
		if c, ok := r.Notifier.(io.Closer); ok {
			_ = c.Close() // it lets go of idle connections
		}
	}
}

func closeCheck(c *checks.Check) {
	closeProber(c.Edge)
	if c.Origin != nil {
		closeProber(c.Origin.Prober)
	}
}

func closeProber(p checks.Prober) {
	if p, ok := p.(*probe.Probe); ok && p != nil {
		p.Close()
	}
}

// IdentityOf is who the checks of a configuration say they are.
func IdentityOf(cfg *config.Config, version string) Identity {
	id := Identity{Location: cfg.Agent.Location, UserAgent: cfg.Agent.UserAgent}
	if id.UserAgent == "" {
		id.UserAgent = "esawatch/" + version
	}
	return id
}

type builder struct {
	plan  *Plan
	opts  BuildOptions
	maker checkMaker
	cats  catalogs
	errs  config.Errors
}

// fail notes an error about the value at path.
func (b *builder) fail(path string, err error) {
	b.errs = append(b.errs, b.plan.Config.Errorf(path, "", "%v", err))
}

func (b *builder) webConfig() {
	if b.opts.Unserved {
		return
	}
	if err := web.CheckConfigFile(b.plan.Config.Web.ConfigFile); err != nil {
		b.fail("web.config_file", err)
	}
}

func (b *builder) catalogs() {
	base, err := catalog.Load()
	if err != nil {
		b.fail("", err)
		return
	}
	b.cats = catalogs{base: base, overrides: b.plan.Config.Catalog, made: map[string]*catalog.Catalog{}}
	for i := range b.cats.overrides {
		o := &b.cats.overrides[i]
		if _, err := base.With([]catalog.Override{overrideOf(o)}); err != nil {
			b.fail(o.Path, err)
		}
	}
	if len(b.errs) == 0 {
		b.plan.Catalog = b.cats.forAll()
	}
}

func (b *builder) checks() {
	if b.cats.base == nil {
		return
	}
	for i := range b.plan.Config.Sites {
		site := &b.plan.Config.Sites[i]
		for j := range site.Checks {
			if c := &site.Checks[j]; c.Enabled {
				b.check(site, c)
			}
		}
	}
}

func (b *builder) check(site *config.Site, c *config.Check) {
	check, err := b.maker.check(site, c, b.cats.forCheck(c))
	for _, e := range fieldErrors(err) {
		path, cause := c.ConfigPath(), e
		if field, ok := errors.AsType[*probe.FieldError](e); ok {
			path, cause = fieldPath(site, c, field.Field), field.Err
		}
		b.fail(path, cause)
	}
	spec, err := schedule.ParseSpec(c.Schedule)
	if err != nil {
		b.fail(c.ConfigPath()+".schedule", err)
	}
	name := c.FullName()
	b.plan.Checks = append(b.plan.Checks, check)
	b.plan.specs[name] = checkSpec{name, spec, schedule.Confirm{Failures: c.Confirm.Failures, Interval: c.Confirm.Interval}, c.ResolveAfter}
	b.plan.Policies[name] = incident.Policy{
		Failures: c.Confirm.Failures, ResolveAfter: c.ResolveAfter, Flapping: incident.Flapping(b.plan.Config.Alerting.Flapping),
		Labels: c.Labels, Receivers: c.Receivers, RunbookURL: c.RunbookURL,
	}
	if among := &b.plan.Config.Cluster; among.Enabled() {
		p := b.plan.Policies[name]
		p.Quorum = quorumOf(cmp.Or(c.Quorum, among.Quorum))
		p.Stale = staleAfter(among.StaleAfter, spec.Gap(time.Now()))
		b.plan.Policies[name] = p
	}
}

// staleAfter is the age at which a result is no vote any more: so many periods, but
// no less than a neighbour needs to take over from an agent that was killed and to
// run the check. With less, an outage would end and come again at each such death.
func staleAfter(periods int, period time.Duration) time.Duration {
	return max(time.Duration(periods)*period, cluster.TakeOver+2*period)
}

// quorumOf is a quorum as the state machine takes it.
func quorumOf(q config.Quorum) incident.Quorum {
	switch q {
	case config.QuorumMajority:
		return incident.Majority
	case config.QuorumAll:
		return incident.All
	}
	return incident.Quorum(q.Number())
}

// fieldPath is where a field of a check stands: in the check, or, for the
// origin, in its site.
func fieldPath(site *config.Site, c *config.Check, field string) string {
	if rest, ok := strings.CutPrefix(field, "origin."); ok {
		switch rest {
		case "connect_to":
			return site.Path() + ".origin.address"
		case "tls.server_name":
			return site.Path() + ".origin.server_name"
		}
		return site.Path() + ".origin"
	}
	return c.ConfigPath() + "." + field
}

// catalogs makes one catalog for all checks to which the same overrides apply.
type catalogs struct {
	base      *catalog.Catalog
	overrides []config.CatalogOverride
	made      map[string]*catalog.Catalog // by the indices of the overrides
}

// forAll is the catalog with the overrides that apply to every check.
func (c *catalogs) forAll() *catalog.Catalog {
	return c.with(func(o *config.CatalogOverride) bool {
		m := &o.Match
		return len(m.Site)+len(m.Labels)+len(m.Severity)+len(m.Fault) == 0
	})
}

func (c *catalogs) forCheck(check *config.Check) *catalog.Catalog {
	return c.with(func(o *config.CatalogOverride) bool { return c.applies(o, check) })
}

func (c *catalogs) with(applies func(*config.CatalogOverride) bool) *catalog.Catalog {
	var key strings.Builder
	var list []catalog.Override
	for i := range c.overrides {
		if o := &c.overrides[i]; applies(o) {
			fmt.Fprintf(&key, "%d ", i)
			list = append(list, overrideOf(o))
		}
	}
	if cat, ok := c.made[key.String()]; ok {
		return cat
	}
	cat, err := c.base.With(list)
	if err != nil {
		cat = c.base // each of them was tried alone before
	}
	c.made[key.String()] = cat
	return cat
}

// applies tells whether an override is for a check. Severity and fault are
// those that the built-in catalog gives the condition.
func (c *catalogs) applies(o *config.CatalogOverride, check *config.Check) bool {
	m, entry := &o.Match, c.base.Lookup(o.Condition)
	if len(m.Site) > 0 && !slices.Contains(m.Site, check.Site) ||
		len(m.Severity) > 0 && !slices.Contains(m.Severity, entry.Severity) ||
		len(m.Fault) > 0 && !slices.Contains(m.Fault, entry.Fault) {
		return false
	}
	for name, value := range m.Labels {
		if check.Labels[name] != value {
			return false
		}
	}
	return true
}

func overrideOf(o *config.CatalogOverride) catalog.Override {
	return catalog.Override{
		Condition: o.Condition, Severity: o.Severity, Owner: o.Owner, RunbookURL: o.RunbookURL,
		StepsBefore: o.StepsBefore, Steps: o.Steps, StepsAfter: o.StepsAfter,
	}
}
