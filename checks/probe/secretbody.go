package probe

import (
	"bytes"
	"encoding/json"
	"mime"
	"strings"
)

// bodySecrets are the values in the body of a request that open something, as they
// are written and as they are meant: a page that refuses a login may send back what
// it was sent. A form and JSON are understood; mediaType is the Content-Type, ""
// when none is sent.
func bodySecrets(body []byte, mediaType string) []string {
	media, _, _ := mime.ParseMediaType(mediaType)
	if object, ok := jsonOf(body); ok {
		return jsonSecrets("", object)
	}
	if media == "" || media == "text/plain" || media == "application/x-www-form-urlencoded" {
		return formSecrets(string(body))
	}
	return nil
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

// jsonOf is what JSON says, if the body is an object or a list.
func jsonOf(body []byte) (value any, ok bool) {
	if start := bytes.TrimSpace(body); len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return value, d.Decode(&value) == nil
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
			secrets = append(secrets, v)
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
