package probe

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes text that may come from a server fit to be shown: at most
// limit bytes of valid UTF-8 on one line, every character that does not print
// (control, bidirectional and invisible ones, broken UTF-8) replaced by a dot.
// Text that was cut ends in "…".
func Printable(s string, limit int) string {
	if plain(s) && len(s) <= limit {
		return s
	}
	const ellipsis = "…"
	var b strings.Builder
	for i, c := range s {
		out := c
		switch {
		case c == '\n' || c == '\t' || c == '\r':
			out = ' '
		case c == utf8.RuneError || !unicode.IsPrint(c):
			out = '.'
		}
		rest := len(s) - i
		if b.Len()+utf8.RuneLen(out) > limit-len(ellipsis) && b.Len()+rest > limit {
			b.WriteString(ellipsis)
			break
		}
		b.WriteRune(out)
	}
	return b.String()
}

// plain tells whether s is printable ASCII, which is nearly always.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// redactor takes secrets out of text. A server may echo what it was sent, and
// an error may quote the server. It has each secret in all of its forms, the
// longest first, lest one that begins another leave the rest of that.
type redactor []string

// redacted stands where a secret was.
const redacted = "<secret>"

// minSecret is the length under which a value is not looked for: replacing
// every "a" would destroy the text and betray the secret.
const minSecret = 4

// add remembers secret values.
func (r *redactor) add(values ...string) {
	known := len(*r)
	for _, v := range values {
		if len(v) < minSecret {
			continue
		}
		for _, form := range forms(v) {
			if !slices.Contains(*r, form) {
				*r = append(*r, form)
			}
		}
	}
	if len(*r) > known { // and so a copy of what runs share
		slices.SortStableFunc(*r, func(a, b string) int { return len(b) - len(a) })
	}
}

// forms are how a value may stand in an answer: as it is, escaped for a URL, in
// JSON, in a page, and quoted by Go's errors.
func forms(v string) []string {
	query, path := url.QueryEscape(v), url.PathEscape(v)
	return []string{
		v, query, lowerEscapes(query), path, lowerEscapes(path), strings.ReplaceAll(v, "/", `\/`),
		inJSON(v), html.EscapeString(v), unquoted(strconv.Quote(v)),
	}
}

func inJSON(v string) string {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	return unquoted(string(text))
}

func unquoted(s string) string { return s[1 : len(s)-1] }

// minHeaderSecret is that length for headers, which may hold a key or just
// "true", and in parts, as in "Bearer x" and "sid=x; lang=de".
const minHeaderSecret = 8

// addHeader remembers the values of a header whose meaning is not known.
func (r *redactor) addHeader(values []string) {
	for _, v := range values {
		for _, part := range append(strings.FieldsFunc(v, func(c rune) bool { return strings.ContainsRune(" ;=,", c) }), v) {
			if len(part) >= minHeaderSecret {
				r.add(part)
			}
		}
	}
}

// clean is s without the secrets.
func (r redactor) clean(s string) string {
	for _, secret := range r {
		if strings.Contains(s, secret) {
			s = strings.ReplaceAll(s, secret, redacted)
		}
	}
	return s
}

// whole moves the bounds of a part of b outwards until they cut no secret.
func (r redactor) whole(b []byte, start, end int) (from, to int) {
	for _, secret := range r {
		n := len(secret) - 1 // how far it may reach over a bound
		if i := bytes.Index(b[max(0, start-n):min(len(b), start+n)], []byte(secret)); i >= 0 {
			start = max(0, start-n) + i
		}
		if i := bytes.Index(b[max(0, end-n):min(len(b), end+n)], []byte(secret)); i >= 0 {
			end = max(0, end-n) + i + len(secret)
		}
	}
	return start, end
}

// withoutBeginning is a text that was cut off without the beginning of a secret at
// its end.
func (r redactor) withoutBeginning(s string) string {
	for _, secret := range r {
		for n := min(len(secret)-1, len(s)); n >= minSecret; n-- {
			if strings.HasSuffix(s, secret[:n]) {
				return s[:len(s)-n] + redacted
			}
		}
	}
	return s
}

// lowerEscapes is an escaped text as others write it, %2f for %2F.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(s[i+1:i+3]))
		}
	}
	return string(b)
}

// A URL that a server wrote is bounded, in bytes: as it is, and where it is shown.
const maxURL, maxBareURL = 2000, 1000

// BareURL shows a URL that a server wrote: without user info and query, which may
// be somebody's ticket, and without its path if that is long. "" for what is no URL.
func BareURL(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if len(bare.String()) > maxBareURL {
		bare.Path, bare.RawPath = "/", ""
	}
	return Printable(bare.String(), maxBareURL)
}

// cleanHeader is a header without the secrets: the same one if it holds none.
func (r redactor) cleanHeader(h http.Header) http.Header {
	cleaned, cloned := h, false
	for name, values := range h {
		for i, v := range values {
			c := r.clean(v)
			if c == v {
				continue
			}
			if !cloned {
				cleaned, cloned = h.Clone(), true
			}
			cleaned[name][i] = c
		}
	}
	return cleaned
}
