package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pos is a place in a configuration file, or the name of an environment
// variable with Line 0.
type Pos struct {
	File string
	Line int
}

// String is FILE:LINE, or what of it is known.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Error is one thing that is wrong with a configuration.
type Error struct {
	File string
	Line int    // 0 when the whole file is meant
	Path string // such as "sites[shop].checks[login].timeout"; "" for the whole file
	Msg  string // what is wrong, quoting the value
	Hint string // what would be right, "" when Msg says it
}

// Error is FILE:LINE: PATH: what is wrong (what would be right).
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(Pos{e.File, e.Line}.String())
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Errors is everything that is wrong with a configuration, at least one.
type Errors []*Error

// Error has one error a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each error to errors.As.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// sorted orders by file and line, keeps the order of discovery within a line,
// and drops what is said twice.
func (es Errors) sorted() Errors {
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	said := make(map[Error]bool, len(es))
	return slices.DeleteFunc(es, func(e *Error) bool {
		twice := said[*e]
		said[*e] = true
		return twice
	})
}

// problem is an Error that does not know yet where it stands.
type problem struct{ msg, hint string }

func newProblem(hint, format string, args ...any) *problem {
	return &problem{fmt.Sprintf(format, args...), hint}
}

func (p *problem) Error() string { return (&Error{Msg: p.msg, Hint: p.hint}).Error() }

// quote shows a value of the operator's, cut to a length that fits a line.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return strconv.Quote(s[:cut]) + "…"
	}
	return strconv.Quote(s)
}
