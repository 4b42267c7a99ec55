package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
)

// build makes the configuration of all that was read, and judges what takes
// more than one place to judge.
func (l *loader) build() (*Config, error) {
	sources := l.sources // a pointer into the loader would keep all of it
	c := &Config{Paths: l.paths, Files: l.fileNames, Hash: l.sum(), sources: &sources}
	if err := l.fill(l.config.Raw(), c); err != nil {
		return nil, err
	}
	l.finishAgent(c)
	l.checkEnvAuth(c.Defaults.Auth)
	l.checkWhole(&c.Cluster)
	if err := l.buildSites(c); err != nil {
		return nil, err
	}
	if err := l.buildReceivers(c); err != nil {
		return nil, err
	}
	if err := l.buildRest(c); err != nil {
		return nil, err
	}
	l.checkNames(c)
	c.Unread = slices.DeleteFunc(l.unread, l.hasSeen)
	if len(c.Sites) == 0 && len(l.lists["sites"]) == 0 && !l.badSites() && !l.opts.AllowNoSites {
		file := ""
		if len(c.Files) > 0 {
			file = c.Files[0]
		}
		l.report(Pos{File: file}, "sites", noSites())
	}
	return c, nil
}

// badSites tells whether there may be sites in what could not be read.
func (l *loader) badSites() bool {
	return l.badRoot || slices.ContainsFunc(l.roots, func(e element) bool { return e.bad["sites"] })
}

// finishAgent fills in what follows from other settings and from the machine.
func (l *loader) finishAgent(c *Config) {
	if c.Agent.Location == "" {
		c.Agent.Location, c.Agent.LocationFromHost = nameFrom(l.hostname()), true // an unnamed machine is called "local"
	}
	c.Web.ExternalURL = strings.TrimRight(c.Web.ExternalURL, "/")
	if c.Web.ExternalURL == "" {
		c.Web.ExternalURL, c.Web.ExternalFromListen = c.Web.listenURL(cmp.Or(l.hostname(), "localhost")), true
	}
}

// hostname is the machine's name, "" when it has none.
func (l *loader) hostname() string {
	if l.opts.Hostname != "" {
		return l.opts.Hostname
	}
	host, _ := os.Hostname() // without one it is as if it had none
	return host
}

// nameFrom makes a valid name of any text.
func nameFrom(s string) string {
	s = strings.Map(func(r rune) rune {
		if isNameRune(r) {
			return r
		}
		return '-'
	}, s)
	if s == "" {
		return "local"
	}
	return s[:min(len(s), maxName)]
}

// buildSites resolves every check.
func (l *loader) buildSites(c *Config) error {
	tree, _ := l.config.Get("defaults").(map[string]any)
	base := layer{tree, c.Defaults}
	c.Sites = make([]Site, 0, len(l.lists["sites"]))
	for _, e := range l.lists["sites"] {
		s, err := l.buildSite(e, base)
		if err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		c.Sites = append(c.Sites, s)
	}
	return nil
}

func (l *loader) buildSite(e element, base layer) (Site, error) {
	own := maps.Clone(e.tree)
	for _, key := range []string{"name", "url", "origin", "checks"} {
		delete(own, key)
	}
	settings, err := l.with(base, own)
	if err != nil {
		return Site{}, err
	}
	s := Site{Name: e.name(), URL: str(e.tree, "url"), Settings: settings.value, Pos: e.pos()}
	if origin, ok := e.tree["origin"].(map[string]any); ok {
		s.Origin = &Origin{}
		if err := l.fill(origin, s.Origin); err != nil {
			return Site{}, err
		}
	}
	checks, _ := e.tree["checks"].([]element)
	if len(checks) == 0 {
		checks = []element{{tree: map[string]any{"name": "home"}, node: e.node, file: e.file, path: e.path + ".checks[home]"}}
	}
	s.Checks = make([]Check, 0, len(checks))
	for _, ce := range checks {
		check, err := l.buildCheck(ce, s, settings)
		if err != nil {
			return Site{}, fmt.Errorf("%s: %w", ce.path, err)
		}
		l.checkCheck(check, ce, e)
		s.Checks = append(s.Checks, check)
	}
	l.unique("check", checks)
	return s, nil
}

func (l *loader) buildCheck(e element, s Site, base layer) (Check, error) {
	own := maps.Clone(e.tree)
	for _, key := range []string{"name", "path", "url"} {
		delete(own, key)
	}
	settings, err := l.with(base, own)
	if err != nil {
		return Check{}, err
	}
	check := Check{Name: e.name(), Path: str(e.tree, "path"), URL: str(e.tree, "url"), Settings: settings.value, Site: s.Name, Pos: e.pos()}
	switch {
	case check.URL != "":
	case check.Path != "":
		check.URL = strings.TrimRight(s.URL, "/") + check.Path
	default:
		check.URL = pageOf(s.URL)
	}
	return check, nil
}

// pageOf is a site's URL as a page: what was written, with the path that every
// request has.
func pageOf(site string) string {
	if u, err := url.Parse(site); err != nil || u.Path != "" {
		return site
	}
	return site + "/"
}

func str(tree map[string]any, key string) string {
	s, _ := tree[key].(string)
	return s
}

// buildReceivers makes the receivers.
func (l *loader) buildReceivers(c *Config) error {
	for _, e := range l.lists["receivers"] {
		tree := defaultReceiver()
		for kind, defaults := range defaultKinds() {
			if _, ok := e.tree[kind]; ok {
				tree[kind] = defaults
			}
		}
		if err := overlay(e.tree, tree); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		r := Receiver{Pos: e.pos()}
		if err := l.fill(tree, &r); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		if r.Slack != nil && !strings.HasSuffix(r.Slack.APIURL, "/") {
			r.Slack.APIURL += "/"
		}
		c.Receivers = append(c.Receivers, r)
	}
	return nil
}

// buildRest makes the maintenance and the catalog's overrides.
func (l *loader) buildRest(c *Config) error {
	for _, e := range l.lists["maintenance"] {
		m := Maintenance{Pos: e.pos()}
		if err := l.fill(e.tree, &m); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		c.Maintenance = append(c.Maintenance, m)
	}
	for _, e := range l.lists["catalog"] {
		o := CatalogOverride{Path: e.path, Pos: e.pos()}
		if err := l.fill(e.tree, &o); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		c.Catalog = append(c.Catalog, o)
	}
	return nil
}
