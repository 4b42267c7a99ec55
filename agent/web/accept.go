package web

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// accepts tells whether a request takes an answer of a media type, as RFC 9110
// has it: the range that names it most closely decides, and with no Accept
// anything does.
func accepts(r *http.Request, mediaType string) bool {
	list := r.Header.Values("Accept")
	if len(list) == 0 {
		return true
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	best, weight := 0, 0.0
	for name, q := range weighted(list) {
		closeness := 0
		switch name {
		case mediaType:
			closeness = 3
		case kind + "/*":
			closeness = 2
		case "*/*":
			closeness = 1
		}
		if closeness > best {
			best, weight = closeness, q
		}
	}
	return weight > 0
}

// asksFor tells whether a request asks for a media type by its name: a browser,
// and curl, take anything and name others.
func asksFor(r *http.Request, mediaType string) bool {
	for name, q := range weighted(r.Header.Values("Accept")) {
		if name == mediaType && q > 0 {
			return true
		}
	}
	return false
}

// acceptsGzip tells whether the answer may be compressed.
func acceptsGzip(r *http.Request) bool {
	for name, q := range weighted(r.Header.Values("Accept-Encoding")) {
		if name == "gzip" {
			return q > 0
		}
	}
	return false
}

// weighted yields what a header such as Accept lists, each with its q. What
// cannot be read is left out.
func weighted(list []string) func(yield func(name string, q float64) bool) {
	return func(yield func(string, float64) bool) {
		for _, line := range list {
			for part := range strings.SplitSeq(line, ",") {
				name, params, err := mime.ParseMediaType(part)
				if err != nil {
					continue
				}
				q := 1.0
				if text, ok := params["q"]; ok {
					if q, err = strconv.ParseFloat(text, 64); err != nil {
						continue
					}
				}
				if !yield(name, q) {
					return
				}
			}
		}
	}
}

// wantsPage tells whether it is a browser that asks, for a page.
func wantsPage(r *http.Request) bool { return asksFor(r, "text/html") }
