package config

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// secretLeaf is a secret on its way through the layers: its value, or the
// file that holds it.
type secretLeaf struct{ Value, File string }

// String keeps the value from an error text that would print the tree.
func (secretLeaf) String() string { return hidden }

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// kindOf names what a node is, for errors.
func kindOf(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "empty"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func cut(s string) string { return strings.Trim(quote(s), `"`) }

// text is a scalar's text, with the environment put in. plain tells whether it
// stood without quotes, so that it may be a number or a boolean.
func (r *reader) text(n *yaml.Node, path string) (s string, plain, ok bool) {
	switch {
	case isNull(n):
		r.fail(n, path, newProblem(`give one, or leave the key out; "" is the empty text`, "has no value"))
		return "", false, false
	case n.Kind != yaml.ScalarNode:
		r.fail(n, path, newProblem("", "is %s, not a single value", kindOf(n)))
		return "", false, false
	case n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!str":
		r.fail(n, path, newProblem("a value that begins with ! goes into quotes", "a tag is not supported"))
		return "", false, false
	case r.raw || !strings.Contains(n.Value, "$"):
		return n.Value, n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0, true
	}
	s, p := expand(n.Value, r.lookup)
	if p != nil {
		r.fail(n, path, p)
		return "", false, false
	}
	return s, true, true
}

// scalar reads a single value.
func (r *reader) scalar(n *yaml.Node, f field, path string) (any, bool) {
	s, plain, ok := r.text(n, path)
	if !ok {
		return nil, false
	}
	var v any
	var p *problem
	switch {
	case f.typ == secretType:
		v, p = r.secret(s, f)
	case f.typ == durationType:
		v, p = readDuration(s, f.rule)
	case f.typ == timeType:
		v, p = readTime(s)
	case f.typ.Kind() == reflect.Bool:
		v, p = readBool(s, plain)
	case f.typ.Kind() == reflect.Int:
		v, p = readInt(s, plain, f.rule)
	case f.typ.Kind() == reflect.Int64:
		v, p = readBytes(s)
	default:
		v, p = r.str(s, f, Pos{r.file, n.Line}, path)
	}
	if p != nil {
		r.fail(n, path, p)
		return nil, false
	}
	return v, true
}

func readDuration(s, rule string) (any, *problem) {
	d, p := parseDuration(s)
	if p == nil && d == 0 && rule == "positive" {
		p = newProblem("more than 0", "%s is too short", quote(s))
	}
	return d, p
}

func readTime(s string) (any, *problem) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil, newProblem("as 2026-12-01T00:00:00Z or 2026-12-01T08:00:00+08:00", "%s is not a time", quote(s))
	}
	return t, nil
}

func readBool(s string, plain bool) (any, *problem) {
	if plain && (s == "true" || s == "false") {
		return s == "true", nil
	}
	hint := "true or false"
	switch strings.ToLower(s) {
	case "yes", "on", "y", "1", "true":
		hint = "did you mean true?"
	case "no", "off", "n", "0", "false":
		hint = "did you mean false?"
	}
	return nil, newProblem(hint, "%s is not a boolean", quote(s))
}

func readInt(s string, plain bool, rule string) (any, *problem) {
	i, err := strconv.Atoi(s)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return nil, newProblem("", "%s is out of range", quote(s))
	case err != nil:
		return nil, newProblem("", "%s is not a whole number", quote(s))
	case !plain:
		return nil, newProblem("did you mean "+s+" without quotes?", "%s is text, not a number", quote(s))
	}
	return i, checkInt(rule, i)
}

func readBytes(s string) (any, *problem) {
	const most = 1 << 30
	b, p := parseBytes(s)
	if p == nil && (b < 1 || b > most) {
		p = newProblem("from 1B to 1GiB", "%s is out of range", quote(s))
	}
	return b, p
}

