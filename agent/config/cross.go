package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/esawatch/esawatch/checks/probe"
)

// checkNames judges names across everything: none twice, none that refers to
// nothing.
func (l *loader) checkNames(c *Config) {
	l.unique("site", l.lists["sites"])
	l.unique("receiver", l.lists["receivers"])
	l.unique("maintenance", l.lists["maintenance"])
	l.uniqueOverrides(c)
	if l.badSites() {
		return // what is referred to may be in what could not be read
	}
	known := map[string][]string{}
	for kind, list := range map[string]string{"site": "sites", "receiver": "receivers"} {
		for _, e := range l.lists[list] {
			known[kind] = append(known[kind], e.name())
		}
		slices.Sort(known[kind])
	}
	const mostHints = 50 // each is a comparison with every name there is
	hints := 0
	for _, ref := range l.refs {
		if _, ok := slices.BinarySearch(known[ref.kind], ref.name); ok {
			continue
		}
		hint := ""
		if hints++; hints <= mostHints {
			hint = didYouMean(ref.name, known[ref.kind])
		}
		l.report(ref.pos, ref.path, newProblem(hint, "there is no %s %s", ref.kind, quote(ref.name)))
	}
}

// unique wants each name in the list once.
func (l *loader) unique(kind string, list []element) {
	first := make(map[string]element, len(list))
	for _, e := range list {
		name := e.name()
		if name == "" {
			continue
		}
		if before, twice := first[name]; twice {
			l.report(e.keyPos("name"), e.path+".name", newProblem("first at "+before.keyPos("name").String(), "the %s %q is given twice", kind, name))
			continue
		}
		first[name] = e
	}
}

// uniqueOverrides wants no two overrides for the very same alerts: which of them
// would count?
func (l *loader) uniqueOverrides(c *Config) {
	first := map[string]Pos{}
	for _, o := range c.Catalog {
		if o.Condition == "" {
			continue
		}
		what := fmt.Sprintf("%q %q", o.Condition, []any{o.Match.Severity, o.Match.Fault, o.Match.Site, o.Match.Labels})
		if before, twice := first[what]; twice {
			l.report(o.Pos, o.Path, newProblem("first at "+before.String(), "the condition %q with this match is given twice", o.Condition))
			continue
		}
		first[what] = o.Pos
	}
}

// keyPos is where a key of the element stands, or the element.
func (e element) keyPos(key string) Pos {
	if n := keyNode(e.node, key); n != nil {
		return Pos{e.file, n.Line}
	}
	return e.pos()
}

// checkCheck judges what a check's settings, from whichever layer, say together.
func (l *loader) checkCheck(c Check, own, site element) {
	layers := l.layersOf(own, site)
	if s, err := ParseSchedule(c.Schedule); err == nil && s.Every > 0 && c.Timeout > s.Every {
		p := newProblem("shorten the timeout, or run less often",
			"the timeout, %s, is longer than the period, %s", formatDuration(c.Timeout), formatDuration(s.Every))
		l.blame(layers, p, "timeout", "schedule")
	}
	if c.HTTPVersion == "3" {
		if strings.HasPrefix(strings.ToLower(c.URL), "http:") {
			l.blame(layers, newProblem("an https URL", "HTTP/3 needs TLS, and %s has none", quote(probe.ShownURL(c.URL))), "http_version")
		}
		if c.ProxyURL != "" {
			l.blame(layers, newProblem("keep one", "HTTP/3 does not go through a proxy"), "http_version", "proxy_url")
		}
	}
	l.checkHead(&c, layers)
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		l.blame(layers, newProblem("", "cert_file and key_file go together"), "tls")
	}
}

