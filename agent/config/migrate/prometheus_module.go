package migrate

import (
	"slices"
	"strings"
)

// moduleRules are the relabelling of a job that says by which module a target is
// probed: one after another, the last that applies counts.
type moduleRules []moduleRule

// moduleRule takes the module from a label of the target, or is one for all.
type moduleRule struct {
	label    string
	keeps    bool // without the label the module is what it was; else it is the job's
	constant string
}

// readModuleRule reads a rule that sets the parameter module; ok is false when what it
// sets cannot be known here.
func readModuleRule(rule at) (m moduleRule, ok bool) {
	sources := rule.key("source_labels").texts()
	action, regex, replacement := rule.str("action"), rule.str("regex"), rule.str("replacement")
	if rule.str("target_label") != "__param_module" || action != "" && !strings.EqualFold(action, "replace") || rule.has("modulus") {
		return m, false
	}
	if len(sources) == 0 {
		return moduleRule{constant: replacement}, !rule.has("regex") && replacement != "" && !strings.Contains(replacement, "$")
	}
	whole := !rule.has("regex") || regex == "(.*)" || regex == "(.+)"
	same := !rule.has("replacement") || replacement == "$1" || replacement == "${1}"
	return moduleRule{label: sources[0], keeps: regex == "(.+)"}, len(sources) == 1 && whole && same && isStatic(sources[0])
}

// isStatic tells whether a label of a target is what its static_config says, or is
// not there. The others are set by Prometheus.
func isStatic(name string) bool {
	own := []string{"job", "instance", "__address__", "__scheme__", "__metrics_path__", "__scrape_interval__", "__scrape_timeout__"}
	return !slices.Contains(own, name) && !strings.HasPrefix(name, "__meta_") && !strings.HasPrefix(name, "__param_")
}

// setsModule tells whether a rule sets, or may set, the parameter module.
func setsModule(rule at) bool {
	to := rule.str("target_label")
	if strings.EqualFold(rule.str("action"), "labelmap") {
		to = rule.str("replacement")
	}
	return to == "__param_module" || strings.HasPrefix(to, "__param_") && strings.Contains(to, "$")
}

// moduleOf is the module by which a target with these labels is probed, given that
// of the job, "" for none, and that of the target's own label __param_module, ""
// for none. missing is the label that would have to tell.
func (rules moduleRules) moduleOf(job, own string, labels map[string]string) (module, missing string) {
	module = own
	if module == "" {
		module = job
	}
	for _, r := range rules {
		switch v := labels[r.label]; {
		case r.constant != "":
			module, missing = r.constant, ""
		case v != "":
			module, missing = v, ""
		case !r.keeps:
			module, missing = job, r.label // it takes away what was there
		case module == "":
			missing = r.label
		}
	}
	if module != "" {
		missing = ""
	}
	return module, missing
}
