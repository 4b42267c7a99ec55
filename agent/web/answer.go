package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
)

// writeJSON answers with one value. What it says holds now and no longer.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, mediaType string, v any) {
	body, err := encode(v)
	if err != nil {
		// Only numbers that are none cannot be written, and there are no such.
		http.Error(w, "this cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, r, status, body)
}

// writeStable answers with JSON that changes only with the configuration or the
// program, so that who has it already need not read it again.
func writeStable(w http.ResponseWriter, r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	tag := `W/"` + hex.EncodeToString(sum[:12]) + `"` // weak: the same compressed or not
	h := w.Header()
	h.Set("Etag", tag)
	h.Set("Cache-Control", "private, no-cache") // it may be kept, and is asked for again each time
	if knows(r, tag) {
		h.Add("Vary", "Accept-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	writeBody(w, r, http.StatusOK, body)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is read by programs, and never as HTML
	err := e.Encode(v)
	return b.Bytes(), err
}

// writeBody answers with a whole body, compressed where that is worth it. Nothing
// secret is ever in one, so its length gives nothing away.
func writeBody(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) < 2048 || !acceptsGzip(r) {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client has gone if it fails
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := compressor(w)
	_, _ = z.Write(body) // as above
	_ = z.Close()
}

func compressor(w io.Writer) *gzip.Writer {
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is a valid one
	return z
}

// knows tells whether the client has what a tag stands for.
func knows(r *http.Request, tag string) bool {
	for _, line := range r.Header.Values("If-None-Match") {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// streamArray answers with an array, an item a line, of which one at a time is held
// in memory. It stops when nobody reads any more.
func streamArray[T any](w http.ResponseWriter, r *http.Request, items iter.Seq[T]) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding")
	zipped := acceptsGzip(r)
	if zipped {
		h.Set("Content-Encoding", "gzip")
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	var err error
	if zipped {
		z := compressor(w)
		if err = writeArray(z, items); err == nil {
			err = z.Close()
		}
	} else {
		err = writeArray(w, items)
	}
	if err != nil {
		// The client has gone. If not, half an array must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
}

func writeArray[T any](w io.Writer, items iter.Seq[T]) error {
	b := bufio.NewWriterSize(w, 16<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = b.WriteByte('[') // Flush tells what has failed
	first := true
	for item := range items {
		if !first {
			_ = b.WriteByte(',') // as above
		}
		first = false
		if err := e.Encode(item); err != nil {
			return err
		}
	}
	_, _ = b.WriteString("]\n") // as above
	return b.Flush()
}
