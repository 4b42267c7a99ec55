package config

import (
	"fmt"
	"reflect"
)

// fill puts a tree of the reader's into a struct. The tree's values have the
// right types already, so nothing is converted but between a type and its
// underlying one, and an error is a fault of this package, not of the operator.
// Slices, maps and pointers are made new: what is filled may share its own with
// other checks.
func (l *loader) fill(tree map[string]any, into any) error {
	return l.fillStruct(reflect.ValueOf(into).Elem(), tree)
}

func (l *loader) fillStruct(into reflect.Value, tree map[string]any) error {
	sc := l.schemas.of(into.Type())
	for key, v := range tree {
		f, ok := sc.field(key)
		if !ok {
			return fmt.Errorf("%s has no key %q", into.Type(), key)
		}
		if err := l.fillValue(into.FieldByIndex(f.index), v); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func (l *loader) fillValue(into reflect.Value, v any) error {
	if into.Kind() == reflect.Interface {
		if v == nil {
			into.SetZero()
		} else {
			into.Set(reflect.ValueOf(v))
		}
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		return l.fillMapping(into, v)
	case []any:
		if into.Kind() == reflect.Slice {
			return l.fillSlice(into, v)
		}
	case secretLeaf:
		if into.Type() == secretType {
			into.Set(reflect.ValueOf(l.secretOf(v)))
			return nil
		}
	default:
		if from := reflect.ValueOf(v); from.IsValid() && from.Kind() == into.Kind() {
			into.Set(from.Convert(into.Type()))
			return nil
		}
	}
	return fmt.Errorf("%T does not fit %s", v, into.Type())
}

func (l *loader) fillMapping(into reflect.Value, tree map[string]any) error {
	switch into.Kind() {
	case reflect.Struct:
		return l.fillStruct(into, tree)
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return l.fillValue(into.Elem(), tree)
	case reflect.Map:
		filled := reflect.MakeMapWithSize(into.Type(), len(tree))
		for key, v := range tree {
			item := reflect.New(into.Type().Elem()).Elem()
			if err := l.fillValue(item, v); err != nil {
				return fmt.Errorf("%q: %w", key, err)
			}
			filled.SetMapIndex(reflect.ValueOf(key), item)
		}
		into.Set(filled)
		return nil
	}
	return fmt.Errorf("a mapping does not fit %s", into.Type())
}

func (l *loader) fillSlice(into reflect.Value, list []any) error {
	filled := reflect.MakeSlice(into.Type(), len(list), len(list))
	for i, v := range list {
		if err := l.fillValue(filled.Index(i), v); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	into.Set(filled)
	return nil
}
