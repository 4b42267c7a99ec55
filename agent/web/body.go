package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/esawatch/esawatch/agent/config"
)

// readBody reads a request's body of at most limit bytes, which has to say that
// it is JSON: other sites' pages can send what is not without asking first. It
// answers itself, and returns false, when there is no such body.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, bool) {
	given := r.Header.Get("Content-Type")
	if mediaType, _, err := mime.ParseMediaType(given); err != nil || mediaType != "application/json" {
		problem(w, r, http.StatusUnsupportedMediaType,
			fmt.Sprintf("the body is sent as %.100q, want the header Content-Type: application/json", given))
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		problem(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is too large, want at most %d bytes", limit))
		return nil, false
	}
	if err != nil {
		problem(w, r, http.StatusBadRequest, "the body did not arrive whole")
		return nil, false
	}
	return body, true
}

// object is a JSON object whose fields are taken one by one. It notes all that
// is wrong with it, in words that need no knowledge of our insides.
type object struct {
	fields map[string]json.RawMessage
	faults []fault
}

// parseObject reads a JSON object that may have the known fields.
func parseObject(body []byte, known ...string) *object {
	o := &object{fields: map[string]json.RawMessage{}}
	if !utf8.Valid(body) {
		o.fail("", "the body is not UTF-8")
		return o
	}
	if o.syntax(body); len(o.faults) > 0 {
		return o
	}
	d := json.NewDecoder(bytes.NewReader(body))
	_, _ = d.Token() // that it is an object was seen, and that all is well-formed
	for d.More() {
		token, _ := d.Token() // as above
		name, _ := token.(string)
		var value json.RawMessage
		_ = d.Decode(&value) // as above
		switch _, twice := o.fields[name]; {
		case twice:
			o.fail(pointer(name), "%.64q is given twice", name)
		case !slices.Contains(known, name):
			o.fail(pointer(name), "unknown field %.64q: %s", name, config.DidYouMean(name, known))
		}
		o.fields[name] = value
	}
	return o
}

// syntax notes why a text is not one JSON object.
func (o *object) syntax(body []byte) {
	d := json.NewDecoder(bytes.NewReader(body))
	var whole json.RawMessage
	err := d.Decode(&whole)
	bad, isSyntax := errors.AsType[*json.SyntaxError](err)
	switch {
	case errors.Is(err, io.EOF):
		o.fail("", "the body is empty, want a JSON object")
	case errors.Is(err, io.ErrUnexpectedEOF):
		o.fail("", "the body ends in the middle of its JSON")
	case isSyntax:
		line, column, near := place(body, int(bad.Offset)-1)
		o.fail("", "the body is not JSON: line %d, column %d, near %q", line, column, near)
	case err != nil:
		o.fail("", "the body is not JSON")
	case jsonKind(whole) != "an object":
		o.fail("", "the body is %s, want a JSON object", jsonKind(whole))
	case len(bytes.TrimSpace(body[d.InputOffset():])) > 0:
		line, column, near := place(body, int(d.InputOffset()))
		o.fail("", "want one JSON object and nothing after it: line %d, column %d, near %q", line, column, near)
	}
}

// place is where an offset is in a text, counted from 1, and what stands there.
func place(text []byte, offset int) (line, column int, near string) {
	offset = max(0, min(offset, len(text)))
	before := text[:offset]
	line = bytes.Count(before, []byte("\n")) + 1
	column = utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return line, column, clip(string(text[offset:min(len(text), offset+100)]), 20)
}

// pointer is the JSON pointer of a field, as a fragment.
func pointer(path ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	b.WriteByte('#')
	for _, part := range path {
		b.WriteByte('/')
		b.WriteString(escape.Replace(clip(part, 64)))
	}
	return b.String()
}

// fail notes what is wrong at a place.
func (o *object) fail(pointer, format string, args ...any) {
	o.faults = append(o.faults, fault{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// jsonKind is what a JSON value is, with its article.
func jsonKind(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a text"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// text is a field that holds a text, "" without one. example is what would be right.
func (o *object) text(name, example string) string {
	value, ok := o.fields[name]
	if !ok {
		return ""
	}
	var s string
	if jsonKind(value) != "a text" || json.Unmarshal(value, &s) != nil {
		o.fail(pointer(name), "%s is %s, want a text such as %q", name, jsonKind(value), example)
	}
	return s
}

// texts is a field that holds an array of texts, nil without one.
func (o *object) texts(name, example string) []string {
	value, ok := o.fields[name]
	if !ok {
		return nil
	}
	var list []json.RawMessage
	if jsonKind(value) != "an array" || json.Unmarshal(value, &list) != nil {
		o.fail(pointer(name), "%s is %s, want an array of texts such as [%q]", name, jsonKind(value), example)
		return nil
	}
	texts := make([]string, len(list))
	for i, one := range list {
		if jsonKind(one) != "a text" || json.Unmarshal(one, &texts[i]) != nil {
			o.fail(pointer(name, fmt.Sprint(i)), "%s[%d] is %s, want a text such as %q", name, i, jsonKind(one), example)
		}
	}
	return texts
}

// moment is a field that holds a time, zero without one.
func (o *object) moment(name string) time.Time {
	const example = "2026-11-24T18:00:00Z"
	faults := len(o.faults)
	s := o.text(name, example)
	if !o.has(name) || len(o.faults) > faults {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		o.fail(pointer(name), "%s is %.64q, want a time as RFC 3339 has it, such as %q", name, s, example)
	}
	return at
}

// has tells whether a field is given.
func (o *object) has(name string) bool {
	_, ok := o.fields[name]
	return ok
}
