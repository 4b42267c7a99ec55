package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// field is one key of a struct of the configuration.
type field struct {
	key      string
	typ      reflect.Type
	index    []int  // of the struct's field, as reflect.Value.FieldByIndex wants it
	rule     string // what the value, or each value of a list or map, has to be
	keyRule  string // what each key of a map has to be
	doc      string // what it is for
	fileTwin bool   // the key is X_file and holds the path of the secret X
	holds    string // the rule of what the file holds
}

// schema is every key of a struct, inlined structs included, in order.
type schema struct {
	typ    reflect.Type
	fields []field
}

// schemas reads each struct's tags once.
type schemas map[reflect.Type]*schema

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
)

func (s schemas) of(t reflect.Type) *schema {
	if sc, ok := s[t]; ok {
		return sc
	}
	sc := &schema{typ: t}
	s[t] = sc
	for f := range t.Fields() {
		tag := f.Tag.Get("yaml")
		switch {
		case tag == ",inline":
			for _, inlined := range s.of(f.Type).fields {
				inlined.index = append(slices.Clone(f.Index), inlined.index...)
				sc.fields = append(sc.fields, inlined)
			}
		case tag == "" || tag == "-":
		default:
			sc.add(tag, f)
		}
	}
	return sc
}

func (s *schema) add(key string, f reflect.StructField) {
	fd := field{key: key, typ: f.Type, index: f.Index, rule: f.Tag.Get("rule"), keyRule: f.Tag.Get("key"), doc: f.Tag.Get("doc")}
	s.fields = append(s.fields, fd)
	if f.Type == secretType {
		s.fields = append(s.fields, field{key: key + fileSuffix, typ: f.Type, rule: "file", fileTwin: true, holds: fd.rule, doc: "a file that holds " + key + ": " + fd.doc})
	}
}

// fileSuffix makes the key of a secret's twin.
const fileSuffix = "_file"

func (s *schema) field(key string) (field, bool) {
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return field{}, false
	}
	return s.fields[i], true
}

func (s *schema) keys() []string {
	keys := make([]string, len(s.fields))
	for i, f := range s.fields {
		keys[i] = f.key
	}
	return keys
}

// isScalar tells whether the field holds one value, which is what the
// environment can override.
func (f field) isScalar() bool {
	switch f.typ {
	case secretType, timeType:
		return true
	}
	switch f.typ.Kind() {
	case reflect.String, reflect.Int, reflect.Int64, reflect.Bool:
		return true
	}
	return false
}

// section is the struct that the field's mapping is read as, nil when the
// field holds something else.
func (f field) section() reflect.Type {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == secretType || t == timeType {
		return nil
	}
	return t
}

// ruleOf splits a rule into its name and argument, and tells whether the empty
// string is allowed.
func ruleOf(rule string) (name, arg string, optional bool) {
	name, arg, _ = strings.Cut(rule, ":")
	name, optional = strings.CutSuffix(name, "?")
	return name, arg, optional
}
