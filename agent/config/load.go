package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v4"
)

// maxFile bounds one file: 10,000 checks with all their settings are half of it.
const maxFile = 8 << 20 // bytes

// pipePatience is how long a pipe may take to give a file's content.
const pipePatience = 30 * time.Second

// separator joins the keys of a path inside koanf. No key can hold it.
const separator = "\x00"

// Options are what Load takes from its surroundings.
type Options struct {
	// Environ is the environment as NAME=value; nil = the process's own.
	Environ []string
	// Hostname is the machine's name, which stands in for an agent.location that
	// is not configured; "" = as the system has it.
	Hostname string
	// AllowNoSites lets a configuration pass that watches nothing.
	AllowNoSites bool
	// Seen is called for each file and directory that the configuration is made
	// of or names, also by a Load that fails; nil: nobody wants to know.
	Seen func(Input)
}

// DefaultPaths are the files that are looked for, in order, when none is named.
func DefaultPaths() []string {
	return []string{"config.yaml", "/etc/esawatch/config.yaml"}
}

// Load reads the files and directories (their *.yaml in name order), lays them
// over the built-in defaults and the environment over them, and resolves every
// check. With no paths it takes the first of DefaultPaths that exists.
//
// What is wrong comes back as Errors, all of it at once.
func Load(paths []string, opts Options) (*Config, error) {
	l := newLoader(opts)
	c, err := l.load(paths)
	if err != nil {
		return nil, err
	}
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	return c, nil
}

// loader is the state of one Load.
type loader struct {
	opts    Options
	env     map[string]string
	used    map[string]bool // environment variables that a file asked for
	schemas schemas
	errs    Errors

	config    *koanf.Koanf
	hash      hash.Hash
	sources   sources
	roots     []element            // each file as a whole, in order
	lists     map[string][]element // the joined lists
	offsets   map[string]int       // how many entries they had before the present file
	refs      []reference
	secrets   map[secretLeaf]Secret
	badRoot   bool // some file could not be read at all
	paths     []string
	fileNames []string
	unread    []string        // *.yml beside them
	seen      map[string]bool // the paths of Options.Seen

	badKeys      map[*yaml.Node]map[string]bool // of sections, those whose value was refused
	badVariables map[string]bool                // of the environment, likewise
}

// reference is a name that something else must bear.
type reference struct {
	kind string // "site" or "receiver"
	name string
	pos  Pos
	path string
}

func newLoader(opts Options) *loader {
	if opts.Environ == nil {
		opts.Environ = os.Environ()
	}
	l := &loader{
		opts: opts, env: map[string]string{}, used: map[string]bool{}, schemas: schemas{},
		config: koanf.New(separator), hash: sha256.New(),
		lists: map[string][]element{}, offsets: map[string]int{}, secrets: map[secretLeaf]Secret{}, seen: map[string]bool{},
		badKeys: map[*yaml.Node]map[string]bool{}, badVariables: map[string]bool{},
	}
	for _, kv := range opts.Environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			l.env[name] = value
		}
	}
	return l
}

func (l *loader) report(pos Pos, path string, p *problem) {
	const most = 240 // bytes; longer is not a path that anyone wrote
	if len(path) > most {
		path = path[:most] + "…"
	}
	l.errs = append(l.errs, &Error{pos.File, pos.Line, path, p.msg, p.hint})
}

func (l *loader) lookup(name string) (string, bool) {
	l.used[name] = true
	value, ok := l.env[name]
	return value, ok
}

// secretOf makes one Secret of each file, however many checks name it.
func (l *loader) secretOf(leaf secretLeaf) Secret {
	if leaf.File == "" {
		return NewSecret(leaf.Value)
	}
	s, ok := l.secrets[leaf]
	if !ok {
		s = FileSecret(leaf.File)
		l.secrets[leaf] = s
	}
	return s
}

// load returns an error only for a fault of this package; the operator's are in
// l.errs.
func (l *loader) load(paths []string) (*Config, error) {
	l.fileNames = l.findFiles(paths)
	if err := l.config.Load(confmap.Provider(defaultTree(), ""), nil); err != nil {
		return nil, fmt.Errorf("load defaults: %w", err)
	}
	for _, name := range l.fileNames {
		if err := l.loadFile(name); err != nil {
			return nil, fmt.Errorf("load %q: %w", name, err)
		}
	}
	if err := l.loadEnv(); err != nil {
		return nil, fmt.Errorf("load environment: %w", err)
	}
	c, err := l.build()
	if err != nil {
		return nil, fmt.Errorf("build configuration: %w", err)
	}
	return c, nil
}

