package probe

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// HiddenValue stands in a URL that is shown where a secret was: in a command,
// a word to be replaced by hand.
const HiddenValue = "SECRET"

// ShownURL is a URL of the configuration as it may be shown: the values of
// parameters that open something, such as token or ESA's auth_key, are hidden.
func ShownURL(rawURL string) string {
	front, query, ok := strings.Cut(rawURL, "?")
	if !ok || len(querySecrets(query)) == 0 {
		return rawURL
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		if name, value, _ := strings.Cut(part, "="); isSecret(name, value) {
			parts[i] = name + "=" + HiddenValue
		}
	}
	return front + "?" + strings.Join(parts, "&")
}

// querySecrets are the values that ShownURL hides, as they are written and as
// they are meant.
func querySecrets(rawQuery string) (secrets []string) {
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if !isSecret(name, value) {
			continue
		}
		secrets = append(secrets, value)
		if meant, err := url.QueryUnescape(value); err == nil && meant != value {
			secrets = append(secrets, meant)
		}
	}
	return secrets
}

// What the name of a parameter that opens something holds, in lower case: as a
// part of it, or as one of its words.
var (
	secretParts = []string{"token", "secret", "passw", "signature", "credential", "session", "apikey", "authkey", "accesskey"}
	secretWords = []string{"key", "sig", "sign", "pwd", "pass", "auth", "sid", "jwt"}
)

// isSecret tells whether a parameter's value opens something, by its name. Short
// values are words like true.
func isSecret(name, value string) bool {
	if len(value) < minHeaderSecret {
		return false
	}
	if meant, err := url.QueryUnescape(name); err == nil {
		name = meant
	}
	name = strings.ToLower(name)
	if slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) }) {
		return true
	}
	words := strings.FieldsFunc(name, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(secretWords, word) })
}
