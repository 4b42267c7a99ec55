package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The bounds of a source. Real ones are far below: ten thousand monitors of
// Uptime Kuma have half a million values.
const (
	maxSource = 16 << 20  // bytes
	maxDepth  = 64        // levels
	maxValues = 2_000_000 // aliases and merges written out
)

// kind is what a value is.
type kind int

const (
	null kind = iota // also a value that is not there
	scalar
	list
	mapping
)

// value is one value of a source, aliases and merges written out.
type value struct {
	kind  kind
	tag   string // of a scalar: str, int, float or bool
	text  string // of a scalar, as it is written
	line  int
	items []*value
	keys  []*entry
}

// entry is one key of a mapping.
type entry struct {
	key  string
	line int
	*value
	read bool // some importer has asked for it
}

func (v *value) entry(key string) *entry {
	for _, e := range v.keys {
		if e.key == key {
			return e
		}
	}
	return nil
}

// String names what a value is, for notes.
func (v *value) String() string {
	switch v.kind {
	case scalar:
		return "a single value"
	case list:
		return "a list"
	case mapping:
		return "a mapping"
	}
	return "empty"
}

// tree makes values, up to the bounds.
type tree struct {
	file   string
	values int
}

func (t *tree) fail(line int, format string, args ...any) error {
	return &Error{t.file, line, fmt.Sprintf(format, args...)}
}

// count keeps a source within its bounds.
func (t *tree) count(line, depth int) error {
	t.values++
	switch {
	case depth > maxDepth:
		return t.fail(line, "is nested too deeply: at most %d levels", maxDepth)
	case t.values > maxValues:
		return t.fail(line, "has too many values, aliases written out: at most %d", maxValues)
	}
	return nil
}

func (t *tree) size(data []byte) error {
	switch {
	case len(data) > maxSource:
		return t.fail(0, "is larger than %d MiB", maxSource>>20)
	case !utf8.Valid(data):
		return t.fail(0, "is not text in UTF-8")
	case len(bytes.TrimSpace(data)) == 0:
		return t.fail(0, "is empty")
	}
	return nil
}

// parseYAML reads the first document of a source. What is wrong with it is an
// *Error.
func parseYAML(src Source) (*value, error) {
	t := &tree{file: src.Name}
	if err := t.size(src.Data); err != nil {
		return nil, err
	}
	var doc yaml.Node
	loader, err := yaml.NewLoader(bytes.NewReader(src.Data))
	if err == nil {
		err = loader.Load(&doc)
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, t.fail(0, "is empty")
	case err != nil:
		line, msg := 0, "it cannot be read"
		if le, ok := errors.AsType[*yaml.LoadError](err); ok {
			line, msg = le.Mark.Line, le.Message
		}
		if strings.Contains(msg, "anchor") { // which may quote a password that begins with *
			msg = "an unknown anchor"
		}
		return nil, t.fail(line, "is not YAML: %s", msg)
	case len(doc.Content) != 1:
		return nil, t.fail(0, "is empty")
	}
	return t.yaml(doc.Content[0], 0)
}

func (t *tree) yaml(n *yaml.Node, depth int) (*value, error) {
	for hops := 0; n.Kind == yaml.AliasNode; hops++ {
		if hops > maxDepth || n.Alias == nil {
			return nil, t.fail(n.Line, "is an alias of itself")
		}
		n = n.Alias
	}
	if err := t.count(n.Line, depth); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.SequenceNode:
		v := &value{kind: list, line: n.Line}
		for _, c := range n.Content {
			item, err := t.yaml(c, depth+1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, item)
		}
		return v, nil
	case yaml.MappingNode:
		return t.yamlMapping(n, depth)
	}
	tag := strings.TrimPrefix(n.ShortTag(), "!!")
	switch tag {
	case "null":
		return &value{line: n.Line}, nil
	case "int", "float", "bool":
	default:
		tag = "str"
	}
	return &value{kind: scalar, tag: tag, text: n.Value, line: n.Line}, nil
}

