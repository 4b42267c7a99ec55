package exposition

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// prepareText makes the parts of lines that are the same for all of a family.
func (w *Writer) prepareText() {
	f := w.family
	w.begin = f.Name + "{"
	w.labels = w.labels[:0]
	for _, name := range f.Labels {
		w.labels = append(w.labels, `,`+name+`="`)
	}
	w.ends = w.ends[:0]
	for _, bound := range f.Bounds {
		text := strconv.FormatFloat(bound, 'g', -1, 64)
		if w.format == OpenMetrics && !strings.ContainsAny(text, ".e") {
			text += ".0" // as all of Prometheus's own libraries write it there
		}
		w.ends = append(w.ends, `,le="`+text+`"} `)
	}
	w.ends = append(w.ends, `,le="+Inf"} `)
}

// textHeader comes before the first series of a family.
func (w *Writer) textHeader() {
	if w.begun {
		return
	}
	w.begun = true
	f := w.family
	name := f.Name
	if f.Kind == Counter && w.format == OpenMetrics {
		name = strings.TrimSuffix(name, "_total")
	}
	w.put("# HELP ", name, " ", f.Help, "\n# TYPE ", name, " ", f.Kind.String(), "\n")
}

func (w *Writer) textSample(base Base, value float64, labels []string) {
	w.textHeader()
	w.put(w.begin, string(base))
	for i, value := range labels {
		w.put(w.labels[i])
		w.buf = append(appendEscaped(w.buf, value), '"')
	}
	w.put("} ")
	w.buf = append(appendValue(w.buf, value), '\n')
}

func (w *Writer) textHistogram(base Base, d *Distribution) {
	w.textHeader()
	name, labels := w.family.Name, string(base)
	like := d.place(w.family.Bounds)
	var below uint64
	for i, end := range w.ends {
		if i < len(d.Classic) {
			below += uint64(d.Classic[i])
		} else {
			below = d.Count
		}
		w.put(name, "_bucket{", labels, end)
		w.buf = strconv.AppendUint(w.buf, below, 10)
		if i == like && w.format == OpenMetrics {
			w.textExemplar(&d.Exemplar)
		}
		w.buf = append(w.buf, '\n')
	}
	w.put(name, "_sum{", labels, "} ")
	w.buf = append(appendValue(w.buf, d.Sum), '\n')
	w.put(name, "_count{", labels, "} ")
	w.buf = append(strconv.AppendUint(w.buf, d.Count, 10), '\n')
}

// textExemplar goes on with the line of the bucket that the exemplar lies in.
func (w *Writer) textExemplar(e *Exemplar) {
	w.put(" # {", w.family.Exemplar, `="`)
	w.buf = appendEscaped(w.buf, e.Label)
	w.put(`"} `)
	w.buf = append(appendValue(w.buf, e.Value), ' ')
	w.buf = strconv.AppendFloat(w.buf, float64(e.UnixMillis)/1000, 'f', 3, 64)
}

// place is the index of the bucket that the exemplar lies in, len(bounds) for
// the last, and -1 when there is none.
func (d *Distribution) place(bounds []float64) int {
	if d.Exemplar.Label == "" {
		return -1
	}
	i, _ := slices.BinarySearch(bounds, d.Exemplar.Value)
	return i
}

func (w *Writer) put(parts ...string) {
	for _, part := range parts {
		w.buf = append(w.buf, part...)
	}
}

// appendValue writes a number. Most are whole, and those are cheaper.
func appendValue(b []byte, v float64) []byte {
	if whole := int64(v); float64(whole) == v && math.Abs(v) < 1e15 {
		return strconv.AppendInt(b, whole, 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// appendEscaped writes the value of a label, whatever is in it. Few need more
// than a look.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c == '\\' || c == '"' || c == '\n' || c >= 0x80 {
			return append(b, escapes.Replace(valid(s))...)
		}
	}
	return append(b, s...)
}

// valid is s as UTF-8, which all formats demand.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
