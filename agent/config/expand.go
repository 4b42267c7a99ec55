package config

import (
	"strings"
	"unicode/utf8"
)

// expand replaces ${NAME} and ${NAME:-default} by what lookup knows, and $$ by a
// dollar; any other dollar stays. What was put in is not expanded again.
func expand(s string, lookup func(string) (string, bool)) (string, *problem) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i == len(s)-1 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			s = s[i+2:]
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return "", newProblem("close it, or write $${ for a plain ${", "a ${ has no }")
			}
			value, p := variable(s[i+2:i+end], lookup)
			if p != nil {
				return "", p
			}
			b.WriteString(value)
			s = s[i+end+1:]
		default:
			b.WriteByte('$')
			s = s[i+1:]
		}
	}
}

// variable is the value of what stands between ${ and }.
func variable(inner string, lookup func(string) (string, bool)) (string, *problem) {
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	if !isVariableName(name) {
		return "", newProblem("letters, digits and _; write $${ for a plain ${", "what stands in ${ } is not the name of an environment variable")
	}
	if strings.Contains(fallback, "${") {
		return "", newProblem("a default is plain text", "the default of ${%s} holds another ${", name)
	}
	value, ok := lookup(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !ok:
		return "", newProblem("set it, or give a default: ${"+name+":-value}", "the environment variable %s is not set", name)
	case !utf8.ValidString(value):
		return "", newProblem("text in UTF-8, as in the file", "the environment variable %s is not text", name)
	}
	return value, nil
}

func isVariableName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
