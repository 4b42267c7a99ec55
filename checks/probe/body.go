package probe

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	// acceptEncoding is what readBody can decode.
	acceptEncoding = "gzip, deflate, br, zstd"
	// maxEncodings is how many layers of compression are taken off.
	maxEncodings = 3
	// zstdWindow bounds a zstd decoder's memory; RFC 9659 forbids more in HTTP.
	zstdWindow = 8 << 20
	// rawSlack is what a compressed body may be longer than decoded. A body
	// beyond that yields nothing (empty blocks, skipped frames) and only costs.
	rawSlack = 64 << 10
	// bodyHint bounds the buffer that is made on the word of a Content-Length.
	bodyHint = 256 << 10
)

// decodeError marks a body that arrived but cannot be decoded.
type decodeError struct {
	encoding string
	err      error
}

func (e *decodeError) Error() string { return fmt.Sprintf("decode %s body: %v", e.encoding, e.err) }
func (e *decodeError) Unwrap() error { return e.err }

// readBody reads and decodes an answer's body, up to limit decoded bytes. With
// truncated there was more, which is left unread. What was read before an error
// is returned beside it.
func readBody(resp *http.Response, limit int64) (body []byte, truncated bool, err error) {
	if resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, false, nil
	}
	encodings := contentEncodings(resp.Header)
	if len(encodings) == 0 {
		return readAll(resp.Body, limit, resp.ContentLength)
	}
	if len(encodings) > maxEncodings {
		return nil, false, &decodeError{strings.Join(encodings[:maxEncodings], ", ") + ", …",
			fmt.Errorf("%d encodings, at most %d are decoded", len(encodings), maxEncodings)}
	}
	raw := &rawBody{r: resp.Body, left: limit + rawSlack}
	var r io.Reader = raw
	for i := len(encodings) - 1; i >= 0; i-- {
		d, close, err := decoder(encodings[i], r)
		if err != nil {
			return nil, raw.limited, raw.cause(encodings[i], err)
		}
		defer close()
		r = d
	}
	body, truncated, err = readAll(r, limit, 0)
	if err != nil {
		err = raw.cause(encodings[0], err)
	}
	return body, truncated || raw.limited, err
}

// contentEncodings lists the encodings that readBody knows, innermost first. An
// unknown one is no reason to fail: browsers show such a body as it is.
func contentEncodings(h http.Header) []string {
	var known []string
	for _, line := range h["Content-Encoding"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			switch name {
			case "gzip", "x-gzip", "deflate", "br", "zstd":
				known = append(known, name)
			case "", "identity":
			default:
				return nil
			}
		}
	}
	return known
}

// decoder undoes one encoding. close frees what the decoder holds.
func decoder(encoding string, r io.Reader) (d io.Reader, close func(), err error) {
	none := func() {}
	br := bufio.NewReader(r)
	head, err := br.Peek(2)
	if len(head) == 0 {
		if errors.Is(err, io.EOF) {
			return strings.NewReader(""), none, nil // nothing is nothing, however encoded
		}
		return nil, nil, err
	}
	switch encoding {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, nil, err
		}
		return &gzipBody{z}, none, nil
	case "deflate":
		// The standard says zlib; some servers send bare deflate, and browsers take both.
		if len(head) == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			z, err := zlib.NewReader(br)
			return z, none, err
		}
		return flate.NewReader(br), none, nil
	case "br":
		return brotli.NewReader(br), none, nil
	default: // zstd; one thread, so that no goroutine is left
		z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
}

// gzipBody forgives what browsers forgive: bytes after the end that are no
// further gzip member.
type gzipBody struct{ *gzip.Reader }

func (g *gzipBody) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if err == gzip.ErrHeader {
		err = io.EOF
	}
	return n, err
}

// errRawLimit ends a compressed body that is far longer than what it holds.
var errRawLimit = errors.New("compressed body too long")

// rawBody bounds a compressed body and remembers why reading it ended, so that
// a broken connection and a broken encoding are told apart.
type rawBody struct {
	r       io.Reader
	left    int64
	err     error
	limited bool
}

func (b *rawBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.limited = true
		return 0, errRawLimit
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// cause is why decoding ended: our own limit (no failure), the connection, or
// the encoding.
func (b *rawBody) cause(encoding string, err error) error {
	switch {
	case b.limited:
		return nil
	case b.err != nil:
		return b.err
	}
	return &decodeError{encoding, err}
}

// readAll reads up to limit bytes. size is the expected length, or less than 1.
func readAll(r io.Reader, limit, size int64) (body []byte, truncated bool, err error) {
	buf := make([]byte, 0, min(max(size+1, 512), limit+1, bodyHint))
	idle := 0
	for {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*int64(cap(buf)), limit+1))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return buf[:limit], true, nil
		case err == io.EOF:
			return buf, false, nil
		case err != nil:
			return buf, false, err
		case n > 0:
			idle = 0
		default:
			if idle++; idle > 100 {
				return buf, false, io.ErrNoProgress
			}
		}
	}
}
