package agent

import (
	"github.com/esawatch/esawatch/agent/web"
	"github.com/esawatch/esawatch/checks/probe"
)

// contentOf is what the pages show of a plan's configuration.
func contentOf(p *Plan, externalURL string) web.Content {
	content := web.Content{Catalog: p.Catalog, ExternalURL: externalURL}
	content.Sites = make([]web.Site, 0, len(p.Config.Sites))
	for i := range p.Config.Sites {
		c := &p.Config.Sites[i]
		site := web.Site{Name: c.Name, URL: c.URL, Labels: c.Labels, RunbookURL: c.RunbookURL}
		if c.Origin != nil {
			site.Origin = c.Origin.Address
		}
		site.Checks = make([]web.Check, 0, len(c.Checks))
		for j := range c.Checks {
			if check := &c.Checks[j]; check.Enabled {
				site.Checks = append(site.Checks, web.Check{
					Name: check.Name, URL: probe.ShownURL(check.URL), Method: check.Method,
					Schedule: check.Schedule, Failures: check.Confirm.Failures, Labels: check.Labels,
				})
			}
		}
		content.Sites = append(content.Sites, site)
	}
	return content
}
