package notify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes one harmless line of at most limit runes out of s, which may come
// from a hostile server: terminal escapes, control characters, line breaks and
// invalid UTF-8 become spaces or U+FFFD; characters that reorder or hide text
// vanish; runs of spaces become one. A line that was cut ends in "…". It reads
// no more of s than it shows, so that its cost is bounded too.
func Line(s string, limit int) string {
	if limit <= 0 {
		return ""
	}
	var b strings.Builder
	runes, space := 0, false
	for i := 0; i < len(s); {
		if n := escapeLength(s[i:]); n > 0 {
			i += n
			space = true
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = true
			continue
		case invisible(r):
			continue
		}
		if space && runes > 0 {
			b.WriteByte(' ')
			runes++
		}
		space = false
		if runes >= limit {
			return Cut(b.String(), limit-1) + "…"
		}
		b.WriteRune(r)
		runes++
	}
	return b.String()
}

// Cut is the first limit runes of s, or s when it is no longer.
func Cut(s string, limit int) string {
	if limit <= 0 {
		return ""
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}

// maxEscape bounds how much text a terminal escape may swallow.
const maxEscape = 64

// escapeLength is the length of the terminal control sequence (ESC [ … letter)
// that s begins with, 0 when it begins with none. Of other escapes only the ESC
// goes, with the control characters: their text is harmless without it.
func escapeLength(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	for i := 2; i < min(len(s), maxEscape); i++ {
		switch c := s[i]; {
		case c >= 0x40 && c <= 0x7e:
			return i + 1
		case c < 0x20 || c > 0x7e:
			return 0
		}
	}
	return 0
}

// invisible tells whether r shows nothing and serves to deceive: direction
// marks and overrides, zero-width and filler characters, tags. The joiners that
// emoji and some scripts need stay.
func invisible(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return false
	case r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' || r == '\u034f':
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// Width is how many columns s takes in a fixed-width font: two for a Chinese
// character or an emoji, none for a mark that joins the character before it.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
			r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff01 && r <= 0xff60 ||
			r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd):
			n += 2
		default:
			n++
		}
	}
	return n
}

// Pad is s with spaces behind it to width columns.
func Pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-Width(s)))
}

// Pair splits an evidence line "label: value" into its parts, both harmless and
// cut. A line with no label has an empty one.
func Pair(evidence string, limit int) (label, value string) {
	const maxLabel = 24
	label, value, found := strings.Cut(evidence, ": ")
	if !found || utf8.RuneCountInString(label) > maxLabel {
		return "", Line(evidence, limit)
	}
	return Line(label, maxLabel), Line(value, limit)
}

// WebURL is s when it is an absolute http or https URL without spaces, quotes or
// brackets that could break out of a link, else "".
func WebURL(s string) string {
	const maxURL = 2000
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") || len(s) > maxURL {
		return ""
	}
	for _, r := range s {
		if r <= ' ' || r >= utf8.RuneSelf && (invisible(r) || unicode.IsControl(r) || unicode.IsSpace(r)) || strings.ContainsRune("<>|\"`\\", r) || r == utf8.RuneError {
			return ""
		}
	}
	return s
}