// checkEnvAuth finds what the environment has put together wrongly: it sets
// single values of `defaults.auth`, and no section of a file shows the whole.
func (l *loader) checkEnvAuth(a *Auth) {
	variable := l.envVariable("defaults", "auth")
	if a == nil || variable == "" {
		return
	}
	kinds := 0
	for _, given := range []bool{a.Basic != nil, a.Bearer != nil, a.OAuth2 != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		l.report(Pos{File: variable}, "defaults.auth", newProblem("keep one", "basic, bearer and oauth2 exclude each other"))
	case a.Basic != nil && (a.Basic.Username == "" || !a.Basic.Password.IsSet()),
		a.Bearer != nil && !a.Bearer.Token.IsSet(),
		a.OAuth2 != nil && (a.OAuth2.TokenURL == "" || a.OAuth2.ClientID == "" || !a.OAuth2.ClientSecret.IsSet()):
		l.report(Pos{File: variable}, "defaults.auth", newProblem("set the other values of its kind too", "is not complete"))
	}
}

// envVariable is a variable that sets something of the key at a path, or of its
// twin, "" when there is none.
func (l *loader) envVariable(path ...string) string {
	path = slices.DeleteFunc(path, func(key string) bool { return key == "" })
	name := envPrefix + strings.ToUpper(strings.Join(path, "__"))
	for _, variable := range slices.Sorted(maps.Keys(l.env)) {
		if variable == name || variable == name+strings.ToUpper(fileSuffix) || strings.HasPrefix(variable, name+"__") {
			return variable
		}
	}
	return ""
}

// layersOf are the places where a check's settings may stand, the nearest first.
func (l *loader) layersOf(own, site element) []element {
	layers := []element{own, site}
	for _, root := range slices.Backward(l.roots) {
		if n := valueNode(root.node, "defaults"); n != nil {
			layers = append(layers, element{node: n, file: root.file, path: "defaults"})
		}
	}
	return layers
}

// blame reports a problem of several keys at the nearest layer that gives any
// of them: if all stand in the defaults, once, and not for each check. Where the
// value of one was refused, another one stands in, and there is nothing to say.
func (l *loader) blame(layers []element, p *problem, keys ...string) {
	if slices.ContainsFunc(keys, func(key string) bool { return l.standsIn(layers, key) }) {
		return
	}
	for _, e := range layers {
		for _, key := range keys {
			if n := e.find(key); n != nil {
				l.report(Pos{e.file, n.Line}, e.path+"."+key, p)
				return
			}
		}
	}
	for _, key := range keys {
		if variable := l.envVariable("defaults", key); variable != "" {
			l.report(Pos{File: variable}, "defaults."+key, p)
			return
		}
	}
	l.report(layers[0].pos(), layers[0].path, p)
}

// standsIn tells whether a check has a value of a key only because the one that
// was given for it, in the nearest of the layers that give any, was refused.
func (l *loader) standsIn(layers []element, key string) bool {
	for _, e := range layers {
		if e.path == "defaults" {
			break
		}
		if l.refused(e, key) {
			return true
		}
		if e.find(key) != nil {
			return false
		}
	}
	if variable := l.envVariable("defaults", key); variable != "" {
		return l.badVariables[variable]
	}
	return slices.ContainsFunc(layers, func(e element) bool { return e.path == "defaults" && l.refused(e, key) })
}

// refused tells whether the layer's value of a key, or of a section that it is in,
// was refused.
func (l *loader) refused(e element, key string) bool {
	n := e.node
	for part := range strings.SplitSeq(key, ".") {
		if n == nil {
			return false
		}
		if l.badKeys[n][part] {
			return true
		}
		n = valueNode(n, part)
	}
	return false
}

// find is where a key of the element stands, or one of a section in it, such as
// "expect.json"; nil when it is not there.
func (e element) find(key string) *yaml.Node {
	sections := strings.Split(key, ".")
	n := e.node
	for _, section := range sections[:len(sections)-1] {
		if n = valueNode(n, section); n == nil {
			return nil
		}
	}
	return keyNode(n, sections[len(sections)-1])
}

// valueNode is the value of a mapping's key, nil when it is not there.
func valueNode(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			if v := n.Content[i+1]; v.Kind != yaml.AliasNode {
				return v
			}
			return n.Content[i+1].Alias
		}
	}
	return nil
}
