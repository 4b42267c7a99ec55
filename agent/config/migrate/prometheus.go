package migrate

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// What Prometheus does where its file says nothing.
const (
	scrapeInterval = time.Minute
	scrapeTimeout  = 10 * time.Second
)

// prometheus takes the targets out of the scrape jobs that go through the
// exporter, and the Alertmanagers.
func (b *blackbox) prometheus(src Source) error {
	tree, err := parseYAML(src)
	if err != nil {
		return err
	}
	root := b.root(tree, src.Name)
	if !root.is(mapping) || !root.has("scrape_configs") {
		return &Error{src.Name, tree.line, "has no scrape_configs: this is no configuration of Prometheus"}
	}
	global := root.key("global")
	every, limit := scrapeInterval, scrapeTimeout
	if d, ok := global.period("scrape_interval"); ok {
		every = d
	}
	if d, ok := global.period("scrape_timeout"); ok {
		limit = d
	}
	for _, job := range root.key("scrape_configs").each() {
		b.job(job.named(job.str("job_name")), every, min(limit, every))
	}
	for _, am := range root.key("alerting").key("alertmanagers").each() {
		b.alertmanager(am)
	}
	return nil
}

// job adds the targets of a scrape job, if it is one of the exporter's.
func (b *blackbox) job(job at, every, limit time.Duration) {
	if !job.is(mapping) {
		return
	}
	params := job.key("params")
	modules := params.key("module").texts()
	if len(modules) == 0 && job.str("metrics_path") != "/probe" {
		return // it scrapes something else
	}
	if d, ok := job.period("scrape_interval"); ok {
		every, limit = d, min(limit, d)
	}
	if d, ok := job.period("scrape_timeout"); ok {
		limit = d
	}
	base := target{timeout: limit, schedule: duration(every)}
	if len(modules) > 0 {
		base.module = modules[0]
	}
	if hosts := params.key("hostname").texts(); len(hosts) > 0 {
		base.host = hosts[0]
	}
	params.unread(map[string]string{"debug": "", "target": "", "prober": ""})
	rules, known := b.relabelling(job)
	if known {
		b.jobTargets(job, base, rules)
	}
	for _, key := range slices.Sorted(maps.Keys(keysOf(job))) {
		switch {
		case key == "file_sd_configs" && b.opts.TargetFiles != nil:
			if known {
				b.fileTargets(job, base, rules)
			}
		case strings.HasSuffix(key, "_sd_configs"):
			job.key(key).note("is not carried over: esawatch discovers no targets", "name them with --target, or write the sites yourself")
		}
	}
}

// jobTargets adds the targets of a job that its file names.
func (b *blackbox) jobTargets(job at, base target, rules moduleRules) {
	for _, group := range job.key("static_configs").each() {
		b.group(group, base, rules)
	}
	targets := job.key("params").key("target")
	for _, url := range targets.texts() {
		t := base
		t.at, t.url = targets, url
		if b.probedBy(&t, targets, "", nil, rules) {
			b.add(t)
		}
	}
}

// probedBy gives a target its module. The bool is false, and noted, when nothing
// says which one it is.
func (b *blackbox) probedBy(t *target, from at, own string, labels map[string]string, rules moduleRules) bool {
	module, missing := rules.moduleOf(t.module, own, labels)
	if missing != "" {
		from.note("is not carried over: it has no label "+quoted(missing)+", which names the module that probes it", "name its targets with --target, and the module with --module")
		return false
	}
	if t.module = module; module == "" {
		t.module = "http_2xx" // as the exporter does
	}
	return true
}

func keysOf(a at) map[string]bool {
	keys := map[string]bool{}
	for _, e := range a.keys {
		keys[e.key] = true
	}
	return keys
}

