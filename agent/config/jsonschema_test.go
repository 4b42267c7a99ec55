package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// compileSchema compiles the schema, which holds it to its metaschema too.
func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("esawatch.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("esawatch.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asEditor is a YAML file as an editor sees it: what JSON would have in its
// place, by the types of YAML 1.2.
func asEditor(t testing.TB, text []byte) (any, error) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Load(text, &doc); err != nil || len(doc.Content) != 1 {
		return nil, fmt.Errorf("no document: %v", err)
	}
	left := 10_000
	return editorValue(doc.Content[0], &left)
}

func editorValue(n *yaml.Node, left *int) (any, error) {
	if *left--; *left < 0 {
		return nil, fmt.Errorf("line %d: endless", n.Line)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return editorValue(n.Alias, left)
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			v, err := editorValue(c, left)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return editorMapping(n, left)
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return n.Value == "true", nil
	case "!!int", "!!float":
		return json.Number(strings.TrimPrefix(n.Value, "+")), nil
	}
	return n.Value, nil
}

func editorMapping(n *yaml.Node, left *int) (any, error) {
	tree := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		value, err := editorValue(v, left)
		if err != nil {
			return nil, err
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("line %d: a key that is no text", k.Line)
		case k.ShortTag() == "!!merge":
			merged, ok := value.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("line %d: a merge of no mapping", k.Line)
			}
			for key, v := range merged {
				if _, own := tree[key]; !own {
					tree[key] = v
				}
			}
		default:
			if _, twice := tree[k.Value]; twice {
				return nil, fmt.Errorf("line %d: a key twice", k.Line)
			}
			tree[k.Value] = value
		}
	}
	return tree, nil
}

func TestSchemaAcceptsTheExample(t *testing.T) {
	s := compileSchema(t)
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config.example.yaml":           string(text),
		"the smallest file":             smallest,
		"the smallest file of README":   readmeSmallest(t),
		"several files, one with sites": "receivers: [{name: screen, console: {}}]",
		"variables": `
web: {listen: "${LISTEN:-:9522}"}
defaults: {timeout: "${TIMEOUT}", resolve_after: "${N}", follow_redirects: "${YES}", max_body_bytes: "${SIZE}", expect: {status: ["${STATUS}"]}}
sites: [{name: "${NAME}", url: "https://${HOST}", severity: "${SEVERITY}"}]`,
		"nothing by the empty text": `
sites: [{name: a, url: https://a.example.com, body: "", body_file: "", checks: []}]
receivers: [{name: hook, webhook: {url: "", url_file: /x, headers: {}, secret: "", secret_file: ""}}, {name: s, console: }]`,
		"numbers and booleans for texts": `
sites: [{name: 1.10, url: https://a.example.com, labels: {a: 1, b: true}, ip_family: 4, http_version: 1.1, tls: {min_version: 1.3}, expect: {via_esa: true, status: [200, 3xx, 400-404]}, max_body_bytes: 1024}]
cluster: {urls: [nats://nats-0.example.com:4222], bucket: 2026, region: 1, quorum: 2}
defaults: {quorum: "2"}
catalog: [{condition: 503}]`,
		"dollars":   `sites: [{name: a, url: "https://a.example.com", body: "a$b$$c${D:-$e}", method: "${M:-GE$}T", checks: [{name: b, path: "/$a"}]}]`,
		"durations": "defaults: {schedule: 1d12h, timeout: 1.5s, expect: {max_duration: 0, cert_valid_for: 0s}}",
	} {
		doc, err := asEditor(t, []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// readmeSmallest is the first YAML block of the README.
func readmeSmallest(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("the README shows no configuration")
	}
	return block
}

// onlyLoadKnows are the bad files that the schema takes for good, and why.
var onlyLoadKnows = map[string]string{
	"cert-without-key":             "the other file may be named in another layer",
	"cluster-cert-without-key":     "the other file may be named in another layer",
	"cluster-key-without-cert":     "the other file may be named in another layer",
	"cluster-mixed-urls":           "JSON Schema cannot compare the entries of a list",
	"cluster-password-alone":       "the user may stand in another layer",
	"cluster-user-alone":           "the password may stand in another layer",
	"connect-to-port":              "the range of a port is no pattern",
	"duplicate-names":              "JSON Schema cannot compare the names of a list's entries",
	"files-missing":                "files are looked for",
	"header-patterns":              "regular expressions are compiled",
	"head-with-body":               "either may stand in another layer",
	"head-in-defaults":             "either may stand in another layer",
	"http3-plain":                  "the URL may be the site's",
	"http3-proxy":                  "either may stand in another layer",
	"no-sites":                     "another file may have the sites",
	"sites-empty":                  "another file may have the sites",
	"receiver-unknown":             "names are looked up",
	"regexps":                      "regular expressions are compiled",
	"schedule-cron-never":          "the calendar is asked",
	"schedule-cron-zone-unknown":   "time zones are looked up",
	"schedule-short":               "the range of a duration is no pattern",
	"secret-file-empty":            "files are looked for",
	"secret-file-missing":          "files are looked for",
	"timeout-longer-in-defaults":   "either may stand in another layer",
	"timeout-longer-than-schedule": "either may stand in another layer",
}

// TestSchemaRefusesBadFiles wants of each bad file that it is refused, or that
// it is known why the schema cannot.
func TestSchemaRefusesBadFiles(t *testing.T) {
	s := compileSchema(t)
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("got %d bad files (%v), want all of them", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "invalid-"), ".yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := asEditor(t, text)
		if err == nil {
			err = s.Validate(doc)
		}
		switch why, known := onlyLoadKnows[name]; {
		case err == nil && !known:
			t.Errorf("%s: the schema takes it", name)
		case err != nil && known:
			t.Errorf("%s: the schema refuses it: no need to say that %s", name, why)
		}
	}
	for name := range onlyLoadKnows {
		if !slices.Contains(files, "testdata/invalid-"+name+".yaml") {
			t.Errorf("onlyLoadKnows names %q, which is gone", name)
		}
	}
}

