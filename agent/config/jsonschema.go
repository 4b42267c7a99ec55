package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// object is a JSON object whose keys keep their order: a schema is read by
// people too, and they know the order of the example.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{m.key, m.value} {
			if j > 0 {
				b.WriteByte(':')
			}
			text, err := marshal(v)
			if err != nil {
				return nil, err
			}
			b.Write(text)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// JSONSchema is the JSON Schema (draft 2020-12) of one configuration file,
// indented, with a newline at its end. It is made of the struct tags that Load
// reads by, so it knows every key, what its value has to be, its default and
// what it is for.
//
// It accepts every file that Load accepts. It cannot say all that Load says:
// what takes more than one file or key to judge, or more than a pattern.
func JSONSchema() ([]byte, error) {
	g := &schemaMaker{schemas: schemas{}}
	root := g.section(reflect.TypeFor[Config](), defaultTree())
	doc := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "esawatch configuration"},
		{"description", "One configuration file of esawatch. ${NAME} and ${NAME:-default} in a value come from the environment; every secret X can be given as X_file."},
	}
	doc = append(doc, root...)
	defs := append(object{{variableDef, variableSchema()}}, g.defs...)
	text, err := marshal(append(doc, member{"$defs", defs}))
	if err != nil {
		return nil, fmt.Errorf("make the JSON Schema: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, fmt.Errorf("make the JSON Schema: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// schemaMaker turns the structs of the configuration into a JSON Schema.
type schemaMaker struct {
	schemas schemas
	defs    object // each section once, by its name
}

// section is the schema of a struct. defaults are the values of its keys that
// are not the zero value.
func (g *schemaMaker) section(t reflect.Type, defaults map[string]any) object {
	sc, rules := g.schemas.of(t), rulesOf(t)
	kind := any([]string{"object", "null"}) // null: every key of it is commented out
	if rules.demand() || t == reflect.TypeFor[Config]() {
		kind = "object"
	}
	props := object{}
	for _, f := range sc.fields {
		props = append(props, member{f.key, g.property(f, defaults)})
	}
	o := object{{"type", kind}, {"properties", props}, {"additionalProperties", false}}
	if t == reflect.TypeFor[Config]() {
		o = append(o, member{"patternProperties", object{{"^" + anchorsPrefix, true}}})
	}
	return append(o, rules.schema(sc)...)
}

// property is the schema of one key: what it is for, its default, what it holds.
func (g *schemaMaker) property(f field, defaults map[string]any) object {
	o := object{{"description", f.doc}}
	def := defaults[f.key]
	if t := f.section(); t != nil {
		return append(o, g.reference(t, asTree(def))...)
	}
	if def == nil && !f.fileTwin {
		def = zeroDefault(f)
	}
	if def != nil {
		o = append(o, member{"default", defaultText(def)})
	}
	switch f.typ.Kind() {
	case reflect.Slice:
		return append(o, g.list(f)...)
	case reflect.Map:
		return append(o, freeMapSchema(f)...)
	}
	return append(o, scalarSchema(f)...)
}

// reference refers to a section, which is described where it is met first.
func (g *schemaMaker) reference(t reflect.Type, defaults map[string]any) object {
	name := strings.ToLower(t.Name())
	if !slices.ContainsFunc(g.defs, func(m member) bool { return m.key == name }) {
		switch t {
		case reflect.TypeFor[Site](), reflect.TypeFor[Check]():
			defaults = defaultSettings()
		case reflect.TypeFor[Receiver]():
			defaults = defaultReceiver()
		}
		if kind := defaultKinds()[name]; kind != nil {
			defaults = kind
		}
		at := len(g.defs)
		g.defs = append(g.defs, member{name, nil})
		g.defs[at].value = g.section(t, defaults)
	}
	return object{{"$ref", "#/$defs/" + name}}
}

// list is a list of sections or of single values.
func (g *schemaMaker) list(f field) object {
	item := field{typ: f.typ.Elem(), rule: f.rule}
	if t := item.section(); t != nil {
		return object{{"type", "array"}, {"items", g.reference(t, nil)}}
	}
	o := object{{"type", "array"}, {"items", scalarSchema(item)}}
	if f.rule == "status" {
		o = append(o, member{"minItems", 1})
	}
	return o
}

// freeMapSchema is a mapping whose keys are the operator's.
func freeMapSchema(f field) object {
	o := object{{"type", "object"}, {"propertyNames", keySchema(f.keyRule)}}
	if f.typ.Elem().Kind() == reflect.Interface {
		return append(o, member{"additionalProperties", true})
	}
	return append(o, member{"additionalProperties", scalarSchema(field{typ: f.typ.Elem(), rule: f.rule})})
}

// zeroDefault is the default of a key that none is given for, nil where there is
// none to speak of: what a section needs has no default.
func zeroDefault(f field) any {
	_, _, optional := ruleOf(f.rule)
	switch {
	case f.typ == secretType, f.typ == timeType:
		return nil
	case f.typ.Kind() == reflect.Bool:
		return false
	case f.typ == durationType && f.rule == "":
		return time.Duration(0)
	case f.typ.Kind() == reflect.String && (optional || f.rule == "" || f.rule == "line"):
		return ""
	case f.typ.Kind() == reflect.Map:
		return object{}
	case f.typ.Kind() == reflect.Slice:
		return []any{}
	}
	return nil
}

// defaultText is a default as it would be written in a file.
func defaultText(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return formatDuration(v)
	case int64:
		return formatBytes(v)
	}
	return v
}

// formatBytes writes a size with the largest unit that divides it.
func formatBytes(n int64) string {
	best := unit{"B", 1}
	for _, u := range byteUnits()[:4] {
		if n%u.size == 0 {
			best = u
		}
	}
	return fmt.Sprintf("%d%s", n/best.size, best.name)
}

func asTree(v any) map[string]any {
	tree, _ := v.(map[string]any)
	return tree
}