// group adds the targets of one static_config.
func (b *blackbox) group(group at, base target, rules moduleRules) {
	if !group.is(mapping) {
		return
	}
	own, labels := "", map[string]string{}
	for _, p := range group.key("labels").fewPairs() {
		labels[p.name] = p.text()
		switch {
		case p.name == "__param_module":
			own = p.text()
		case p.name == "__param_hostname":
			base.host = p.text()
		case slices.ContainsFunc(rules, func(r moduleRule) bool { return r.label == p.name }) && strings.HasPrefix(p.name, "__"):
		case strings.HasPrefix(p.name, "__"):
			p.note("is not carried over: esawatch does not relabel", "")
		default:
			base.labels = append(base.labels, label{labelOf(p.name), literal(p.text())})
		}
	}
	if !b.probedBy(&base, group, own, labels, rules) {
		return
	}
	for _, item := range group.key("targets").each() {
		t := base
		t.at, t.url = item, item.text()
		if t.url != "" {
			b.add(t)
		}
	}
}

// labelOf keeps a label's name, unless esawatch sets a label of that name itself.
func labelOf(name string) string {
	switch name {
	case "alertname", "site", "check", "location", "condition", "fault", "severity":
		return "source_" + name
	}
	return labelName(name)
}

// relabelling notes what a job does to its targets beyond the usual, which is
// to make of the address a parameter. It returns what says by which module they
// are probed; known is false, and noted, when that cannot be known.
func (b *blackbox) relabelling(job at) (modules moduleRules, known bool) {
	known = true
	changed := map[string]bool{} // the labels that rules before have set
	anyLabel := false            // a rule before may have changed any
	for _, rule := range job.key("relabel_configs").few() {
		if !rule.is(mapping) {
			continue
		}
		if setsModule(rule) {
			m, ok := readModuleRule(rule)
			if ok && (m.label == "" || !changed[m.label] && !anyLabel) {
				modules = append(modules, m)
				continue
			}
			known = false
			rule.note("cannot be followed here: it says which module probes a target, so that no target of this job is carried over", "name them with --target, and the module with --module")
			continue
		}
		changed[rule.str("target_label")] = true
		anyLabel = anyLabel || strings.HasPrefix(strings.ToLower(rule.str("action")), "label")
		if !usualRule(rule) {
			rule.note("is not carried over: esawatch does not relabel", "see that the URLs and labels of this job's checks are what they were")
		}
	}
	return modules, known
}

// usualRule tells whether a rule is one of those that lead a target by way of the
// exporter.
func usualRule(rule at) bool {
	to, from := rule.str("target_label"), strings.Join(rule.key("source_labels").texts(), ",")
	plain := !rule.has("regex") && !rule.has("action") && !rule.has("modulus")
	return plain && (to == "__param_target" && from == "__address__" && !rule.has("replacement") ||
		to == "instance" && (from == "__param_target" || from == "__address__") && !rule.has("replacement") ||
		to == "__address__" && from == "")
}

// alertmanager makes a receiver of the Alertmanagers that Prometheus tells.
func (b *blackbox) alertmanager(am at) {
	if !am.is(mapping) {
		return
	}
	scheme := am.str("scheme")
	if scheme == "" {
		scheme = "http"
	}
	var urls []text
	for _, group := range am.key("static_configs").each() {
		for _, item := range group.key("targets").each() {
			url := literal(scheme + "://" + item.text() + strings.TrimRight(am.str("path_prefix"), "/"))
			if err := b.check("receivers.alertmanager.urls", url); err != nil {
				item.note("is not carried over: it is no address of an Alertmanager", "")
				continue
			}
			urls = append(urls, url)
		}
	}
	if len(urls) > 0 {
		b.receiver("alertmanager", "alertmanager", newBlock().set("urls", urls), "As in "+am.file+": all that fits is told.")
	}
	const secured = "esawatch speaks to an Alertmanager with no credentials"
	am.unread(map[string]string{"api_version": "", "timeout": "", "basic_auth": secured, "authorization": secured, "tls_config": secured, "oauth2": secured,
		"relabel_configs": "esawatch does not relabel", "follow_redirects": "", "enable_http2": ""})
}
