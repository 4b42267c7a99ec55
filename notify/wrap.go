package notify

import (
	"strings"
	"unicode/utf8"
)

const (
	// closing are marks that no line begins with, opening those that none ends with.
	closing = "，。、；：？！）》」』】”’…·,.;:?!)]}%"
	opening = "（《「『【“‘([{"
)

// Split breaks text so that head takes at most room columns, and rest is what is
// left: at the last space, or beside a Chinese character. A word that is longer is
// left whole when it is an address, which must stay clickable, and broken otherwise.
func Split(text string, room int) (head, rest string) {
	columns, at := 0, 0
	var before rune
	for i, r := range text {
		wide := Width(string(r))
		if i > 0 && (r == ' ' || breaks(before, r)) {
			at = i
		}
		before = r
		if columns += wide; columns <= room {
			continue
		}
		if at == 0 {
			_, first := utf8.DecodeRuneInString(text)
			at = wholeWord(text, max(i, first))
		}
		return text[:at], strings.TrimPrefix(text[at:], " ")
	}
	return text, ""
}

// breaks tells whether a line may end between two characters with no space there.
func breaks(before, after rune) bool {
	if Width(string(before)) != 2 && Width(string(after)) != 2 {
		return false
	}
	return before != ' ' && !strings.ContainsRune(closing, after) && !strings.ContainsRune(opening, before)
}

// wholeWord is where to break a word that is too long, at i unless it is an address:
// then behind that.
func wholeWord(text string, i int) int {
	if !strings.Contains(text[:i], "://") {
		return i
	}
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	for j, r := range text[i:] {
		if r == ' ' || breaks(before, r) {
			return i + j
		}
		before = r
	}
	return len(text)
}
