package probe

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/esawatch/esawatch/checks/catalog"
)

// encode compresses data, given once or many times over.
func encode(t testing.TB, encoding string, data []byte, times int) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw deflate":
		w, _ = flate.NewWriter(&b, flate.DefaultCompression)
	case "br":
		w = brotli.NewWriterLevel(&b, 2)
	case "zstd":
		w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	}
	for range times {
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// answerWith serves a body with a Content-Encoding.
func answerWith(t *testing.T, encoding string, body []byte) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", encoding)
		w.Write(body)
	})
}

func TestEncodings(t *testing.T) {
	text := []byte(strings.Repeat("Everything is in stock. ", 1000))
	gz := encode(t, "gzip", text, 1)
	tests := []struct {
		name, encoding string
		body, want     []byte
	}{
		{"gzip", "gzip", gz, text},
		{"x-gzip in capitals", "X-GZIP", gz, text},
		{"two members", "gzip", append(bytes.Clone(gz), gz...), append(bytes.Clone(text), text...)},
		{"bytes after the end", "gzip", append(bytes.Clone(gz), "\x00\x00\x00padding"...), text},
		{"deflate", "deflate", encode(t, "deflate", text, 1), text},
		{"raw deflate", "deflate", encode(t, "raw deflate", text, 1), text},
		{"brotli", "br", encode(t, "br", text, 1), text},
		{"zstd", "zstd", encode(t, "zstd", text, 1), text},
		{"two layers", "gzip, br", encode(t, "br", gz, 1), text},
		{"identity", "identity", text, text},
		{"unknown", "UTF-8", text, text},
		{"nothing", "gzip", nil, []byte{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := do(t, Request{URL: answerWith(t, tt.encoding, tt.body)})
			wantCondition(t, r, "", "")
			if !bytes.Equal(r.Body, tt.want) || r.BodyTruncated {
				t.Errorf("got %d bytes, %q…, want %d", len(r.Body), r.Body[:min(20, len(r.Body))], len(tt.want))
			}
			if r.Header.Get("Content-Encoding") != tt.encoding {
				t.Error("the header is gone")
			}
		})
	}
}

func TestBrokenEncodings(t *testing.T) {
	text := []byte(strings.Repeat("Everything is in stock. ", 1000))
	corrupt := func(b []byte, at int) []byte { c := bytes.Clone(b); c[at] ^= 0xff; return c }
	gz := encode(t, "gzip", text, 1)
	wide := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00} // a frame with a window of 128 MiB
	tests := []struct {
		name, encoding string
		body           []byte
		detail         string
	}{
		{"not gzip", "gzip", text, "decode gzip body"},
		{"one byte", "gzip", []byte{0x1f}, "decode gzip body"},
		{"gzip cut off", "gzip", gz[:len(gz)/2], "decode gzip body"},
		{"gzip checksum", "gzip", corrupt(gz, len(gz)-6), "decode gzip body"},
		{"not deflate", "deflate", bytes.Repeat([]byte{0xff}, 100), "decode deflate body"},
		{"brotli corrupt", "br", corrupt(encode(t, "br", text, 1), 8), "decode br body"},
		{"brotli cut off", "br", encode(t, "br", text, 1)[:20], "decode br body"},
		{"zstd corrupt", "zstd", text, "decode zstd body"},
		{"zstd window", "zstd", wide, "window size exceeded"},
		{"too many layers", "gzip, gzip, gzip, gzip", gz, "4 encodings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := do(t, Request{URL: answerWith(t, tt.encoding, tt.body)})
			wantCondition(t, r, catalog.ProtocolError, phaseTransfer)
			if !strings.Contains(r.Detail, tt.detail) || r.StatusCode != 200 {
				t.Errorf("got %d: %s; want …%q…", r.StatusCode, r.Detail, tt.detail)
			}
		})
	}
}

