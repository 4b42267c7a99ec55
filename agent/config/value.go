package config

import (
	"fmt"
	"reflect"
	"strings"
)

// CheckValue tells what is wrong with a single value, nil when nothing is. Key
// is where it would stand, without the names of list entries:
// "sites.checks.timeout"; for a list or a mapping, each of its values. Variables
// are not expanded, and files and other names are not looked for.
func CheckValue(key, value string) error {
	f, err := fieldAt(key)
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
func CheckKey(key, name string) error {
	f, err := fieldAt(key)
	if err != nil {
		return err
	}
	if _, p := checkString(f.keyRule, name); p != nil {
		return p
	}
	return nil
}

// fieldAt finds a key. A list or a mapping is taken for what it holds.
func fieldAt(key string) (field, error) {
	t, s := reflect.TypeFor[Config](), schemas{}
	var f field
	for name := range strings.SplitSeq(key, ".") {
		if t == nil {
			return field{}, fmt.Errorf("look up %q: %q holds no keys", key, f.key)
		}
		var ok bool
		if f, ok = s.of(t).field(name); !ok {
			return field{}, fmt.Errorf("look up %q: there is no key %q", key, name)
		}
		if k := f.typ.Kind(); k == reflect.Slice || k == reflect.Map {
			f.typ = f.typ.Elem()
		}
		t = f.section()
	}
	if t != nil {
		return field{}, fmt.Errorf("look up %q: %q is a section", key, f.key)
	}
	return f, nil
}
