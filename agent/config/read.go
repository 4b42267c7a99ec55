package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	maxDepth   = 64      // levels of a value; the schema itself has 6
	maxAliased = 500_000 // nodes reached through aliases, which multiply
)

// reader reads one file's nodes by the schema. It says everything that is
// wrong, and makes of the rest a tree of typed values for the layers to merge.
type reader struct {
	*loader
	file string // as the operator named it; or the name of an environment variable
	dir  string // where relative paths start

	raw bool // dollars stand for themselves

	depth   int
	inAlias int
	aliased int
	stopped bool // given up on this file
}

// element is one entry of a list of structs.
type element struct {
	tree map[string]any
	node *yaml.Node
	file string
	path string
	bad  map[string]bool // keys whose value was refused, so that nobody complains again
}

func (e element) pos() Pos { return Pos{e.file, e.node.Line} }

// name is the element's own name, "" when it has none that is valid.
func (e element) name() string {
	name, _ := e.tree["name"].(string)
	return name
}

func (r *reader) fail(n *yaml.Node, path string, p *problem) {
	r.report(Pos{r.file, n.Line}, path, p)
}

// enter follows an alias and keeps count of how deep and how far it all goes.
// leave must be called when it returns true.
func (r *reader) enter(n *yaml.Node, path string) (*yaml.Node, bool) {
	if r.stopped {
		return nil, false
	}
	r.depth++
	for n.Kind == yaml.AliasNode {
		n = n.Alias
		r.inAlias = max(r.inAlias, 1)
	}
	if r.inAlias > 0 {
		r.aliased++
	}
	var p *problem
	switch {
	case r.depth > maxDepth:
		p = newProblem(fmt.Sprintf("at most %d levels", maxDepth), "is nested too deeply")
	case r.aliased > maxAliased:
		p = newProblem("write it out", "aliases make this file too large")
	default:
		return n, true
	}
	r.fail(n, path, p)
	r.stopped = true
	r.depth--
	return nil, false
}

func (r *reader) leave() { r.depth-- }

// value reads n as what the field holds. ok is false when it was refused, which
// has then been reported.
func (r *reader) value(n *yaml.Node, f field, path string) (v any, ok bool) {
	wasIn := r.inAlias
	defer func() { r.inAlias = wasIn }()
	n, ok = r.enter(n, path)
	if !ok {
		return nil, false
	}
	defer r.leave()

	if t := f.section(); t != nil {
		tree, _, ok := r.mapping(n, r.schemas.of(t), path)
		return tree, ok
	}
	switch f.typ.Kind() {
	case reflect.Slice:
		return r.list(n, f, path)
	case reflect.Map:
		return r.freeMap(n, f, path)
	default:
		return r.scalar(n, f, path)
	}
}

// pair is one key of a mapping with its value.
type pair struct {
	key       string
	node      *yaml.Node // of the key
	valueNode *yaml.Node
}

// pairs lists a mapping's keys, with those merged in by << behind its own.
func (r *reader) pairs(n *yaml.Node, path string) []pair {
	var own []pair
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			r.fail(n.Content[i], path, newProblem("", "a key must be plain text"))
		case k.ShortTag() == "!!merge":
			merged = append(merged, v)
		case strings.ContainsFunc(k.Value, isControlKey):
			r.fail(k, path, newProblem("", "the key %s holds a control character", quote(k.Value)))
		default:
			own = append(own, pair{k.Value, n.Content[i], v})
		}
	}
	own = r.unique(own, path)
	for _, m := range merged {
		own = append(own, r.mergedPairs(m, own, path)...)
	}
	return own
}

// isControlKey tells what no key may hold.
func isControlKey(c rune) bool { return c < ' ' || c == 0x7f }

func (r *reader) unique(pairs []pair, path string) []pair {
	first := make(map[string]int, len(pairs))
	kept := pairs[:0]
	for _, p := range pairs {
		if line, ok := first[p.key]; ok {
			r.fail(p.node, childPath(path, p.key), newProblem(fmt.Sprintf("first in line %d", line), "is given twice"))
			continue
		}
		first[p.key] = p.node.Line
		kept = append(kept, p)
	}
	return kept
}

// mergedPairs are the keys that << brings in and that are not there already.
func (r *reader) mergedPairs(n *yaml.Node, have []pair, path string) []pair {
	n, ok := r.enter(n, path)
	if !ok {
		return nil
	}
	defer r.leave()
	r.inAlias = max(r.inAlias, 1)

	var found []pair
	switch n.Kind {
	case yaml.MappingNode:
		found = r.pairs(n, path)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			found = append(found, r.mergedPairs(item, append(have[:len(have):len(have)], found...), path)...)
		}
	default:
		r.fail(n, path, newProblem("<<: *anchor, or <<: [*one, *two]", "<< merges mappings only"))
	}
	known := make(map[string]bool, len(have))
	for _, p := range have {
		known[p.key] = true
	}
	var added []pair
	for _, p := range found {
		if !known[p.key] {
			known[p.key] = true
			added = append(added, p)
		}
	}
	return added
}

// anchorsPrefix begins the keys at the top of a file that nobody reads: a place for
// what is only referred to, by YAML's anchors.
const anchorsPrefix = "x-"