// TestBrokenConnectionInEncodedBody is not taken for a broken encoding.
func TestBrokenConnectionInEncodedBody(t *testing.T) {
	gz := encode(t, "gzip", bytes.Repeat([]byte("0123456789"), 1000), 1)
	r := do(t, Request{URL: serveRaw(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n"+string(gz[:30]))})
	wantCondition(t, r, catalog.ConnectionReset, phaseTransfer)
}

func TestBodyLimit(t *testing.T) {
	for _, size := range []int{0, 1, 99, 100, 101, 5000} {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(bytes.Repeat([]byte("a"), size)) })
		r := do(t, Request{URL: base, MaxBodyBytes: 100})
		wantCondition(t, r, "", "")
		if len(r.Body) != min(size, 100) || r.BodyTruncated != (size > 100) {
			t.Errorf("%d: got %d bytes, truncated %v", size, len(r.Body), r.BodyTruncated)
		}
	}
}

func TestEndlessBody(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for block := bytes.Repeat([]byte("a"), 1<<16); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	r := do(t, Request{URL: base})
	wantCondition(t, r, "", "")
	if len(r.Body) != DefaultMaxBodyBytes || !r.BodyTruncated {
		t.Errorf("got %d bytes, truncated %v", len(r.Body), r.BodyTruncated)
	}
}

func TestHead(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", "12345")
	})
	r := do(t, Request{URL: base, Method: "HEAD"})
	wantCondition(t, r, "", "")
	if len(r.Body) != 0 || r.Header.Get("Content-Length") != "12345" {
		t.Errorf("got %d bytes, %v", len(r.Body), r.Header)
	}
}

// TestBombs decodes bodies that grow a thousandfold and more, and bodies that
// never become anything, in bounded memory.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 1<<20)
	endless := encode(t, "gzip", nil, 1)
	bombs := map[string][]byte{
		"gzip":       encode(t, "gzip", zeros, 24),
		"deflate":    encode(t, "deflate", zeros, 24),
		"br":         encode(t, "br", zeros, 24),
		"zstd":       encode(t, "zstd", zeros, 24),
		"gzip, gzip": encode(t, "gzip", encode(t, "gzip", zeros, 24), 1),
	}
	for encoding, body := range bombs {
		t.Run(encoding, func(t *testing.T) {
			base := answerWith(t, encoding, body)
			var r *Response
			used := allocated(func() { r = do(t, Request{URL: base}) })
			wantCondition(t, r, "", "")
			if len(r.Body) != DefaultMaxBodyBytes || !r.BodyTruncated {
				t.Errorf("got %d bytes, truncated %v", len(r.Body), r.BodyTruncated)
			}
			if used > 16<<20 {
				t.Errorf("%d bytes became %d MiB of memory", len(body), used>>20)
			} else {
				t.Logf("%d bytes became %d KiB of memory", len(body), used>>10)
			}
		})
	}
	t.Run("nothing without end", func(t *testing.T) {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			for block := bytes.Repeat(endless, 1000); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		})
		r := do(t, Request{URL: base, MaxBodyBytes: 1000})
		wantCondition(t, r, "", "")
		if len(r.Body) != 0 || !r.BodyTruncated {
			t.Errorf("got %d bytes, truncated %v", len(r.Body), r.BodyTruncated)
		}
	})
	t.Run("promised length", func(t *testing.T) {
		base := serveRaw(t, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(1<<40)+"\r\n\r\nx")
		used := allocated(func() {
			wantCondition(t, do(t, Request{URL: base, MaxBodyBytes: 1 << 40}), catalog.ConnectionReset, phaseTransfer)
		})
		if used > 8<<20 {
			t.Errorf("a promise became %d MiB of memory", used>>20)
		}
	})
}

// allocated is how many bytes f, and what runs beside it, allocate in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzDecode(f *testing.F) {
	for i, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(uint8(i), encode(f, encoding, []byte("hello hello hello"), 1))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		encoding := []string{"gzip", "deflate", "br", "zstd", "br, gzip"}[int(which)%5]
		resp := &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{"Content-Encoding": {encoding}}, Body: io.NopCloser(bytes.NewReader(data))}
		body, truncated, err := readBody(resp, 10_000)
		if len(body) > 10_000 || truncated && err != nil {
			t.Errorf("got %d bytes, %v, %v", len(body), truncated, err)
		}
	})
}
