package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// Warnings are what is allowed and most likely not meant.
func (p *Plan) Warnings() []string {
	warnings := append(p.unread(), p.unwatched()...)
	if len(p.Checks) > 0 && len(p.Receivers) == 0 {
		return append(warnings, "no receivers: esawatch itself tells nobody of what fails")
	}
	return append(warnings, p.untold()...)
}

// unread names files beside the configuration that look like a part of it.
func (p *Plan) unread() []string {
	if len(p.Config.Unread) == 0 {
		return nil
	}
	return []string{"not read: " + someOf(p.Config.Unread, "files") + " (of a directory only *.yaml are: rename what is meant)"}
}

// unwatched names the sites that have checks, and none that runs.
func (p *Plan) unwatched() []string {
	var sites []string
	for i := range p.Config.Sites {
		s := &p.Config.Sites[i]
		if !slices.ContainsFunc(s.Checks, func(c config.Check) bool { return c.Enabled }) {
			sites = append(sites, s.Name)
		}
	}
	if len(sites) == 0 {
		return nil
	}
	return []string{"not watched: " + someOf(sites, "sites") + ", every check is disabled (enabled: true, or remove the site)"}
}

// untold says which alerts fit no receiver. Only what is certain is said: whatever
// breaks, nobody would be told.
func (p *Plan) untold() []string {
	var silent []string                        // checks of which nobody is told at all
	missing := map[catalog.Severity][]string{} // others, by the severity that nobody takes
	known := map[*catalog.Catalog][]catalog.Severity{}
	for _, c := range p.Checks {
		name := c.FullName()
		policy := p.Policies[name]
		if len(policy.Receivers) > 0 {
			continue // who is named is told, whatever it matches
		}
		takes := func(s catalog.Severity) bool {
			for i := range p.Receivers {
				if p.Receivers[i].Takes(c.Site, policy.Labels, s) {
					return true
				}
			}
			return false
		}
		likely, possible := severitiesOf(c, known)
		switch {
		case !slices.ContainsFunc(possible, takes):
			silent = append(silent, name)
		default:
			for _, s := range likely {
				if s != catalog.Info && !takes(s) {
					missing[s] = append(missing[s], name)
				}
			}
		}
	}
	const remedy = "no receiver's match fits (widen one, or name who is told in the check's receivers)"
	var warnings []string
	if len(silent) > 0 {
		warnings = append(warnings, "alerts of "+someOf(silent, "checks")+" go to nobody: "+remedy)
	}
	for _, s := range []catalog.Severity{catalog.Critical, catalog.Warning} {
		if len(missing[s]) > 0 {
			warnings = append(warnings, string(s)+" alerts of "+someOf(missing[s], "checks")+" go to nobody: "+remedy)
		}
	}
	return warnings
}

// severitiesOf are the severities that alerts of a check have: those that its
// conditions give them, and all that are possible. known remembers those of
// catalogs, of which most checks share one.
func severitiesOf(c *checks.Check, known map[*catalog.Catalog][]catalog.Severity) (likely, possible []catalog.Severity) {
	if c.Severity != "" {
		likely = []catalog.Severity{c.Severity}
		if c.Severity == catalog.Critical {
			return likely, []catalog.Severity{catalog.Critical, catalog.Warning} // one that could not be run is no more than a warning
		}
		return likely, likely
	}
	list, ok := known[c.Catalog]
	if !ok {
		for _, e := range c.Catalog.Entries() {
			if e.Condition != catalog.AgentOffline && !slices.Contains(list, e.Severity) { // it is no alert of a site's
				list = append(list, e.Severity)
			}
		}
		known[c.Catalog] = list
	}
	return list, list
}

// someOf names the first few of many, and how many they are.
func someOf(names []string, noun string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more (%d %s)", strings.Join(names[:most], ", "), len(names)-most, len(names), noun)
}
