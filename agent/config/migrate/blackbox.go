package migrate

import (
	"slices"
	"strings"
	"time"
)

// BlackboxOptions say what is probed. blackbox_exporter's own file says only how.
type BlackboxOptions struct {
	// Prometheus is the configuration whose scrape jobs name the targets; no
	// Data = there is none.
	Prometheus Source
	// TargetFiles reads the files that a pattern of file_sd_configs names there, those
	// that it can beside an error about the others; nil = none can be read.
	TargetFiles func(pattern string) ([]Source, error)
	// Targets are URLs on top of those, probed with Module.
	Targets []string
	// Module is the module of Targets; "" = http_2xx, or the only one that
	// probes over HTTP.
	Module string
}

// Blackbox imports a configuration of blackbox_exporter: each target that is
// probed by a module of the prober http becomes a check.
//
// It fails with an *Error when a source cannot be read or nothing is left of it.
// The result is then nil, or has the notes only.
func Blackbox(src Source, opts BlackboxOptions) (*Result, error) {
	root, err := parseYAML(src)
	if err != nil {
		return nil, err
	}
	d := newDraft("blackbox", src)
	b := &blackbox{draft: d, opts: opts, modules: map[string]*module{}}
	r := d.root(root, src.Name)
	if !r.is(mapping) || !r.has("modules") {
		return nil, &Error{src.Name, root.line, "has no modules: this is no configuration of blackbox_exporter"}
	}
	for _, p := range r.key("modules").pairs() {
		m := &module{at: p.at, prober: p.str("prober")}
		b.modules[p.name] = m
		b.names = append(b.names, p.name)
	}
	if len(opts.Prometheus.Data) > 0 {
		if err := b.prometheus(opts.Prometheus); err != nil {
			return nil, err
		}
	}
	b.targets()
	b.unused()
	d.remarks = append(d.remarks,
		"Alerting rules stay in Prometheus: esawatch exports probe_success and the other metrics under the same names, with the labels site and check in place of instance. Its own receivers work beside them.",
		"A failure is looked at again after 5 seconds and told after 3 in a row (defaults.confirm); certificates are looked at everywhere (expect.cert_valid_for).")
	return d.result()
}

// blackbox is one import in the making.
type blackbox struct {
	*draft
	opts    BlackboxOptions
	modules map[string]*module
	names   []string // of the modules, in order
}

// module is how to probe.
type module struct {
	at     at
	prober string
	used   bool
}

// target is what to probe with it.
type target struct {
	at       at // where it is named
	url      string
	module   string
	title    string
	labels   []label
	schedule text
	timeout  time.Duration
	host     string // the parameter hostname
}

// targets are those of the command line.
func (b *blackbox) targets() {
	if len(b.opts.Targets) == 0 {
		return
	}
	name := b.opts.Module
	if name == "" {
		name = "http_2xx"
		if b.modules[name] == nil {
			overHTTP := slices.DeleteFunc(slices.Clone(b.names), func(n string) bool { return b.modules[n].prober != "http" })
			if len(overHTTP) == 1 {
				name = overHTTP[0]
			}
		}
	}
	for _, url := range b.opts.Targets {
		b.add(target{at: at{nil, "", 0, "--target", b.draft}, url: url, module: name})
	}
}

// unused notes the modules that no target asks for.
func (b *blackbox) unused() {
	for _, name := range b.names {
		if m := b.modules[name]; !m.used {
			if m.prober != "http" {
				m.at.note("is not carried over: its prober is "+quoted(m.prober)+", and esawatch asks over HTTP only", "keep it in blackbox_exporter")
				continue
			}
			m.at.note("is not carried over: no target is probed with it", "name its targets with --prometheus or --target")
		}
	}
}

// add makes a check of a target.
func (b *blackbox) add(t target) {
	m := b.modules[t.module]
	if m == nil {
		t.at.note("is not carried over: there is no module "+quoted(t.module), "name one with --module, or add it")
		return
	}
	first := !m.used
	m.used = true
	if m.prober != "http" {
		t.at.note("is not carried over: the prober of the module "+quoted(t.module)+" is "+quoted(m.prober)+", and esawatch asks over HTTP only", "keep it in blackbox_exporter")
		return
	}
	url := t.url
	if !strings.Contains(url, "://") {
		url = "http://" + url // as the exporter does
	}
	ad, ok := b.address(t.at, t.module, url)
	if !ok {
		return
	}
	c := &check{at: m.at, address: ad, title: t.title, schedule: t.schedule, labels: t.labels}
	c.comments = append(c.comments, "module "+t.module)
	before := len(b.notes)
	b.module(c, m.at, t)
	b.draft.add(c)
	if !first {
		b.notes = slices.Delete(b.notes, before, len(b.notes)) // said with the first target
	}
}
