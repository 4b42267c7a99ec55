package web

import (
	"bytes"
	"net/http"
	"strings"
	"unicode/utf8"
)

const problemType = "application/problem+json"

// problemJSON is an error as RFC 9457 has it.
type problemJSON struct {
	Type     string  `json:"type"` // always about:blank: the status says what kind of error it is
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`           // what is wrong and what would be right, for people
	Instance string  `json:"instance"`         // the path that was asked for
	Errors   []fault `json:"errors,omitempty"` // each thing that is wrong, where there can be several
}

// fault is one thing that is wrong with a request, or with a file that it has
// read.
type fault struct {
	Pointer   string `json:"pointer,omitempty"`   // into the body, a JSON pointer as "#/matchers/0"
	Parameter string `json:"parameter,omitempty"` // of the query
	Detail    string `json:"detail"`
}

// problem answers with an error. The detail stands for itself; faults repeat it
// in parts, for programs.
func problem(w http.ResponseWriter, r *http.Request, status int, detail string, faults ...fault) {
	for i := range faults {
		faults[i].Detail = strings.ToValidUTF8(faults[i].Detail, "\uFFFD")
	}
	writeJSON(w, r, status, problemType, problemJSON{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: strings.ToValidUTF8(detail, "\uFFFD"), Instance: clip(r.URL.EscapedPath(), 200), Errors: faults,
	})
}

// invalid answers 400 with all that is wrong.
func invalid(w http.ResponseWriter, r *http.Request, faults []fault) {
	problem(w, r, http.StatusBadRequest, inOneLine(faults), faults...)
}

// inOneLine is what all faults say, in one line.
func inOneLine(faults []fault) string {
	details := make([]string, len(faults))
	for i, f := range faults {
		details[i] = strings.ReplaceAll(f.Detail, "\n", "; ")
	}
	return strings.Join(details, "; ")
}

// explained turns the errors of next into problems for who asks for JSON: a
// script that reloads the configuration reads the same kind of error everywhere.
// The API's own are problems anyway.
func explained(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !asksFor(r, "application/json") && !asksFor(r, problemType) {
			next.ServeHTTP(w, r)
			return
		}
		e := &explainer{ResponseWriter: w}
		next.ServeHTTP(e, r)
		if e.status != 0 {
			e.explain(r)
		}
	})
}

// maxExplained bounds the error text that is made a problem's detail, in bytes.
const maxExplained = 8 << 10

// explainer keeps back an error that is not in JSON.
type explainer struct {
	http.ResponseWriter
	begun  bool
	status int // of the error that is kept back; 0: all goes through
	text   bytes.Buffer
}

// Unwrap lets http.ResponseController reach the real one.
func (e *explainer) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (e *explainer) WriteHeader(status int) {
	if e.begun {
		return
	}
	e.begun = status >= 200
	if status >= 400 && !strings.Contains(e.Header().Get("Content-Type"), "json") {
		e.status = status
		return
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (e *explainer) Write(b []byte) (int, error) {
	if !e.begun {
		e.WriteHeader(http.StatusOK)
	}
	if e.status == 0 {
		return e.ResponseWriter.Write(b)
	}
	e.text.Write(b[:min(len(b), maxExplained-e.text.Len())])
	return len(b), nil
}

// explain answers with the error that was kept back.
func (e *explainer) explain(r *http.Request) {
	h := e.Header()
	detail := strings.TrimSpace(e.text.String())
	if !strings.HasPrefix(h.Get("Content-Type"), "text/plain") || !utf8.ValidString(detail) || detail == "" {
		detail = http.StatusText(e.status)
	}
	for _, name := range []string{"Content-Encoding", "Content-Length", "Vary"} {
		h.Del(name)
	}
	problem(e.ResponseWriter, r, e.status, detail)
}
