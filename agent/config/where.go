package config

import (
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// sources are all of them, in order. They hold secrets: a pointer behind a
// pointer is what fmt never follows, whatever the verb.
type sources []*source

// source is a file that was read, kept so that a later step can still be told
// the line of what it finds wrong.
type source struct {
	file string
	data []byte

	once sync.Once
	root *yaml.Node // parsed when first asked for: nearly always, nobody does
}

func (s *source) tree() *yaml.Node {
	s.once.Do(func() {
		if root, p := parse(s.data); p == nil {
			s.root = root
		} else {
			s.root = &yaml.Node{} // it was read before, so this does not happen
		}
	})
	return s.root
}

// Where is the place of a path such as "sites[shop].checks[login].expect.json",
// or of the longest part of it that stands in a file. Of several files that
// give it, the last one counts. It is safe for concurrent use.
func (c *Config) Where(path string) Pos {
	var best Pos
	bestLength := 0
	offsets := map[string]int{}
	if c.sources == nil {
		return Pos{}
	}
	for _, src := range *c.sources {
		f := finder{want: path, offsets: offsets}
		f.search(src.tree(), "", 0)
		if f.line > 0 && len(f.found) >= bestLength {
			best, bestLength = Pos{src.file, f.line}, len(f.found)
		}
	}
	if best.File == "" && len(c.Files) > 0 {
		best.File = c.Files[0]
	}
	return best
}

// Errorf is an error about the value at path, for the steps that build
// something of a configuration.
func (c *Config) Errorf(path, hint, format string, args ...any) *Error {
	pos := c.Where(path)
	p := newProblem(hint, format, args...)
	return &Error{pos.File, pos.Line, path, p.msg, p.hint}
}

// finder looks for the longest part of a path.
type finder struct {
	want    string
	offsets map[string]int
	found   string
	line    int
}

func (f *finder) search(n *yaml.Node, path string, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if depth > maxDepth {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			f.visit(n.Content[i], n.Content[i+1], childPath(path, n.Content[i].Value), depth)
		}
	case yaml.SequenceNode:
		offset := f.offsets[path]
		for i, c := range n.Content {
			f.visit(c, c, elementPath(path, c, offset+i), depth)
		}
		f.offsets[path] += len(n.Content)
	}
}

func (f *finder) visit(at, value *yaml.Node, path string, depth int) {
	rest, ok := strings.CutPrefix(f.want, path)
	if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
		return
	}
	if len(path) > len(f.found) {
		f.found, f.line = path, at.Line
	}
	f.search(value, path, depth+1)
}

// childPath is the path of a mapping's key.
func childPath(path, key string) string {
	plain := key != "" && !strings.ContainsFunc(key, func(r rune) bool { return !isNameRune(r) || r == '.' })
	switch {
	case !plain:
		return path + "[" + cut(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

func indexPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// elementPath is the path of a list's entry: by its name if it has one, else by
// its number.
func elementPath(path string, n *yaml.Node, i int) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.MappingNode {
		for k := 0; k+1 < len(n.Content); k += 2 {
			v := n.Content[k+1]
			if n.Content[k].Value == "name" && v.Kind == yaml.ScalarNode && checkName(v.Value) == nil {
				return path + "[" + v.Value + "]"
			}
		}
	}
	return indexPath(path, i)
}
