package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Keys knows what may stand at each key of a configuration. Use NewKeys. It is
// not safe for concurrent use.
type Keys struct{ schemas schemas }

// NewKeys reads what Load reads by.
func NewKeys() Keys { return Keys{schemas{}} }

// CheckValue tells what is wrong with a single value, nil when nothing is. Key
// is where it would stand, without the names of list entries:
// "sites.checks.timeout"; for a list or a mapping, each of its values. Variables
// are not expanded, and files and other names are not looked for.
func (k Keys) CheckValue(key, value string) error {
	f, err := k.field(key)
	if err != nil {
		return err
	}
	var p *problem
	switch {
	case f.typ == secretType:
		p = checkSecret(f.rule, value)
	case f.typ == durationType:
		_, p = readDuration(value, f.rule)
	case f.typ == timeType:
		_, p = readTime(value)
	case f.typ.Kind() == reflect.Bool:
		_, p = readBool(value, true)
	case f.typ.Kind() == reflect.Int:
		_, p = readInt(value, true, f.rule)
	case f.typ.Kind() == reflect.Int64:
		_, p = readBytes(value)
	default:
		_, p = checkString(f.rule, value)
	}
	if p != nil {
		return p
	}
	return nil
}

// CheckKey tells what is wrong with a key of a mapping whose keys are the
// operator's, such as "sites.checks.headers".
func (k Keys) CheckKey(key, name string) error {
	f, err := k.field(key)
	if err != nil {
		return err
	}
	if strings.ContainsFunc(name, isControlKey) {
		return newProblem("", "the key %s holds a control character", quote(name))
	}
	if _, p := checkString(f.keyRule, name); p != nil {
		return p
	}
	return nil
}

// field finds a key. A list or a mapping is taken for what it holds.
func (k Keys) field(key string) (field, error) {
	t := reflect.TypeFor[Config]()
	var f field
	for name := range strings.SplitSeq(key, ".") {
		if t == nil {
			return field{}, fmt.Errorf("look up %q: %q holds no keys", key, f.key)
		}
		var ok bool
		if f, ok = k.schemas.of(t).field(name); !ok {
			return field{}, fmt.Errorf("look up %q: there is no key %q", key, name)
		}
		if kind := f.typ.Kind(); kind == reflect.Slice || kind == reflect.Map {
			f.typ = f.typ.Elem()
		}
		t = f.section()
	}
	if t != nil {
		return field{}, fmt.Errorf("look up %q: %q is a section", key, f.key)
	}
	return f, nil
}
