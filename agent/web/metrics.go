package web

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/common/expfmt"

	"github.com/esawatch/esawatch/checks/exposition"
)

const (
	maxScrapes    = 4 // at once
	scrapeTimeout = 30 * time.Second
)

// offeredFormats are those of /metrics, in the order in which they are
// preferred to each other where a client does not care.
var offeredFormats = []expfmt.Format{
	expfmt.FmtText, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtProtoDelim}

// metrics serves /metrics. What there is much of, the metrics of checks, is
// written straight out, so that a scrape takes little memory whatever their
// number, and compressed and sent meanwhile; the few others come by the registry. A client that has not read its
// answer in time is cut off: it may be tens of megabytes, and is never held whole.
// With name[] in the query there are those metrics only, as client_golang has it.
func (s *Server) metrics(timeout time.Duration) http.Handler {
	scrapes := make(chan struct{}, maxScrapes)
	zippers := sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is a valid one
		return z
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case scrapes <- struct{}{}:
			defer func() { <-scrapes }()
		default:
			http.Error(w, "more than "+strconv.Itoa(maxScrapes)+" requests for metrics at once, try again later", http.StatusServiceUnavailable)
			return
		}
		// Where it is not supported, which is in tests, there is no slow client.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout))
		format := expfmt.NegotiateAccept(r.Header, offeredFormats...)
		h := w.Header()
		h.Set("Content-Type", string(format))
		h.Add("Vary", "Accept, Accept-Encoding")
		only := r.URL.Query()["name[]"]
		if !acceptsGzip(r) {
			s.expose(w, format, only)
			return
		}
		h.Set("Content-Encoding", "gzip")
		z := zippers.Get().(*gzip.Writer)
		defer zippers.Put(z)
		z.Reset(w)
		s.expose(z, format, only)
		_ = z.Close() // the client has gone if it fails
	})
}

// expose writes the metrics of some names, or all if only is nil, in one format. What cannot be gathered is logged and
// left out. An answer that breaks off half-way is not ended as a whole one is.
func (s *Server) expose(below io.Writer, format expfmt.Format, only []string) {
	w := newBehind(below)
	defer func() { _ = w.Close() }() // where it is not the one below, the client has gone
	x := exposition.NewWriter(w, expositionFormat(format))
	x.Only(only)
	for _, write := range s.opts.Metrics {
		write(x)
	}
	if x.Flush() != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	others, err := s.opts.Gatherer.Gather()
	if err != nil {
		s.opts.Log.Error("metrics not all gathered", "err", err)
	}
	enc := expfmt.NewEncoder(w, format)
	for _, f := range others {
		if only != nil && !slices.Contains(only, f.GetName()) {
			continue
		}
		if err := enc.Encode(f); err != nil {
			panic(http.ErrAbortHandler) // as above; what was gathered can be encoded
		}
	}
	if end, ok := enc.(expfmt.Closer); ok && end.Close() != nil {
		panic(http.ErrAbortHandler)
	}
	if w.Close() != nil {
		panic(http.ErrAbortHandler)
	}
}

func expositionFormat(format expfmt.Format) exposition.Format {
	switch format.FormatType() {
	case expfmt.TypeOpenMetrics:
		return exposition.OpenMetrics
	case expfmt.TypeProtoDelim:
		return exposition.Protobuf
	}
	return exposition.Text
}
