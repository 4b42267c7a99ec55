package agent

import (
	"context"
	"fmt"
	"net/url"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/probe"
)

// canaries prepares the canaries of the configuration, and the policy of the
// incident that they raise.
func (b *builder) canaries() {
	cfg := b.plan.Config
	for i, u := range cfg.Agent.Canaries {
		c, err := newCanary(u, b.maker.id.UserAgent)
		if err != nil {
			b.fail(fmt.Sprintf("agent.canaries[%d]", i), err)
			continue
		}
		b.plan.canaries = append(b.plan.canaries, c)
	}
	if len(b.plan.canaries) > 0 {
		b.plan.Policies[checks.FullName(networkSite(b.maker.id.Location), networkCheck)] = incident.Policy{
			Failures: 2, ResolveAfter: 2, Flapping: incident.Flapping(cfg.Alerting.Flapping),
		}
	}
}

// newCanary prepares a canary. It follows no redirects: any answer will do.
func newCanary(address, userAgent string) (canary, error) {
	p, err := probe.New(probe.Request{
		URL: address, UserAgent: userAgent, Timeout: canaryTimeout, NoRedirects: true, MaxBodyBytes: 1 << 10,
	})
	if err != nil {
		return canary{}, err
	}
	c := canary{name: address, prober: p}
	if u, err := url.Parse(address); err == nil {
		c.name = (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() // the rest may be a secret
	}
	return c, nil
}

// observeNetwork takes in what the canaries show, as it does the result of a check.
func (a *Agent) observeNetwork(ctx context.Context, r checks.Result) {
	if err := a.observe(ctx, r); err != nil {
		a.log.Error("result not remembered", "site", r.Site, "check", r.Check, "err", err)
	}
}

// networkStands lets those know that go by it how this machine's network stands.
func (a *Agent) networkStands(offline bool) {
	a.keeper.SetOffline(offline)
	if a.team != nil {
		a.team.setOffline(offline)
	}
}
