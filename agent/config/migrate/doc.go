// Package migrate turns the configuration of other monitors into one of
// esawatch: what means the same is carried over, and whatever does not is named
// with its place, so that nothing goes missing unnoticed.
//
// A source is read as a tree with a line at every value (tree.go). Each kind of
// source (blackbox.go, gatus.go, kuma.go) walks its tree and fills a draft
// (draft.go, check.go), which judges every value as agent/config will when the
// result is loaded, keeps secrets out (secret.go), and is written as YAML
// (write.go).
package migrate

import (
	"cmp"
	"strconv"
	"strings"
)

// Source is a file of another monitor's.
type Source struct {
	Name string // as the operator named it, for places
	Data []byte
}

// Result is a configuration for esawatch, and what is to be known about it.
type Result struct {
	YAML  []byte
	Notes []Note // what could not be carried over, in the order of the source
	Needs []Need // what has to be there before it can be loaded

	Sites, Checks, Receivers int
}

// Note is something that is not in the result, or not as it was.
type Note struct {
	File string
	Line int    // 0 when it is of no line
	Path string // such as "endpoints[ping].url"; "" for the whole file
	What string // what is not carried over: why
	Do   string // what to do about it, "" when nothing has to be done
}

// String is FILE:LINE: PATH: what, and why (what to do), in one line.
func (n Note) String() string {
	var b strings.Builder
	for _, part := range []string{n.place(), n.Path, n.What} {
		if part != "" && b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(part)
	}
	if n.Do != "" {
		b.WriteString(" (" + n.Do + ")")
	}
	return oneLine(b.String())
}

func (n Note) place() string {
	if n.Line == 0 {
		return n.File
	}
	return n.File + ":" + strconv.Itoa(n.Line)
}

// Need is a variable of the environment or a file that the result refers to.
type Need struct {
	Variable string // its name, "" when it is a file
	File     string // its path, as it stands in the result
	For      string // what it stands for and where that was: "alerting.slack.webhook-url, gatus.yaml:3"
}

// Name is the variable's or the file's.
func (n Need) Name() string { return cmp.Or(n.Variable, n.File) }

// Error is why nothing can be made of a source at all.
type Error struct {
	File string
	Line int // 0 when it is of no line
	Msg  string
}

func (e *Error) Error() string {
	return oneLine(Note{File: e.File, Line: e.Line, What: e.Msg}.String())
}

// oneLine keeps text of a source from breaking out of its line, and short.
func oneLine(s string) string {
	const most = 600 // bytes
	s = strings.Map(func(r rune) rune {
		if r == '\t' || !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
