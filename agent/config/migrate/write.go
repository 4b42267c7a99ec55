package migrate

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// block is a mapping in the making, its keys in the order in which they are set.
type block struct{ *yaml.Node }

func newBlock() block { return block{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}} }

func (b block) empty() bool { return len(b.Content) == 0 }

// set adds a key. What says nothing (no text, an empty list or block) is left out.
func (b block) set(key string, v any) block {
	if n := node(v); n != nil {
		b.Content = append(b.Content, node(text(key)), n)
	}
	return b
}

// comment puts a remark behind the key that was set last.
func (b block) comment(words string) block {
	if n := len(b.Content); n > 0 {
		last := b.Content[n-1]
		if last.Kind != yaml.ScalarNode && last.Style != yaml.FlowStyle {
			last = b.Content[n-2]
		}
		last.LineComment = "# " + oneLine(words)
	}
	return b
}

// flow writes the block on one line.
func (b block) flow() block {
	b.Style = yaml.FlowStyle
	return b
}

// node is a value as YAML, nil when there is nothing to say.
func node(v any) *yaml.Node {
	str := func(tag, s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: s} }
	switch v := v.(type) {
	case text:
		if v == "" {
			return nil
		}
		n := str("!!str", string(v))
		if strings.Contains(string(v), "\n") {
			n.Style = yaml.LiteralStyle
		}
		return n
	case int:
		return str("!!int", strconv.Itoa(v))
	case bool:
		return str("!!bool", strconv.FormatBool(v))
	case time.Duration:
		return node(duration(v))
	case block:
		if v.empty() {
			return nil
		}
		return v.Node
	case *yaml.Node:
		return v
	case []text:
		if len(v) == 0 {
			return nil
		}
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		long := 0
		for _, t := range v {
			n.Content = append(n.Content, statusNode(t))
			long += len(t)
		}
		if long < 60 {
			n.Style = yaml.FlowStyle
		}
		return n
	}
	panic(fmt.Sprintf("migrate: no YAML for a %T", v))
}

// bare is a word that may look like a number, without quotes, as people write it.
func bare(t text) *yaml.Node {
	n := node(t)
	if _, err := strconv.ParseFloat(string(t), 64); err == nil {
		n.Tag = map[bool]string{true: "!!float", false: "!!int"}[strings.Contains(string(t), ".")]
	}
	return n
}

// statusNode is a text in a list; a number is written as one, as people do.
func statusNode(t text) *yaml.Node {
	if n, err := strconv.Atoi(string(t)); err == nil && len(t) == 3 && n >= 100 {
		return node(n)
	}
	n := node(t)
	if n == nil {
		n = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle}
	}
	return n
}

// same tells whether two values are written alike.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

func (b block) get(key string) *yaml.Node {
	for i := 0; i+1 < len(b.Content); i += 2 {
		if b.Content[i].Value == key {
			return b.Content[i+1]
		}
	}
	return nil
}

func (b block) remove(key string) {
	for i := 0; i+1 < len(b.Content); i += 2 {
		if b.Content[i].Value == key {
			b.Content = append(b.Content[:i:i], b.Content[i+2:]...)
			return
		}
	}
}

// sharedByAll are the keys that go up to the defaults when all checks have them.
var sharedByAll = []string{"schedule", "timeout", "tls", "proxy_url", "ip_family", "http_version", "follow_redirects", "max_redirects", "confirm", "resolve_after", "receivers"}

// sharedInSite are those that go up to a site: they may be about it alone.
var sharedInSite = append([]string{"headers", "auth", "expect", "labels"}, sharedByAll...)

// lift moves what blocks say alike into a block above them: what all of them
// say, and of a single value that all of them have, what most say.
func lift(above block, keys []string, below []block) {
	if len(below) < 2 {
		return
	}
	for _, key := range keys {
		common := most(key, below)
		if common == nil {
			continue
		}
		above.set(key, common)
		for _, b := range below {
			if same(b.get(key), common) {
				b.remove(key)
			}
		}
	}
}

// most is the value that goes up, nil when there is none.
func most(key string, below []block) *yaml.Node {
	const few = 50 // kinds of values that are told apart
	type group struct {
		value *yaml.Node
		count int
	}
	var groups []*group
	for _, b := range below {
		n := b.get(key)
		if n == nil {
			return nil
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return same(g.value, n) })
		switch {
		case i >= 0:
			groups[i].count++
		case len(groups) == few:
			return nil
		default:
			groups = append(groups, &group{n, 1})
		}
	}
	best := slices.MaxFunc(groups, func(a, b *group) int { return a.count - b.count })
	if best.count < len(below) && (best.count < 2 || best.value.Kind != yaml.ScalarNode) {
		return nil
	}
	return best.value
}

// builtIn are the defaults that need not be said.
var builtIn = map[string]string{"schedule": "30s", "timeout": "10s", "resolve_after": "2"}