// findFiles turns what was asked for into files.
func (l *loader) findFiles(paths []string) []string {
	if len(paths) == 0 {
		i := slices.IndexFunc(DefaultPaths(), func(path string) bool {
			l.see(path, false) // what is not there may come
			return exists(path)
		})
		if i < 0 {
			l.report(Pos{}, "", newProblem("--config FILE names another", "there is no configuration: neither %s", strings.Join(DefaultPaths(), " nor ")))
			l.badRoot = true
			return nil
		}
		paths = DefaultPaths()[i : i+1]
	}
	l.paths = paths
	var files []string
	for _, path := range paths {
		l.see(path, false)
		info, err := os.Stat(path)
		switch {
		case err != nil:
			l.unreadable(path, err)
		case info.IsDir():
			files = append(files, l.filesIn(path)...)
		default:
			files = append(files, path)
		}
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (l *loader) filesIn(dir string) []string {
	files, err := filesNamed(dir, ".yaml")
	if err != nil {
		l.unreadable(dir, err)
		return nil
	}
	others, _ := filesNamed(dir, ".yml")
	l.unread = append(l.unread, others...)
	if len(files) == 0 {
		hint := "its *.yaml are read"
		if len(others) > 0 {
			hint = "its *.yaml are read: rename " + filepath.Base(others[0])
		}
		l.report(Pos{File: dir}, "", newProblem(hint, "the directory holds no configuration"))
		l.badRoot = true
	}
	return files
}

func (l *loader) unreadable(path string, err error) {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	l.report(Pos{File: path}, "", newProblem("", "cannot be read: %v", err))
	l.badRoot = true
}

// loadFile reads one file and lays it over what is there.
func (l *loader) loadFile(name string) error {
	l.see(name, false)
	data, err := readFile(name)
	if err != nil {
		l.unreadable(name, err)
		return nil
	}
	fmt.Fprintf(l.hash, "%d\n", len(data))
	l.hash.Write(data)

	root, p := parse(data)
	if p != nil {
		l.badRoot = true
		l.report(Pos{name, p.line}, "", p.problem)
		return nil
	}
	r := &reader{loader: l, file: name, dir: filepath.Dir(name)}
	tree, bad, ok := r.mapping(root, l.schemas.of(reflect.TypeFor[Config]()), "")
	if !ok || r.stopped {
		l.badRoot = true
		return nil
	}
	l.sources = append(l.sources, &source{file: name, data: data})
	l.roots = append(l.roots, element{tree, root, name, "", bad})
	for key, v := range tree {
		if list, ok := v.([]element); ok {
			l.lists[key] = append(l.lists[key], list...)
			delete(tree, key)
		}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		l.offsets[root.Content[i].Value] += len(root.Content[i+1].Content)
	}
	return l.config.Load(confmap.Provider(tree, ""), nil, koanf.WithMergeFunc(overlay))
}

// readFile reads a file of the configuration. It may be a pipe, as in
// --config <(…), but one that nobody writes to must not hold up the program, its
// end, or every later reload: it is empty, or waited for within bounds.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(pipePatience)) // a regular file has none, and needs none
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		return nil, errors.New("larger than 8 MiB; several files may share the sites")
	}
	return data, err
}

// syntaxProblem is a problem of the file's form.
type syntaxProblem struct {
	*problem
	line int
}

// parse gives the top level of the only document in data.
func parse(data []byte) (*yaml.Node, *syntaxProblem) {
	var doc yaml.Node
	err := yaml.Load(data, &doc)
	switch {
	case err == nil && len(doc.Content) == 1 && !isNull(doc.Content[0]):
		return doc.Content[0], nil
	case err == nil || doc.Kind == 0 && strings.Contains(err.Error(), "no documents"):
		return nil, &syntaxProblem{newProblem("the smallest useful file is: "+smallest, "the file is empty"), 1}
	case doc.Kind != 0:
		return nil, &syntaxProblem{newProblem("one file is one document: remove the line ---, or use several files", "there is a second document"), secondDocument(data)}
	}
	line, msg := 1, "it cannot be read"
	if le, ok := errors.AsType[*yaml.LoadError](err); ok {
		line, msg = max(le.Mark.Line, 1), le.Message
	}
	if strings.Contains(msg, "anchor") { // the message quotes what may be a password that begins with *
		return nil, &syntaxProblem{newProblem("a value that begins with * or & goes into quotes", "is not YAML: an unknown anchor"), line}
	}
	return nil, &syntaxProblem{newProblem(hintForSyntax(data, line), "is not YAML: %s", msg), line}
}

// secondDocument is the line on which the second document begins.
func secondDocument(data []byte) int {
	begun, line := false, 0
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimSpace(text)
		if begun && strings.HasPrefix(text, "---") {
			return line
		}
		begun = begun || text != "" && text[0] != '#' && text[0] != '%'
	}
	return 1
}

// hintForSyntax knows the mistake that people make most.
func hintForSyntax(data []byte, line int) string {
	n := 0
	for text := range strings.Lines(string(data)) {
		n++
		if n == line && strings.Contains(text[:len(text)-len(strings.TrimLeft(text, " \t"))], "\t") {
			return "YAML is indented with spaces, not tabs"
		}
	}
	return ""
}

func (l *loader) sum() string { return hex.EncodeToString(l.hash.Sum(nil)) }
