package checks

import (
	"io"
	"math"
	"strconv"
	"strings"
)

// durationName is the histogram of checks' durations.
const (
	durationName = "esawatch_check_duration_seconds"
	durationHelp = "How long runs of the check took, through the edge."
)

// WriteText writes the metrics of all checks in Prometheus's text format, or in
// OpenMetrics without its end mark, so that others may follow. The collector
// has the same to say, but at its price: for ten thousand checks promhttp
// builds a third of a million objects at each scrape, and sorts them.
func (m *Metrics) WriteText(w io.Writer, openMetrics bool) error {
	list := m.snapshot(false)
	e := &exposition{w: w, openMetrics: openMetrics, buf: make([]byte, 0, 2*expositionChunk)}
	for i := range families {
		e.family(&families[i], list)
	}
	e.histograms(list)
	e.flush()
	return e.err
}

// expositionChunk is how many bytes are written at once, or a line more.
const expositionChunk = 32 << 10

// exposition is a text being written.
type exposition struct {
	w           io.Writer
	openMetrics bool
	buf         []byte
	err         error // the first; nothing is written after it
}

func (e *exposition) family(f *family, list []series) {
	kind, name := "gauge", f.name
	if f.counter {
		kind = "counter"
		if e.openMetrics {
			name = strings.TrimSuffix(name, "_total")
		}
	}
	e.header(name, f.help, kind)
	// What comes before the value of each label; the first ends the labels of all.
	var before [3]string
	for i, label := range f.labels {
		before[i] = `,` + label + `="`
	}
	begin := f.name + "{"
	var s *series
	put := func(v float64, a, b, c string) {
		e.buf = append(append(e.buf, begin...), s.labels...)
		for i, value := range [...]string{a, b, c} {
			if before[i] != "" {
				e.buf = append(append(append(e.buf, before[i]...), value...), '"')
			}
		}
		e.buf = append(e.buf, "} "...)
		e.value(v)
	}
	for i := range list {
		s = &list[i]
		f.each(s, put)
		e.flushChunk()
	}
}

func (e *exposition) histograms(list []series) {
	e.header(durationName, durationHelp, "histogram")
	var ends [len(durationBounds) + 1]string
	for i, bound := range durationBounds {
		text := strconv.FormatFloat(bound, 'g', -1, 64)
		if e.openMetrics && !strings.Contains(text, ".") {
			text += ".0"
		}
		ends[i] = `,le="` + text + `"} `
	}
	ends[len(durationBounds)] = `,le="+Inf"} `
	for i := range list {
		s := &list[i]
		var below uint64
		for j, end := range ends {
			if j < len(durationBounds) {
				below += uint64(s.duration.classic[j])
			} else {
				below = s.duration.count
			}
			e.buf = append(append(append(e.buf, durationName+"_bucket{"...), s.labels...), end...)
			e.count(below)
		}
		e.buf = append(append(append(e.buf, durationName+"_sum{"...), s.labels...), "} "...)
		e.value(s.duration.sum)
		e.buf = append(append(append(e.buf, durationName+"_count{"...), s.labels...), "} "...)
		e.count(s.duration.count)
		e.flushChunk()
	}
}

func (e *exposition) header(name, help, kind string) {
	e.buf = append(append(append(append(append(e.buf, "# HELP "...), name...), ' '), help...), '\n')
	e.buf = append(append(append(append(append(e.buf, "# TYPE "...), name...), ' '), kind...), '\n')
}

// count ends a line with a whole number.
func (e *exposition) count(n uint64) {
	e.buf = append(strconv.AppendUint(e.buf, n, 10), '\n')
}

// value ends a line. Most values are whole numbers, and those are cheaper.
func (e *exposition) value(v float64) {
	if whole := int64(v); float64(whole) == v && math.Abs(v) < 1e15 {
		e.buf = strconv.AppendInt(e.buf, whole, 10)
		if e.openMetrics {
			e.buf = append(e.buf, ".0"...)
		}
	} else {
		e.buf = strconv.AppendFloat(e.buf, v, 'g', -1, 64)
	}
	e.buf = append(e.buf, '\n')
}

func (e *exposition) flushChunk() {
	if len(e.buf) >= expositionChunk {
		e.flush()
	}
}

func (e *exposition) flush() {
	if e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

// labelEscaper writes the value of a label as the text format wants it.
var labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// textLabels are the labels of all series of a check, as they are written.
func textLabels(site, check, location string) string {
	return `site="` + labelEscaper.Replace(site) + `",check="` + labelEscaper.Replace(check) +
		`",location="` + labelEscaper.Replace(location) + `"`
}