// str reads text. A name that refers to something is noted, to be looked up
// when everything has been read; a file is looked at now.
func (r *reader) str(s string, f field, pos Pos, path string) (any, *problem) {
	s, p := checkString(f.rule, s)
	if p != nil {
		return nil, p
	}
	switch rule, _, _ := ruleOf(f.rule); rule {
	case "site", "receiver":
		r.refs = append(r.refs, reference{rule, s, pos, path})
	case "file":
		return r.fileName(s, f.key != "body_file")
	}
	return s, nil
}

// fileName resolves the path of a file that has to be there and readable. It is
// live when its content is read anew for each use.
func (r *reader) fileName(s string, live bool) (any, *problem) {
	if s == "" {
		return s, nil
	}
	path := r.resolve(s)
	r.see(path, live)
	if err := readable(path); err != nil {
		return nil, r.fileProblem(s, err)
	}
	return path, nil
}

// secret reads a secret's value or the path of its file. It shows neither the
// value nor what a file holds.
func (r *reader) secret(s string, f field) (any, *problem) {
	if strings.TrimSpace(s) == "" {
		return secretLeaf{}, nil
	}
	if !f.fileTwin {
		return secretLeaf{Value: s}, checkSecret(f.rule, s)
	}
	leaf := secretLeaf{File: r.resolve(s)}
	r.see(leaf.File, true)
	secret := r.secretOf(leaf)
	value, err := secret.Get()
	if err != nil {
		return nil, r.fileProblem(s, err)
	}
	if p := checkSecret(f.holds, value); p != nil {
		return leaf, p
	}
	secret.keep(f.holds)
	return leaf, nil
}

func checkSecret(rule, value string) *problem {
	if strings.ContainsAny(value, "\r\n\x00") {
		return newProblem("", "a secret is one line of text")
	}
	if name, _, _ := ruleOf(rule); name == "url" {
		if _, p := parseURL(value, []string{"http", "https"}); p != nil {
			return newProblem("https://host/path", "the secret is not a URL")
		}
	}
	return nil
}

// fileProblem says why a file cannot be used, and where it was looked for.
func (r *reader) fileProblem(s string, err error) *problem {
	hint := ""
	if !filepath.IsAbs(s) {
		hint = "looked for " + r.resolve(s)
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	for _, plain := range []error{errEmptySecret, errLargeSecret, errNotAFile, errNotRegular} {
		if errors.Is(err, plain) {
			return newProblem(hint, "the file %s %v", quote(s), plain)
		}
	}
	return newProblem(hint, "the file %s cannot be read: %v", quote(s), err)
}

var (
	errNotAFile   = errors.New("is a directory")
	errNotRegular = errors.New("is a pipe or a device, which cannot be read again and again")
)

// regular refuses what to open might wait for ever.
func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errNotAFile
	case !info.Mode().IsRegular():
		return errNotRegular
	}
	return nil
}

func readable(path string) error {
	info, err := os.Stat(path)
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// anything reads a free value, as JSON has them.
func (r *reader) anything(n *yaml.Node, path string) (any, bool) {
	wasIn := r.inAlias
	defer func() { r.inAlias = wasIn }()
	n, ok := r.enter(n, path)
	if !ok {
		return nil, false
	}
	defer r.leave()
	switch n.Kind {
	case yaml.SequenceNode:
		list, ok := make([]any, len(n.Content)), true
		for i, c := range n.Content {
			v, valid := r.anything(c, indexPath(path, i))
			list[i], ok = v, ok && valid
		}
		return list, ok
	case yaml.MappingNode:
		tree, ok := map[string]any{}, true
		for _, p := range r.pairs(n, path) {
			v, valid := r.anything(p.valueNode, childPath(path, p.key))
			tree[p.key], ok = v, ok && valid
		}
		return tree, ok
	}
	if isNull(n) {
		return nil, true
	}
	s, plain, ok := r.text(n, path)
	if !ok || !plain {
		return s, ok
	}
	return plainValue(s, n.ShortTag()), true
}

// plainValue is what an unquoted scalar stands for in JSON.
func plainValue(s, tag string) any {
	switch tag {
	case "!!bool":
		if s == "true" || s == "false" {
			return s == "true"
		}
	case "!!int":
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i
		}
		fallthrough
	case "!!float":
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	}
	return s
}