// TestSchemaHasEveryKey holds the schema to the structs, both ways, and each key
// to a description.
func TestSchemaHasEveryKey(t *testing.T) {
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	type section struct {
		Properties map[string]struct {
			Description string
			Default     any
			Ref         string `json:"$ref"`
			Items       struct {
				Ref string `json:"$ref"`
			}
		}
		AdditionalProperties *bool
	}
	var doc struct {
		section
		Defs map[string]section `json:"$defs"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	seen := map[reflect.Type]bool{}
	var look func(schemas, reflect.Type, section)
	look = func(s schemas, typ reflect.Type, got section) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		if got.AdditionalProperties == nil || *got.AdditionalProperties {
			t.Errorf("%s: unknown keys are let through", typ)
		}
		sc := s.of(typ)
		for key := range got.Properties {
			if _, ok := sc.field(key); !ok {
				t.Errorf("%s: the schema has a key %q that is none", typ, key)
			}
		}
		for _, f := range sc.fields {
			p, ok := got.Properties[f.key]
			if !ok {
				t.Errorf("%s: the schema does not know %q", typ, f.key)
			}
			if len(p.Description) < 8 {
				t.Errorf("%s: %q has the description %q: give it a doc tag", typ, f.key, p.Description)
			}
			item, ref := f, p.Ref
			if f.typ.Kind() == reflect.Slice {
				item, ref = field{typ: f.typ.Elem()}, p.Items.Ref
			}
			if sub := item.section(); sub != nil {
				look(s, sub, doc.Defs[strings.TrimPrefix(ref, "#/$defs/")])
			}
		}
	}
	look(schemas{}, reflect.TypeFor[Config](), doc.section)
	if len(seen) < 20 || len(seen) != len(doc.Defs) { // the root is in seen, the variable in $defs
		t.Errorf("looked at %d structs, want the %d of the schema", len(seen), len(doc.Defs))
	}
}

// TestSchemaDefaults loads what the schema calls the default, and wants the
// same as with nothing given.
func TestSchemaDefaults(t *testing.T) {
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	type property struct {
		Default any
		Ref     string `json:"$ref"`
	}
	type section struct{ Properties map[string]property }
	var doc struct {
		section
		Defs map[string]section `json:"$defs"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var tree func(section) map[string]any
	tree = func(s section) map[string]any {
		found := map[string]any{}
		for key, p := range s.Properties {
			name := strings.TrimPrefix(p.Ref, "#/$defs/")
			switch {
			case p.Default != nil && key != "sites":
				found[key] = p.Default
			case p.Ref != "" && name != "auth":
				found[key] = tree(doc.Defs[name])
			}
		}
		return found
	}
	defaults := tree(doc.section)
	defaults["sites"] = []any{map[string]any{"name": "a", "url": "https://a.example.com"}}
	file, err := json.Marshal(defaults)
	if err != nil {
		t.Fatal(err)
	}
	got := mustLoad(t, string(file))
	want := mustLoad(t, `{"sites": [{"name": "a", "url": "https://a.example.com"}]}`)
	for _, part := range []struct {
		name      string
		got, want any
	}{{"agent", got.Agent, want.Agent}, {"web", got.Web, want.Web}, {"log", got.Log, want.Log}, {"cluster", got.Cluster, want.Cluster}, {"alerting", got.Alerting, want.Alerting}, {"defaults", got.Defaults, want.Defaults}} {
		if g, w := fmt.Sprintf("%+v", part.got), fmt.Sprintf("%+v", part.want); g != w {
			t.Errorf("%s: got %s, want %s", part.name, g, w)
		}
	}
	if v := doc.Defs["settings"].Properties["timeout"].Default; v != "10s" {
		t.Errorf("the default of timeout: got %v, want 10s", v)
	}
	if v := doc.Defs["settings"].Properties["max_body_bytes"].Default; v != "1MiB" {
		t.Errorf("the default of max_body_bytes: got %v, want 1MiB", v)
	}
}

// FuzzSchema wants what Load takes to pass the schema: an editor must not
// underline what is right.
func FuzzSchema(f *testing.F) {
	s := compileSchema(f)
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(layered))
	f.Add([]byte(smallest))
	f.Add([]byte("sites: [{name: 1.10, url: https://${SET:-a.example.com}/, schedule: '@daily', labels: {a: $$, b: no}, tls: }]\nreceivers: [{name: s, console: }]"))
	f.Add([]byte("sites: [{name: a, url: https://a.example.com}]\nmaintenance: [{name: m, start: 2026-12-01T00:00:00Z, end: 2026-12-02T00:00:00.5+08:00}]\ncatalog: [{condition: 503, steps: [1]}]"))
	f.Add([]byte("sites: [{name: a, url: https://a.example.com, quorum: 2}]\ncluster: {urls: ['NATS://[2001:db8::1]:4222/', tls://b], quorum: '3', bucket: 1, username: a, password: b}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := load(t, string(data), "SET=value")
		if err != nil {
			return
		}
		doc, err := asEditor(t, data)
		if err != nil {
			return
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("Load takes it, the schema does not: %v\n%s", err, data)
		}
	})
}
