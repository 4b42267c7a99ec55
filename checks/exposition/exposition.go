// Package exposition writes metrics in the formats that Prometheus asks for,
// straight from where their values are kept to who wants them. client_golang
// has the same to offer, at the price of an object or two for each series and a
// sort of them all: for ten thousand checks a second of work and three hundred
// megabytes at each scrape. It remains the way for what has few series.
package exposition

import (
	"io"
	"slices"
)

// Format is one of the formats.
type Format int

// The formats. Only Protobuf carries native histograms, and only Text no exemplars.
const (
	Text        Format = iota // Prometheus's own, version 0.0.4
	OpenMetrics               // 1.0, but for its end mark
	Protobuf                  // io.prometheus.client.MetricFamily, each after its length
)

// Kind is the type of a family.
type Kind int

// The kinds, by their numbers in protobuf.
const (
	Counter   Kind = 0
	Gauge     Kind = 1
	Histogram Kind = 4
)

// String is the kind's name in the text formats.
func (k Kind) String() string {
	switch k {
	case Counter:
		return "counter"
	case Histogram:
		return "histogram"
	}
	return "gauge"
}

// Family is a metric: what all its series have in common. Names and help are
// our own and need no escaping.
type Family struct {
	Name, Help string
	Kind       Kind
	Labels     []string  // besides those of a Base
	Bounds     []float64 // of a histogram's classic buckets, rising, without +Inf
	Exemplar   string    // the label of a histogram's exemplars
}

// Base are labels that several series share, written out once for all of them
// in the format of the Writer that made it.
type Base string

// Distribution is the value of a histogram.
type Distribution struct {
	Count uint64
	Sum   float64
	// Classic counts what lies in each of the Family's bounds: up to it and above
	// the one before.
	Classic []uint32

	Schema        int32
	ZeroThreshold float64
	Zero          uint32
	Native        []Bucket // by index

	Exemplar Exemplar
}

// Bucket is a native bucket.
type Bucket struct {
	Index int32
	Count uint32
}

// Exemplar is one of the values that were counted. OpenMetrics allows 128
// characters for its label, name and value together.
type Exemplar struct {
	Label      string // its value; "" = there is no exemplar
	Value      float64
	UnixMillis int64
}

// Writer writes families, one after the other. After the first error of the
// writer below it, it writes nothing more; Flush tells which it was.
type Writer struct {
	out    io.Writer
	format Format
	only   []string // the families to be written; nil = all
	buf    []byte
	err    error

	family *Family
	begun  bool // whether the family has a series yet

	// What the text formats begin and continue a line with.
	begin  string
	labels []string // `,name="`
	ends   []string // `,le="bound"} `, the last for +Inf

	// A protobuf message begins with its length, so a family is first measured.
	measuring bool
	size      int
	metric    message // room for one
}

// chunk is how many bytes are written at once, or a series more.
const chunk = 32 << 10

// NewWriter returns a writer of one format.
func NewWriter(out io.Writer, format Format) *Writer {
	return &Writer{out: out, format: format, buf: make([]byte, 0, 2*chunk)}
}

// Only leaves out the families of other names from now on.
func (w *Writer) Only(names []string) { w.only = names }

// Wants tells whether a family is to be written. One that is not may be given all
// the same; this is for those who would gather much for nothing.
func (w *Writer) Wants(f *Family) bool { return w.only == nil || slices.Contains(w.only, f.Name) }

// Native tells whether the format carries native histograms: Distribution.Native
// may be left out where it does not.
func (w *Writer) Native() bool { return w.format == Protobuf }

// Base is made of names and values in turn.
func (w *Writer) Base(pairs ...string) Base {
	var room [256]byte
	b := room[:0]
	for i := 0; i+1 < len(pairs); i += 2 {
		if w.format == Protobuf {
			b = message(b).pair(pairs[i], pairs[i+1])
			continue
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, pairs[i]...), `="`...)
		b = append(appendEscaped(b, pairs[i+1]), '"')
	}
	return Base(b)
}

// Family writes a family. Its series are those that each writes, which is called
// twice in Protobuf and must write the same both times. A family without series
// is left out.
func (w *Writer) Family(f *Family, each func()) {
	if w.err != nil || !w.Wants(f) {
		return
	}
	w.family, w.begun = f, false
	if w.format == Protobuf {
		w.measuring, w.size = true, 0
		each()
		w.measuring = false
		if w.size == 0 {
			return
		}
		w.protobufHeader()
	} else {
		w.prepareText()
	}
	each()
}

// Sample writes a series of a counter or gauge, with the values of the family's
// labels in their order.
func (w *Writer) Sample(base Base, value float64, labels ...string) {
	if w.format == Protobuf {
		w.protobufSample(base, value, labels)
	} else {
		w.textSample(base, value, labels)
	}
	w.flushChunk()
}

// Histogram writes a series of a histogram.
func (w *Writer) Histogram(base Base, d *Distribution) {
	if w.format == Protobuf {
		w.protobufHistogram(base, d)
	} else {
		w.textHistogram(base, d)
	}
	w.flushChunk()
}

// Flush writes what is left and returns the first error.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.out.Write(w.buf)
	}
	w.buf = w.buf[:0]
	return w.err
}

func (w *Writer) flushChunk() {
	if len(w.buf) >= chunk {
		_ = w.Flush() // which remembers its error
	}
}
