package web

import (
	"strings"
	"unicode"
)

// maxWords is how many characters of one text from a server are shown.
const maxWords = 600

// clean makes a text that came from a server fit to be shown: what would write
// over its neighbours, run backwards or not be seen at all becomes a mark, and
// what is too long is cut. Markup is the templates' business.
func clean(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > maxWords {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\n', r == '\t':
			r = ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp), r == unicode.ReplacementChar:
			r = '�'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func cleaned(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = clean(text)
	}
	return all
}
