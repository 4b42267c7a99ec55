package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// DidYouMean is the hint for a word that is not among those known, as the
// errors of the configuration have it: the API's speak alike.
func DidYouMean(word string, known []string) string { return didYouMean(word, known) }

// didYouMean is the hint for a word that is not among those known: the closest
// one, or all when they are few, or "".
func didYouMean(word string, known []string) string {
	if c := closest(word, known); c != "" {
		return fmt.Sprintf("did you mean %q?", c)
	}
	if len(known) == 0 || len(known) > 12 {
		return ""
	}
	return "known: " + strings.Join(known, ", ")
}

// closest is the known word with the fewest edits from word, "" when none is
// near enough to be what was meant.
func closest(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	word = strings.ToLower(word)
	best, bestDistance := "", min(utf8.RuneCountInString(word)/3, 3)+1
	for _, k := range known {
		if d := distance(word, strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the number of letters to insert, drop, change or swap with the
// next to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			change := last[j-1]
			if x[i-1] != y[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
