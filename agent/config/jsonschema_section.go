package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// demand tells whether a section with no key in it is wrong.
func (rules sectionRules) demand() bool {
	return len(rules.need)+len(rules.exactlyOne)+len(rules.either) > 0
}

// schema says in a JSON Schema what the keys of a section have to say together.
func (rules sectionRules) schema(sc *schema) object {
	var o object
	var all []any
	if required := rules.required(sc); len(required) > 0 {
		o = append(o, member{"required", required})
	}
	for _, key := range rules.need {
		if f, _ := sc.field(key); takesEmpty(f) {
			all = append(all, given(sc, key))
		}
	}
	if len(rules.exactlyOne) > 0 {
		var one []any
		for _, key := range rules.exactlyOne {
			one = append(one, given(sc, key))
		}
		all = append(all, object{{"oneOf", one}})
	}
	for _, pair := range rules.notBoth {
		all = append(all, not(given(sc, pair[0]), given(sc, pair[1])))
	}
	for _, pair := range rules.together {
		all = append(all, ifThen(given(sc, pair[0]), given(sc, pair[1])), ifThen(given(sc, pair[1]), given(sc, pair[0])))
	}
	for _, key := range slices.Sorted(maps.Keys(rules.needWith)) {
		all = append(all, ifThen(given(sc, key), given(sc, rules.needWith[key])))
	}
	if len(rules.either) > 0 {
		all = append(all, rules.eitherSchema(sc))
	}
	for _, f := range sc.fields {
		if f.fileTwin {
			key := strings.TrimSuffix(f.key, fileSuffix)
			all = append(all, not(givenAlone(sc, key), givenAlone(sc, f.key)))
		}
	}
	if len(all) > 0 {
		o = append(o, member{"allOf", all})
	}
	return o
}

// required are the keys that have to be there under their own name, which is
// what editors offer first.
func (rules sectionRules) required(sc *schema) []string {
	return slices.DeleteFunc(slices.Clone(rules.need), func(key string) bool {
		f, _ := sc.field(key)
		return f.typ == secretType // or its twin
	})
}

// takesEmpty tells whether a value that says nothing passes for the key by itself.
func takesEmpty(f field) bool {
	name, _, optional := ruleOf(f.rule)
	return f.typ == secretType || f.typ.Kind() == reflect.Slice || optional || name == "" || name == "line"
}

// eitherSchema is one group of keys or another.
func (rules sectionRules) eitherSchema(sc *schema) object {
	var forms []any
	for i, group := range rules.either {
		var all []any
		for _, key := range rules.neededOf[i] {
			all = append(all, given(sc, key))
		}
		for j, other := range rules.either {
			for _, key := range other {
				if j != i && !slices.Contains(group, key) {
					all = append(all, not(given(sc, key)))
				}
			}
		}
		forms = append(forms, object{{"allOf", all}})
	}
	return object{{"oneOf", forms}}
}

// given is true of a section in which the key, or its twin, has a value.
func given(sc *schema, key string) object {
	if f, _ := sc.field(key); f.typ == secretType {
		return object{{"anyOf", []any{givenAlone(sc, key), givenAlone(sc, key+fileSuffix)}}}
	}
	return givenAlone(sc, key)
}

// givenAlone is true of a section in which the key has a value. The empty text
// and the empty list are ways not to give one.
func givenAlone(sc *schema, key string) object {
	o := object{{"required", []string{key}}}
	f, _ := sc.field(key)
	switch {
	case f.section() != nil:
		return o
	case f.typ == secretType:
		return append(o, member{"properties", object{{key, not(pattern(`^\s*$`))}}})
	}
	return append(o, member{"properties", object{{key, not(object{{"enum", []any{"", []any{}}}})}}})
}

func not(schemas ...any) object {
	if len(schemas) == 1 {
		return object{{"not", schemas[0]}}
	}
	return object{{"not", object{{"allOf", schemas}}}}
}

func ifThen(condition, then object) object { return object{{"if", condition}, {"then", then}} }
