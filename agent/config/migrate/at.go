package migrate

import (
	"cmp"
	"strconv"
	"strings"
)

// at is a place in a source: a value, and the way to it. Asking it for what is
// not there gives the zero value; what is there and is something else is noted.
type at struct {
	*value
	file  string
	line  int
	path  string
	draft *draft
}

func (d *draft) root(v *value, file string) at { return at{v, file, v.line, "", d} }

// missing tells whether there is nothing, or null.
func (a at) missing() bool { return a.value == nil || a.kind == null }

// note says that what is here is not carried over: what, why, what to do.
func (a at) note(what, do string) {
	a.draft.notes = append(a.draft.notes, Note{a.file, a.line, a.path, what, do})
}

// key goes to a key of a mapping.
func (a at) key(name string) at {
	path := join(a.path, name)
	if a.value != nil && a.kind == mapping {
		if e := a.entry(name); e != nil {
			e.read = true
			return at{e.value, a.file, e.line, path, a.draft}
		}
	}
	return at{nil, a.file, a.line, path, a.draft}
}

// has tells whether a mapping has a key with a value, without reading it.
func (a at) has(name string) bool {
	if a.value == nil || a.kind != mapping {
		return false
	}
	e := a.entry(name)
	return e != nil && e.kind != null
}

// named gives the path the name of what is here, in place of its number.
func (a at) named(name string) at {
	if i := strings.LastIndexByte(a.path, '['); i >= 0 && name != "" {
		a.path = a.path[:i+1] + name + "]"
	}
	return a
}

// is tells whether there is a value of the kind, and notes one of another.
func (a at) is(k kind) bool {
	if a.missing() {
		return false
	}
	if a.kind != k {
		a.note("is "+a.value.String()+", not "+(&value{kind: k}).String()+": it is left out", "")
		return false
	}
	return true
}

// text is a single value, "" when there is none.
func (a at) text() string {
	if !a.is(scalar) {
		return ""
	}
	return a.value.text
}

// str is the text of a key.
func (a at) str(name string) string { return a.key(name).text() }

// flag is a boolean key; ok is false when there is none. Databases know 0 and 1.
func (a at) flag(name string) (v, ok bool) {
	k := a.key(name)
	if k.missing() {
		return false, false
	}
	switch strings.ToLower(k.text()) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off", "":
		return false, true
	}
	k.note("is not true or false: it is left out", "")
	return false, false
}

// number is a whole number; ok is false when there is none.
func (a at) number(name string) (n int, ok bool) {
	k := a.key(name)
	if k.missing() {
		return 0, false
	}
	n, err := strconv.Atoi(k.text())
	if err != nil {
		k.note("is not a whole number: it is left out", "")
		return 0, false
	}
	return n, true
}

// each is every entry of a list.
func (a at) each() []at {
	if !a.is(list) {
		return nil
	}
	entries := make([]at, len(a.items))
	for i, v := range a.items {
		entries[i] = at{v, a.file, v.line, a.path + "[" + strconv.Itoa(i) + "]", a.draft}
	}
	return entries
}

// texts is every single value of a list, or the only one.
func (a at) texts() []string {
	if !a.missing() && a.kind == scalar {
		return []string{a.value.text}
	}
	var all []string
	for _, e := range a.few() {
		if e.is(scalar) {
			all = append(all, e.value.text)
		}
	}
	return all
}

// few is each for a list that nobody makes long: what is beyond a thousand is
// left out, which is noted.
func (a at) few() []at {
	all := a.each()
	if len(all) > maxFew {
		a.note("has more than "+strconv.Itoa(maxFew)+" entries: the rest is left out", "")
		return all[:maxFew]
	}
	return all
}

// maxFew bounds what belongs to one check: headers, conditions, labels.
const maxFew = 1000

// pairs is every key of a mapping, with its place.
func (a at) pairs() []pair {
	if !a.is(mapping) {
		return nil
	}
	pairs := make([]pair, len(a.keys))
	for i, e := range a.keys {
		e.read = true
		pairs[i] = pair{e.key, at{e.value, a.file, e.line, join(a.path, e.key), a.draft}}
	}
	return pairs
}

// fewPairs is pairs for a mapping that nobody makes long.
func (a at) fewPairs() []pair {
	all := a.pairs()
	if len(all) > maxFew {
		a.note("has more than "+strconv.Itoa(maxFew)+" keys: the rest is left out", "")
		return all[:maxFew]
	}
	return all
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

type pair struct {
	name string
	at
}

// unread notes the keys that nobody asked for. reasons say why there is nothing
// like them; a key with the reason "" needs no mention.
func (a at) unread(reasons map[string]string) {
	if a.missing() || a.kind != mapping {
		return
	}
	for _, e := range a.keys {
		if e.read || e.kind == null || strings.HasPrefix(e.key, "x-") || strings.HasPrefix(e.key, ".") {
			continue
		}
		why, known := reasons[e.key]
		if known && why == "" {
			continue
		}
		if !known {
			why = "esawatch has nothing like it"
		}
		a.key(e.key).note("is not carried over: "+why, "")
	}
}

// tail is the last part of a path: the name of a module.
func (a at) tail() string {
	_, name, _ := cutLast(a.path, ".")
	return cmp.Or(name, a.path)
}