// yamlMapping reads a mapping, with the keys that << merges in behind its own.
func (t *tree) yamlMapping(n *yaml.Node, depth int) (*value, error) {
	v := &value{kind: mapping, line: n.Line}
	index := map[string]int{}
	add := func(e *entry, override bool) {
		if i, twice := index[e.key]; twice {
			if override {
				v.keys[i] = e
			}
			return
		}
		index[e.key] = len(v.keys)
		v.keys = append(v.keys, e)
	}
	var merged []*value
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		child, err := t.yaml(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			return nil, t.fail(k.Line, "a key is no plain text")
		case k.ShortTag() == "!!merge":
			merged = append(merged, child)
		default:
			add(&entry{key: k.Value, line: k.Line, value: child}, true)
		}
	}
	for len(merged) > 0 {
		m := merged[0]
		merged = append(slices.Clone(m.items), merged[1:]...)
		for _, e := range m.keys {
			add(&entry{key: e.key, line: e.line, value: e.value}, false)
		}
	}
	return v, nil
}

// parseJSON reads a source as JSON. What is wrong with it is an *Error.
func parseJSON(src Source) (*value, error) {
	t := &tree{file: src.Name}
	if err := t.size(src.Data); err != nil {
		return nil, err
	}
	r := &jsonReader{tree: t, data: src.Data, dec: json.NewDecoder(bytes.NewReader(src.Data)), line: 1}
	r.dec.UseNumber()
	v, err := r.next(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, t.fail(r.at(), "something follows the JSON")
	}
	return v, nil
}

// jsonReader reads JSON a token at a time, and knows the line it is in.
type jsonReader struct {
	*tree
	data []byte
	dec  *json.Decoder
	seen int64 // bytes whose lines are counted
	line int
}

// at is the line of what was read last.
func (r *jsonReader) at() int {
	end := min(r.dec.InputOffset(), int64(len(r.data)))
	r.line += bytes.Count(r.data[r.seen:end], []byte("\n"))
	r.seen = end
	return r.line
}

func (r *jsonReader) token() (json.Token, int, error) {
	token, err := r.dec.Token()
	line := r.at()
	if err == nil {
		return token, line, nil
	}
	msg := "it ends too soon"
	if se, ok := errors.AsType[*json.SyntaxError](err); ok && !errors.Is(err, io.ErrUnexpectedEOF) {
		msg = se.Error()
		line = 1 + bytes.Count(r.data[:min(max(se.Offset, 0), int64(len(r.data)))], []byte("\n"))
	}
	return nil, 0, r.fail(line, "is not JSON: %s", msg)
}

func (r *jsonReader) next(depth int) (*value, error) {
	token, line, err := r.token()
	if err != nil {
		return nil, err
	}
	return r.value(token, line, depth)
}

func (r *jsonReader) value(token json.Token, line, depth int) (*value, error) {
	if err := r.count(line, depth); err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return r.list(line, depth)
		}
		return r.mapping(line, depth)
	case string:
		return &value{kind: scalar, tag: "str", text: token, line: line}, nil
	case json.Number:
		tag := "int"
		if strings.ContainsAny(token.String(), ".eE") {
			tag = "float"
		}
		return &value{kind: scalar, tag: tag, text: token.String(), line: line}, nil
	case bool:
		return &value{kind: scalar, tag: "bool", text: fmt.Sprint(token), line: line}, nil
	}
	return &value{line: line}, nil
}

func (r *jsonReader) list(line, depth int) (*value, error) {
	v := &value{kind: list, line: line}
	for {
		token, line, err := r.token()
		if err != nil {
			return nil, err
		}
		if token == json.Delim(']') {
			return v, nil
		}
		item, err := r.value(token, line, depth+1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
	}
}

func (r *jsonReader) mapping(line, depth int) (*value, error) {
	v := &value{kind: mapping, line: line}
	index := map[string]int{}
	for {
		token, line, err := r.token()
		if err != nil {
			return nil, err
		}
		if token == json.Delim('}') {
			return v, nil
		}
		key, ok := token.(string)
		if !ok {
			return nil, r.fail(line, "is not JSON: a key is no text")
		}
		child, err := r.next(depth + 1)
		if err != nil {
			return nil, err
		}
		e := &entry{key: key, line: line, value: child}
		if i, twice := index[key]; twice {
			v.keys[i] = e
			continue
		}
		index[key] = len(v.keys)
		v.keys = append(v.keys, e)
	}
}
