package migrate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const relabelModules = `
modules:
  http_2xx: {prober: http}
  http_post: {prober: http, http: {method: POST}}
  http_put: {prober: http, http: {method: PUT}}
  icmp: {prober: icmp}
`

// TestModuleByRelabelling: where relabelling names the module of a target, the check
// is made of that one. What cannot be known is left out, and not guessed.
func TestModuleByRelabelling(t *testing.T) {
	const (
		usual    = "{source_labels: [__address__], target_label: __param_target}, {target_label: __address__, replacement: 'blackbox:9115'}"
		byLabel  = "{source_labels: [module], target_label: __param_module}"
		explicit = "{source_labels: [module], regex: (.*), replacement: '${1}', action: replace, target_label: __param_module}"
		ifThere  = "{source_labels: [module], regex: (.+), target_label: __param_module}"
		leftOut  = "so that no target of this job is carried over"
		noLabel  = `it has no label "module"`
		params   = "params: {module: [http_put]}"
	)
	for _, tt := range []struct {
		name, params, rules string
		methods             string // of a (module: http_post), b (icmp), c (no label), as far as they are checks
		note                string
	}{
		{"by a label", params, byLabel, "a POST, c PUT", ""},
		{"by a label, written out", params, explicit, "a POST, c PUT", ""},
		{"by a label, if it is there", params, ifThere, "a POST, c PUT", ""},
		{"by a label, with no other module", "", byLabel, "a POST", noLabel},
		{"by a label if it is there, with no other module", "", ifThere, "a POST", noLabel},
		{"one for all", params, "{target_label: __param_module, replacement: http_post}", "a POST, b POST, c POST", ""},
		{"one for all, and then by a label if it is there", "", "{target_label: __param_module, replacement: http_put}, " + ifThere, "a POST, c PUT", ""},
		{"by a pattern", params, "{source_labels: [module], regex: 'x_(.*)', target_label: __param_module}", "", leftOut},
		{"by another text", params, "{source_labels: [module], replacement: 'http_$1', target_label: __param_module}", "", leftOut},
		{"by two labels", params, "{source_labels: [module, team], target_label: __param_module}", "", leftOut},
		{"by the address", params, "{source_labels: [__address__], target_label: __param_module}", "", leftOut},
		{"by hash", params, "{source_labels: [module], action: hashmod, modulus: 2, target_label: __param_module}", "", leftOut},
		{"by a label that a rule sets", params, "{source_labels: [team], target_label: module}, " + byLabel, "", leftOut},
		{"by any label", params, "{action: labelmap, regex: 'x_(.*)', replacement: '__param_$1'}", "", leftOut},
	} {
		job := "scrape_configs:\n- job_name: web\n  metrics_path: /probe\n  " + tt.params + "\n  relabel_configs: [" + usual + ", " + tt.rules + "]\n" +
			"  static_configs:\n" +
			"  - {targets: ['https://a.example.com'], labels: {module: http_post}}\n" +
			"  - {targets: ['https://b.example.com'], labels: {module: icmp}}\n" +
			"  - {targets: ['https://c.example.com']}\n" +
			"- job_name: other\n  metrics_path: /probe\n  static_configs: [{targets: ['https://d.example.com']}]\n"
		r, err := Blackbox(Source{"f", []byte(relabelModules)}, BlackboxOptions{Prometheus: Source{"p", []byte(job)}})
		notes := notesOf(t, r, err)
		c, err := load(t, r)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range c.Sites {
			if name, _, _ := strings.Cut(s.Name, "."); name != "d" {
				got = append(got, fmt.Sprintf("%s %s", name, s.Checks[0].Method))
			}
		}
		if strings.Join(got, ", ") != tt.methods {
			t.Errorf("%s: got %q, want %q", tt.name, strings.Join(got, ", "), tt.methods)
		}
		said := func(part string) bool {
			return slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, part) })
		}
		for _, part := range []string{leftOut, noLabel} {
			if said(part) != (part == tt.note) {
				t.Errorf("%s: %q is said: %v; notes %q", tt.name, part, said(part), notes)
			}
		}
	}
}