// write is the whole configuration as YAML.
func (d *draft) write(r *Result) ([]byte, error) {
	var all []block
	for _, s := range d.sites {
		for _, c := range s.checks {
			all = append(all, c.block)
		}
	}
	d.onlyConsole(all)
	defaults := newBlock()
	lift(defaults, sharedByAll, all)
	for key, v := range builtIn {
		if n := defaults.get(key); n != nil && n.Value == v {
			defaults.remove(key)
		}
		if len(all) == 1 { // it lifts nothing
			if n := all[0].get(key); n != nil && n.Value == v {
				all[0].remove(key)
			}
		}
	}

	root := newBlock()
	root.set("defaults", defaults)
	sites := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, s := range d.sites {
		sites.Content = append(sites.Content, s.node())
	}
	root.set("sites", sites)
	root.set("alerting", d.alerting)
	if len(d.receivers) > 0 {
		receivers := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, r := range d.receivers {
			receivers.Content = append(receivers.Content, r.node())
		}
		root.set("receivers", receivers)
	}
	if len(d.maintenance) > 0 {
		windows := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, w := range d.maintenance {
			w.settings.HeadComment = comments(w.comments)
			windows.Content = append(windows.Content, w.settings.Node)
		}
		root.set("maintenance", windows)
	}
	body, err := yaml.Dump(root.Node, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	namesIn(root.Node, used)
	r.Needs = slices.DeleteFunc(r.Needs, func(n Need) bool { return !used[n.Name()] })
	var b bytes.Buffer
	d.head(&b, r)
	b.Write(body)
	return b.Bytes(), nil
}

// namesIn gathers what a configuration refers to: variables, and what may be files.
func namesIn(n *yaml.Node, names map[string]bool) {
	if n.Kind == yaml.ScalarNode {
		names[n.Value] = true
		for _, v := range text(n.Value).variables() {
			names[v] = true
		}
	}
	for _, c := range n.Content {
		namesIn(c, names)
	}
}

// onlyConsole lets the checks tell everybody when there is nobody but the
// console: a receiver that is added later is then told of them, too.
func (d *draft) onlyConsole(all []block) {
	if len(d.receivers) != 1 || d.receivers[0].kind != "console" {
		return
	}
	for _, b := range all {
		b.remove("receivers")
	}
	d.receivers[0].comments = []string{"Nobody was told before. Add a receiver, such as Slack, and it is told of all."}
}

// head is the comment at the beginning: where all this comes from, what it
// needs, and what was decided.
func (d *draft) head(b *bytes.Buffer, r *Result) {
	fmt.Fprintf(b, "# Made by `esawatch import %s` of %s: %s of %s.\n", d.kind, oneLine(d.file), Count(r.Checks, "check"), Count(r.Sites, "site"))
	if len(r.Needs) > 0 {
		b.WriteString("#\n# What it needs before it can be loaded. A variable that stands for a secret X can be\n# a file as well: X_file: /path in place of X.\n")
		for _, n := range r.Needs {
			fmt.Fprintf(b, "#   %s  %s\n", oneLine(n.Name()), oneLine("for "+n.For))
		}
	}
	if len(d.remarks) > 0 {
		b.WriteString("#\n# What is not as it was:\n")
		for _, remark := range d.remarks {
			for i, line := range wrap(oneLine(remark), 88) {
				fmt.Fprintf(b, "# %s%s\n", []string{"- ", "  "}[min(i, 1)], line)
			}
		}
	}
	b.WriteString("\n")
}

// Count is a number of things in words: "1 check", "2 checks".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func (s *site) node() *yaml.Node {
	b := newBlock().set("name", text(s.name)).set("url", s.url)
	checks := make([]block, len(s.checks))
	for i, c := range s.checks {
		checks[i] = c.block
	}
	lift(b, sharedInSite, checks)
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, c := range s.checks {
		n := newBlock().set("name", text(c.name))
		if strings.HasPrefix(string(c.address.whole), string(s.url)+"/") {
			n.set("path", c.address.path)
		} else {
			n.set("url", c.address.whole)
		}
		n.Content = append(n.Content, c.Content...)
		n.HeadComment = comments(c.comments)
		list.Content = append(list.Content, n.Node)
	}
	return b.set("checks", list).Node
}

func (r *receiver) node() *yaml.Node {
	b := newBlock().set("name", text(r.name))
	if !r.resolved {
		b.set("send_resolved", false)
	}
	settings := r.settings.Node
	if r.settings.empty() {
		settings.Style = yaml.FlowStyle
	}
	b.Content = append(b.Content, node(text(r.kind)), settings)
	b.HeadComment = comments(r.comments)
	return b.Node
}

func comments(lines []string) string {
	var out []string
	for _, line := range lines {
		out = append(out, "# "+oneLine(line))
	}
	return strings.Join(out, "\n")
}
