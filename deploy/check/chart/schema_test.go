package chart

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

var update = flag.Bool("update", false, "write values.schema.json and deploy/kubernetes anew")

// configurationLine begins the line of values.schema.json, its third from the
// last, that holds the schema of the configuration, as the program itself has it.
const configurationLine = `    "configuration": `

// configurationSchema is what "esawatch schema" prints, with its references led
// to where the values' schema has it, and with no words: a chart is stored in
// each release of it.
func configurationSchema(t *testing.T) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), stack.Build(t), "schema").Output()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(out, &schema); err != nil {
		t.Fatal(err)
	}
	delete(schema, "$schema")
	text, err := json.Marshal(wordless(schema, false))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(text, []byte(`"#/$defs/`), []byte(`"#/$defs/configuration/$defs/`))
}

// wordless is a schema without what is for people. names tells that the keys of
// node are names of properties or definitions, not words of the schema.
func wordless(node any, names bool) any {
	switch v := node.(type) {
	case map[string]any:
		for key, value := range v {
			if !names && slices.Contains([]string{"description", "markdownDescription", "title", "examples", "default"}, key) {
				delete(v, key)
				continue
			}
			if !names && (key == "enum" || key == "const") {
				continue
			}
			v[key] = wordless(value, !names && slices.Contains([]string{"properties", "$defs", "patternProperties", "dependentSchemas"}, key))
		}
	case []any:
		for i := range v {
			v[i] = wordless(v[i], false)
		}
	}
	return node
}

// TestSchemaHasTheConfiguration holds that a key which the program would refuse
// is refused by Helm already.
func TestSchemaHasTheConfiguration(t *testing.T) {
	t.Parallel()
	file := filepath.Join(chartDir(t), "values.schema.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, configurationLine) })
	if at < 0 {
		t.Fatalf("%s has no line that begins with %q", file, configurationLine)
	}
	want := configurationLine + string(configurationSchema(t))
	if *update {
		lines[at] = want
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if lines[at] != want {
		t.Errorf("values.schema.json is not up to date with the program; in deploy/check: go test ./chart -update")
	}
}

// TestSchemaKnowsEveryValue holds that values.yaml and the schema have the same
// keys, at all levels that the chart itself defines.
func TestSchemaKnowsEveryValue(t *testing.T) {
	t.Parallel()
	read := func(name string) (tree map[string]any) {
		text, err := os.ReadFile(filepath.Join(chartDir(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		return tree
	}
	schema := read("values.schema.json")
	delete(schema["properties"].(map[string]any), "global")
	compareKeys(t, "", read("values.yaml"), schema)
}

func compareKeys(t *testing.T, path string, values, schema map[string]any) {
	t.Helper()
	properties, ok := schema["properties"].(map[string]any)
	if !ok || len(values) == 0 {
		return // whatever somebody wants
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s takes unknown keys", path)
	}
	for key := range properties {
		if _, ok := values[key]; !ok && path != ".resources" {
			t.Errorf("values.yaml has no %s.%s", path, key)
		}
	}
	for key, value := range values {
		sub, ok := properties[key].(map[string]any)
		if !ok {
			t.Errorf("the schema has no %s.%s", path, key)
			continue
		}
		if inner, ok := value.(map[string]any); ok {
			compareKeys(t, path+"."+key, inner, sub)
		}
	}
}
