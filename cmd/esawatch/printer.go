package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// printer writes wrapped text and remembers the first error.
type printer struct {
	out   io.Writer
	width int // columns
	color bool
	err   error
}

// newPrinter suits its output: colour and the real width on a terminal.
func newPrinter(out io.Writer) *printer {
	return &printer{out: out, width: terminalWidth(out), color: colorful(out)}
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func (p *printer) blank() { p.line("") }

// field prints a label and its value, wrapped under itself; nothing without a value.
func (p *printer) field(label, value string) {
	if value != "" {
		p.wrapped("  "+label+strings.Repeat(" ", max(10-columns(label), 0))+" ", value)
	}
}

// pairs prints lines of "label: value" as two columns.
func (p *printer) pairs(indent string, lines []string) {
	widest := 0
	for _, line := range lines {
		label, _, _ := strings.Cut(line, ": ")
		widest = max(widest, min(columns(label), 24))
	}
	for _, line := range lines {
		label, value, _ := strings.Cut(line, ": ")
		p.wrapped(indent+label+strings.Repeat(" ", max(widest-columns(label), 0))+"  ", value)
	}
}

// steps prints a numbered list.
func (p *printer) steps(steps []string) {
	for i, s := range steps {
		p.wrapped(fmt.Sprintf("  %d. ", i+1), s)
	}
}

// wrapped prints text behind a prefix, its further lines indented by as much.
func (p *printer) wrapped(prefix, text string) {
	indent := strings.Repeat(" ", columns(prefix))
	for _, line := range wrap(text, max(p.width-len(indent), 20)) {
		p.line("%s%s", prefix, line)
		prefix = indent
	}
}

// paint colours s on a terminal: an SGR code such as "31;1".
func (p *printer) paint(sgr, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// wrap breaks text into lines of at most width columns, at spaces where it can
// and, as in Chinese, between wide characters where there are none.
func wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		w := columns(word)
		if used > 0 && used+1+w > width && !(hasWide(word) && used+8 < width) {
			lines = append(lines, line)
			line, used = "", 0
		}
		if used > 0 {
			line += " "
			used++
		}
		for hasWide(word) && used+w > width {
			cut := cutColumns(word, width-used)
			lines = append(lines, line+word[:cut])
			line, used = "", 0
			word = word[cut:]
			w = columns(word)
		}
		line += word
		used += w
	}
	return append(lines, line)
}

// columns is the width of s on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 2 for the characters of Chinese text, else 1.
func runeColumns(r rune) int {
	if r >= 0x2e80 && r <= 0xffe6 && (r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00) {
		return 2
	}
	return 1
}

func hasWide(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return runeColumns(r) == 2 })
}

// cutColumns is the byte length of the longest start of s that fits, at least
// one character.
func cutColumns(s string, width int) int {
	n := 0
	for i, r := range s {
		n += runeColumns(r)
		if n > width && i > 0 {
			return i
		}
	}
	return max(len(s), utf8.RuneLen([]rune(s)[0]))
}

const defaultWidth = 100

func terminalWidth(out io.Writer) int {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			return min(w, 140)
		}
	}
	return defaultWidth
}

// colorful tells whether colour helps: on a terminal, unless NO_COLOR says no.
func colorful(out io.Writer) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
