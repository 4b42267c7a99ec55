package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v4"
)

// envPrefix begins every environment variable that overrides a setting.
const envPrefix = "ESAWATCH_"

// setting is a scalar outside a list, which the environment can override.
type setting struct {
	field
	path []string
}

// settings are all of them by the name of their variable.
func (l *loader) settings() map[string]setting {
	found := map[string]setting{}
	l.collect(reflect.TypeFor[Config](), nil, found)
	return found
}

func (l *loader) collect(t reflect.Type, path []string, found map[string]setting) {
	for _, f := range l.schemas.of(t).fields {
		at := append(slices.Clone(path), f.key)
		if s := f.section(); s != nil {
			l.collect(s, at, found)
		} else if f.isScalar() {
			found[envPrefix+strings.ToUpper(strings.Join(at, "__"))] = setting{f, at}
		}
	}
}

// loadEnv lays the environment over the files. A variable that looks like a
// setting and is none is an error; one that a file asks for, and those that
// Kubernetes makes of a service called esawatch (ESAWATCH_PORT and so on),
// are let be.
func (l *loader) loadEnv() error {
	known := l.settings()
	tree := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		if s, ok := known[name]; ok {
			l.override(name, s, tree)
		} else if !l.used[name] {
			l.unknownVariable(name, known)
		}
	}
	provider := env.Provider(separator, env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return l.opts.Environ },
		TransformFunc: func(name, _ string) (string, any) {
			v, ok := tree[name]
			if !ok {
				return "", nil
			}
			path := slices.Clone(known[name].path)
			last := len(path) - 1
			path[last] = strings.TrimSuffix(path[last], twinSuffix(known[name].field))
			return strings.Join(path, separator), v
		},
	})
	return l.config.Load(provider, nil, koanf.WithMergeFunc(overlay))
}

// override reads one variable's value as its setting wants it.
func (l *loader) override(name string, s setting, tree map[string]any) {
	r := &reader{loader: l, file: name, raw: true}
	path := strings.Join(s.path, ".")
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: l.env[name]}
	v, ok := r.value(n, s.field, path)
	if !ok {
		l.badVariables[name] = true
		return
	}
	if s.typ != secretType {
		fmt.Fprintf(l.hash, "%s %d\n%s", name, len(l.env[name]), l.env[name])
		tree[name] = v
		return
	}
	twin, isFile := strings.CutSuffix(name, strings.ToUpper(fileSuffix))
	if _, both := tree[twin]; both && isFile {
		r.fail(n, path, newProblem("keep one", "both %s and %s are given", twin, name))
	} else if v != (secretLeaf{}) {
		tree[name] = v
	}
}

// unknownVariable complains of a variable that was meant to be a setting: one
// with a level in it, or one that is a setting's name but for the underscores.
func (l *loader) unknownVariable(name string, known map[string]setting) {
	names := slices.Sorted(maps.Keys(known))
	for _, k := range names {
		if strings.ReplaceAll(k, "__", "_") == strings.ReplaceAll(name, "__", "_") {
			l.report(Pos{File: name}, "", newProblem(fmt.Sprintf("did you mean %q? levels are parted by two underscores", k), "is no setting"))
			return
		}
	}
	if !strings.Contains(strings.TrimPrefix(name, envPrefix), "__") {
		return
	}
	hint := "settings in lists and free mappings are in the files only"
	if c := closest(name, names); c != "" {
		hint = fmt.Sprintf("did you mean %q?", c)
	}
	l.report(Pos{File: name}, "", newProblem(hint, "is no setting"))
}
