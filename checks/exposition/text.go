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
	w.buf = add(w.buf, "# HELP ", name, " ", f.Help, "\n# TYPE ", name, " ", f.Kind.String(), "\n")
}

func (w *Writer) textSample(base Base, value float64, labels []string) {
	w.textHeader()
	b := add(w.buf, w.begin, string(base)) // a variable, as each store to w.buf has its price
	for i, value := range labels {
		b = append(appendEscaped(add(b, w.labels[i]), value), '"')
	}
	w.buf = append(appendValue(add(b, "} "), value), '\n')
}

func (w *Writer) textHistogram(base Base, d *Distribution) {
	w.textHeader()
	b := w.buf
	name, labels := w.family.Name, string(base)
	like := d.place(w.family.Bounds)
	var below uint64
	for i, end := range w.ends {
		if i < len(d.Classic) {
			below += uint64(d.Classic[i])
		} else {
			below = d.Count
		}
		b = strconv.AppendUint(add(b, name, "_bucket{", labels, end), below, 10)
		if i == like && w.format == OpenMetrics {
			b = d.Exemplar.appendText(b, w.family.Exemplar)
		}
		b = append(b, '\n')
	}
	b = append(appendValue(add(b, name, "_sum{", labels, "} "), d.Sum), '\n')
	b = strconv.AppendUint(add(b, name, "_count{", labels, "} "), d.Count, 10)
	w.buf = append(b, '\n')
}

// appendText goes on with the line of the bucket that the exemplar lies in.
func (e *Exemplar) appendText(b []byte, label string) []byte {
	b = add(appendEscaped(add(b, " # {", label, `="`), e.Label), `"} `)
	b = append(appendValue(b, e.Value), ' ')
	return strconv.AppendFloat(b, float64(e.UnixMillis)/1000, 'f', 3, 64)
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

func add(b []byte, parts ...string) []byte {
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
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
