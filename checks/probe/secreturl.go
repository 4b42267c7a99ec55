package probe

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// HiddenValue stands where a secret was in a URL or a header that is shown: in a
// command, a word to be replaced by hand.
const HiddenValue = "SECRET"

// ShownURL is a URL of the configuration as it may be shown: the values of
// parameters that open something, such as token or ESA's auth_key, are hidden.
// What is secret in a path cannot be told from the rest, and is shown.
func ShownURL(rawURL string) string {
	front, query, ok := strings.Cut(rawURL, "?")
	if !ok || len(querySecrets(query)) == 0 {
		return rawURL
	}
	var b strings.Builder
	b.WriteString(front + "?")
	for _, p := range parameters(query) {
		if p.isSecret() {
			p.value = HiddenValue
		}
		b.WriteString(p.name + p.equals + p.value + p.end)
	}
	return b.String()
}

// querySecrets are the values that ShownURL hides, as they are written and as
// they are meant.
func querySecrets(rawQuery string) (secrets []string) {
	if rawQuery == "" {
		return nil
	}
	for _, p := range parameters(rawQuery) {
		if !p.isSecret() {
			continue
		}
		secrets = append(secrets, p.value)
		if meant := unescape(p.value); meant != p.value {
			secrets = append(secrets, meant)
		}
	}
	return secrets
}

// parameter is one of a query, as it is written.
type parameter struct{ name, equals, value, end string }

// parameters takes a query apart, at each & and, as some servers do, at each ;.
func parameters(rawQuery string) (all []parameter) {
	for rest := rawQuery; rest != ""; {
		var p parameter
		part := rest
		if i := strings.IndexAny(rest, "&;"); i >= 0 {
			part, p.end = rest[:i], rest[i:i+1]
		}
		rest = rest[len(part)+len(p.end):]
		name, value, ok := strings.Cut(part, "=")
		if p.name, p.value = name, value; ok {
			p.equals = "="
		}
		all = append(all, p)
	}
	return all
}

func unescape(s string) string {
	if meant, err := url.QueryUnescape(s); err == nil {
		return meant
	}
	return s
}

// The names of parameters that open something, in lower case. One that holds any of
// secretParts, separators left out, does so whatever its value is. One that is among secretWords, or ends
// in it as a word of its own, does with a value that is not short; among weakWords,
// only with one that no person would choose.
var (
	secretParts = []string{"passw", "pwd", "passphrase", "secret", "apikey", "authkey", "accesskey", "accesstoken", "authtoken", "idtoken", "refreshtoken",
		"signature", "credential", "authorization", "sessid", "sessionid"}
	secretWords = []string{"token", "sig", "hmac", "auth", "sid", "session", "jwt"}
	weakWords   = []string{"key", "sign", "pass", "code", "ticket", "otp"}
	openWords   = []string{"sort", "page", "next", "partition", "primary", "search", "public", "continuation"} // before key or token
)

func (p *parameter) isSecret() bool { return IsSecretParameter(p.name, p.value) }

// IsSecretParameter tells whether a parameter of a URL's query opens something, by
// its name and its value as they are written there.
func IsSecretParameter(name, value string) bool {
	return isSecret(wordsOf(unescape(name)), unescape(value))
}

// wordsOf are the words of a name, in lower case: user_token and userToken have two.
func wordsOf(name string) []string {
	var b strings.Builder
	was := ' '
	for _, c := range name {
		if unicode.IsLower(was) && unicode.IsUpper(c) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
		was = c
	}
	return strings.FieldsFunc(b.String(), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

// isSecret tells whether a value opens something whose name has these words.
func isSecret(words []string, value string) bool {
	if value == "" {
		return false
	}
	whole, n := strings.Join(words, ""), len(words)
	if slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(whole, part) }) {
		return true
	}
	if n == 0 || len(value) < minHeaderSecret || n > 1 && slices.Contains(openWords, words[n-2]) {
		return false
	}
	return slices.Contains(secretWords, words[n-1]) || slices.Contains(weakWords, words[n-1]) && isRandom(value)
}

// isRandom tells whether a value looks as if a machine had made it.
func isRandom(value string) bool {
	return strings.ContainsAny(value, "0123456789") && !strings.ContainsAny(value, " /.,")
}
