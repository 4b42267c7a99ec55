package migrate

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
)

// text is a value as it stands in a configuration of esawatch: ${NAME} comes
// from the environment, $$ is a dollar.
type text string

// literal is text that means itself.
func literal(s string) text {
	if !strings.Contains(s, "$") {
		return text(s)
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '$' && i+1 < len(s) && (s[i+1] == '$' || s[i+1] == '{') {
			b.WriteByte('$')
		}
	}
	return text(b.String())
}

var (
	variableForm = regexp.MustCompile(`\$\$|\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}`)
	variableOnly = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)
)

// variables are the names of the variables in t.
func (t text) variables() []string {
	var names []string
	for _, v := range variableForm.FindAllString(string(t), -1) {
		if v != "$$" {
			name, _, _ := strings.Cut(v[2:len(v)-1], ":-")
			names = append(names, name)
		}
	}
	return names
}

// plain is what t means; ok is false when that depends on the environment.
func (t text) plain() (s string, ok bool) {
	if len(t.variables()) > 0 {
		return "", false
	}
	return strings.ReplaceAll(string(t), "$$", "$"), true
}

// check tells what keeps t from standing at a key. What a variable of the
// source's holds is only known when the configuration is loaded; a secret of the
// draft's may be anything that is plain.
func (d *draft) check(key string, t text) error {
	if !utf8.ValidString(string(t)) { // as what was percent-encoded may be
		return errors.New("it is not text in UTF-8")
	}
	for _, v := range t.variables() {
		if !d.variables.taken[v] {
			return nil
		}
	}
	s := variableForm.ReplaceAllStringFunc(string(t), func(v string) string {
		if v == "$$" {
			return "$"
		}
		return "1"
	})
	return d.keys.CheckValue(key, s)
}

// mask puts something that no parser minds in the place of each variable, so
// that what stands around them can be taken apart.
type mask struct{ held []string }

// maskDigits begins the stand-in for a variable, which is a number: it may be a
// host, a port or a path.
const maskDigits = "908133770"

func (m *mask) hide(t text) string {
	return variableForm.ReplaceAllStringFunc(string(t), func(v string) string {
		if v == "$$" {
			return "$"
		}
		m.held = append(m.held, v)
		return maskDigits + padded(len(m.held)-1)
	})
}

// show puts the variables back. What is around them is text of a source, whose
// dollars mean themselves.
func (m *mask) show(s string) text {
	t := string(literal(s))
	for i, v := range m.held {
		t = strings.ReplaceAll(t, maskDigits+padded(i), v)
	}
	return text(t)
}

// name is s for a name: the names of the variables in their place.
func (m *mask) name(s string) string {
	for i, v := range m.held {
		name, _, _ := strings.Cut(strings.Trim(v, "${}"), ":-")
		s = strings.ReplaceAll(s, maskDigits+padded(i), strings.ToLower(name))
	}
	return s
}

func padded(i int) string {
	const digits = "0123456789"
	return string([]byte{digits[i/1000%10], digits[i/100%10], digits[i/10%10], digits[i%10]})
}
