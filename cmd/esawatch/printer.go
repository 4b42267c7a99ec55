package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/esawatch/esawatch/notify"
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
		p.wrapped("  "+notify.Pad(label, 10)+" ", value)
	}
}

// pairs prints lines of "label: value" as two columns.
func (p *printer) pairs(indent string, lines []string) {
	widest := 0
	for _, line := range lines {
		label, _, _ := strings.Cut(line, ": ")
		widest = max(widest, min(notify.Width(label), 24))
	}
	for _, line := range lines {
		label, value, _ := strings.Cut(line, ": ")
		p.wrapped(indent+notify.Pad(label, widest)+"  ", value)
	}
}

// steps prints a numbered list.
func (p *printer) steps(steps []string) {
	for i, s := range steps {
		p.wrapped(fmt.Sprintf("  %d. ", i+1), s)
	}
}

// wrapped prints text behind a prefix, its further lines indented by as much.
func (p *printer) wrapped(prefix, text string) { p.painted("", prefix, text) }

// painted is wrapped with the text in a colour, an SGR code; "" for none.
func (p *printer) painted(sgr, prefix, text string) {
	indent := strings.Repeat(" ", notify.Width(prefix))
	rest := strings.Join(strings.Fields(text), " ")
	for more := true; more; more = rest != "" {
		var line string
		line, rest = notify.Split(rest, max(p.width-len(indent), 20))
		p.line("%s%s", prefix, p.paint(sgr, line))
		prefix = indent
	}
}

// paint colours s on a terminal: an SGR code such as "31;1", "" for none.
func (p *printer) paint(sgr, s string) string {
	if !p.color || sgr == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
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