// mapping reads a section. bad are the keys whose value was refused.
func (r *reader) mapping(n *yaml.Node, sc *schema, path string) (tree map[string]any, bad map[string]bool, ok bool) {
	tree, bad = map[string]any{}, map[string]bool{}
	if isNull(n) {
		n = &yaml.Node{Kind: yaml.MappingNode, Line: n.Line} // every key of it was commented out
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, newProblem("keys and values: "+strings.Join(sc.keys(), ", "), "is %s, not a section", kindOf(n)))
		return nil, nil, false
	}
	for _, p := range r.pairs(n, path) {
		f, known := sc.field(p.key)
		if path == "" && strings.HasPrefix(p.key, anchorsPrefix) {
			continue
		}
		if !known {
			r.fail(p.node, childPath(path, p.key), newProblem(r.hintForKey(p.key, sc), "unknown key"))
			bad[closest(p.key, sc.keys())] = true // which is then not missing
			continue
		}
		v, ok := r.value(p.valueNode, f, childPath(path, p.key))
		switch {
		case !ok:
			bad[strings.TrimSuffix(p.key, twinSuffix(f))] = true
		case f.typ == secretType:
			r.setSecret(tree, f, v.(secretLeaf), p.node, path)
		default:
			tree[p.key] = v
		}
	}
	r.checkSection(sc.typ, n, section{tree, bad}, path)
	if len(bad) > 0 {
		r.badKeys[n] = bad
	}
	return tree, bad, true
}

func twinSuffix(f field) string {
	if f.fileTwin {
		return fileSuffix
	}
	return ""
}

// setSecret lays X or X_file under the one key X, so that a later layer's
// replaces an earlier one's in whatever form.
func (r *reader) setSecret(tree map[string]any, f field, s secretLeaf, n *yaml.Node, path string) {
	key := strings.TrimSuffix(f.key, twinSuffix(f))
	if s == (secretLeaf{}) {
		return // "" is how not to give one
	}
	if _, twice := tree[key]; twice {
		r.fail(n, childPath(path, f.key), newProblem("keep one", "both %s and %s are given", key, key+fileSuffix))
		return
	}
	tree[key] = s
}

// hintForKey says what an unknown key may have been meant to be.
func (r *reader) hintForKey(key string, sc *schema) string {
	synonyms := map[string]string{"interval": "schedule", "every": "schedule", "period": "schedule", "cron": "schedule",
		"endpoint": "url", "target": "url", "request_headers": "headers", "tls_config": "tls", "basic_auth": "auth"}
	if s := synonyms[key]; s != "" {
		if _, ok := sc.field(s); ok {
			return fmt.Sprintf("did you mean %q?", s)
		}
	}
	for _, f := range sc.fields {
		if t := f.section(); t != nil {
			if _, ok := r.schemas.of(t).field(key); ok && len(key) > 3 {
				return fmt.Sprintf("did you mean %q?", f.key+"."+key)
			}
		}
	}
	return didYouMean(key, sc.keys())
}

// freeMap reads a mapping whose keys are the operator's.
func (r *reader) freeMap(n *yaml.Node, f field, path string) (any, bool) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, newProblem("{name: value}", "is %s, not a mapping", kindOf(n)))
		return nil, false
	}
	item := field{typ: f.typ.Elem(), rule: f.rule}
	tree, ok := map[string]any{}, true
	for _, p := range r.pairs(n, path) {
		at := childPath(path, p.key)
		key, problem := checkString(f.keyRule, p.key)
		if problem != nil {
			r.fail(p.node, at, problem)
			ok = false
			continue
		}
		if _, twice := tree[key]; twice {
			r.fail(p.node, at, newProblem("header names do not mind case", "is given twice"))
			ok = false
			continue
		}
		v, valid := r.mapValue(p.valueNode, item, at)
		ok = ok && valid
		tree[key] = v
	}
	return tree, ok
}

func (r *reader) mapValue(n *yaml.Node, item field, path string) (any, bool) {
	if item.typ.Kind() == reflect.Interface {
		return r.anything(n, path)
	}
	return r.value(n, item, path)
}

// list reads a list: of structs as []element, of anything else as []any.
func (r *reader) list(n *yaml.Node, f field, path string) (any, bool) {
	item := field{typ: f.typ.Elem(), rule: f.rule}
	if n.Kind != yaml.SequenceNode {
		hint := "a list begins each entry with -"
		if n.Kind == yaml.ScalarNode && !isNull(n) {
			hint = "did you mean [" + cut(n.Value) + "]?"
		} else if isNull(n) {
			hint = "write [], or leave the key out"
		}
		r.fail(n, path, newProblem(hint, "is %s, not a list", kindOf(n)))
		return nil, false
	}
	if t := item.section(); t != nil {
		return r.elements(n, r.schemas.of(t), path)
	}
	values, ok := make([]any, 0, len(n.Content)), true
	for i, c := range n.Content {
		v, valid := r.value(c, item, indexPath(path, i))
		ok = ok && valid
		values = append(values, v)
	}
	if len(values) == 0 && strings.HasPrefix(f.rule, "status") {
		r.fail(n, path, newProblem("[100-599] takes any", "is empty: no answer would do"))
		return nil, false
	}
	return values, ok
}

func (r *reader) elements(n *yaml.Node, sc *schema, path string) ([]element, bool) {
	wasIn := r.inAlias
	list := make([]element, 0, len(n.Content))
	offset := r.offsets[path] // entries of this list in the files before
	for i, c := range n.Content {
		at := elementPath(path, c, offset+i)
		c, ok := r.enter(c, at)
		if !ok {
			return nil, false
		}
		if tree, bad, ok := r.mapping(c, sc, at); ok {
			list = append(list, element{tree, c, r.file, at, bad})
		}
		r.leave()
		r.inAlias = wasIn
	}
	return list, true
}

// resolve makes a path of the file's relative to the file rather than to the
// working directory.
func (r *reader) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}
