package probe

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"mime"
	"regexp"
	"strings"
)

// bodySecrets are the values in the body of a request that open something, as they
// are written and as they are meant: a page that refuses a login may send back what
// it was sent. A form and JSON are understood; of others what looks like a name and
// its value. mediaType is the Content-Type, "" when none is sent.
func bodySecrets(body []byte, mediaType string) (secrets []string) {
	media, _, _ := mime.ParseMediaType(mediaType)
	if values, ok := jsonOf(body); ok {
		for _, v := range values {
			secrets = append(secrets, jsonSecrets("", v)...)
		}
		return secrets
	}
	text := string(body[:min(len(body), searchedBody)])
	switch media {
	case "application/x-www-form-urlencoded":
		return formSecrets(string(body))
	case "application/graphql":
		return namedSecrets(text, inQuotes)
	case "", "text/plain":
		secrets = formSecrets(string(body))
	}
	return append(secrets, namedSecrets(text, inQuotes, inElement, inPart, inText)...)
}

// searchedBody is how much of a body of no known form is looked through, in bytes.
const searchedBody = 64 << 10

// Where a name and its value stand together: in GraphQL and broken JSON, in XML, in
// the parts of a form, and in text. A value without quotes is only one word.
var (
	inQuotes  = regexp.MustCompile(`([A-Za-z_][\w.-]*)\\?["']?\s*[:=]\s*\\?["']([^"'\\]+)`)
	inElement = regexp.MustCompile(`<(?:[\w-]+:)?([\w.-]+)(?:\s[^<>]*)?>\s*(?:<!\[CDATA\[)?([^<\]]+)`)
	inPart    = regexp.MustCompile(`name="?([^"\s;]+)"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]+)`)
	inText    = regexp.MustCompile(`([A-Za-z_][\w.-]*)\s*[:=]\s*([^\s"'<>&,;()=:\\]+)`)
)

// namedSecrets are those that forms find in a text.
func namedSecrets(text string, forms ...*regexp.Regexp) (secrets []string) {
	const most = 100 // of each
	for _, form := range forms {
		for _, m := range form.FindAllStringSubmatch(text, most) {
			name, value := m[1], strings.TrimSpace(m[2])
			if !isSecretField(name, value) {
				continue
			}
			secrets = append(secrets, value)
			if meant := html.UnescapeString(value); meant != value {
				secrets = append(secrets, meant)
			}
		}
	}
	return secrets
}

// formSecrets are those of a form. It is often written by hand, with a newline at
// its end.
func formSecrets(form string) (secrets []string) {
	for part := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(part, "=")
		value = strings.TrimRight(value, "\r\n")
		if !isSecretField(unescape(strings.TrimSpace(name)), unescape(value)) {
			continue
		}
		secrets = append(secrets, value)
		if meant := unescape(value); meant != value {
			secrets = append(secrets, meant)
		}
	}
	return secrets
}

// jsonOf is what JSON says, if the body is objects or lists: one, or one a line.
func jsonOf(body []byte) (values []any, ok bool) {
	if start := bytes.TrimSpace(body); len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for {
		var v any
		switch err := d.Decode(&v); {
		case err == io.EOF:
			return values, true
		case err != nil:
			return nil, false
		}
		values = append(values, v)
	}
}

// jsonSecrets are those of a JSON value that has a name; what is in a list has the
// list's.
func jsonSecrets(name string, value any) (secrets []string) {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			secrets = append(secrets, jsonSecrets(name, field)...)
		}
	case []any:
		for _, element := range v {
			secrets = append(secrets, jsonSecrets(name, element)...)
		}
	case string:
		if isSecretField(name, v) {
			return append(secrets, v)
		}
		secrets = namedSecrets(v[:min(len(v), searchedBody)], inQuotes) // such as a query of GraphQL
		if _, query, ok := strings.Cut(v, "?"); ok && strings.Contains(v, "://") {
			secrets = append(secrets, querySecrets(query)...)
		}
	case json.Number:
		if isSecretField(name, v.String()) {
			secrets = append(secrets, v.String())
		}
	}
	return secrets
}

// isSecretField tells whether a field of a body opens something. Beside what does
// so in a URL, that is a pass or a PIN: in what is sent to log in, each is one.
func isSecretField(name, value string) bool {
	words := wordsOf(name)
	if n := len(words); n > 0 && (words[n-1] == "pass" || words[n-1] == "pin") && value != "true" && value != "false" {
		return value != ""
	}
	return isSecret(words, value)
}
