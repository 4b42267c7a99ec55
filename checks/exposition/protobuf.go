package exposition

import (
	"encoding/binary"
	"math"
)

// message is one of protocol buffers, as it is being written. The numbers of
// fields are those of io/prometheus/client/metrics.proto.
type message []byte

// The ways in which a field is written.
const (
	wireVarint = 0
	wireFixed  = 1 // 64 bits
	wireLength = 2 // bytes, after their number
)

func (m message) tag(field, wire int) message {
	return binary.AppendUvarint(m, uint64(field<<3|wire))
}

func (m message) varint(field int, v uint64) message {
	return binary.AppendUvarint(m.tag(field, wireVarint), v)
}

// signed is for the type sint, whose small negative numbers are short too.
func (m message) signed(field int, v int64) message {
	return m.varint(field, uint64(v<<1)^uint64(v>>63))
}

func (m message) double(field int, v float64) message {
	return binary.LittleEndian.AppendUint64(m.tag(field, wireFixed), math.Float64bits(v))
}

func (m message) message(field int, v message) message {
	return append(binary.AppendUvarint(m.tag(field, wireLength), uint64(len(v))), v...)
}

func (m message) text(field int, v string) message {
	return append(binary.AppendUvarint(m.tag(field, wireLength), uint64(len(v))), v...)
}

// pair is a label of a Metric or an Exemplar, whose field 1 both times it is.
func (m message) pair(name, value string) message {
	var room [128]byte
	return m.message(1, message(room[:0]).text(1, name).text(2, valid(value)))
}

// protobufHeader begins a family that was measured.
func (w *Writer) protobufHeader() {
	f := w.family
	head := message(nil).text(1, f.Name).text(2, f.Help).varint(3, uint64(f.Kind))
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(head)+w.size)), head...)
}

// protobufMetric writes one Metric of the family, or measures it.
func (w *Writer) protobufMetric(m message) {
	before := len(w.buf)
	w.buf = message(w.buf).message(4, m)
	if w.measuring {
		w.size += len(w.buf) - before
		w.buf = w.buf[:before]
	}
	w.metric = m[:0]
}

// labelled begins a Metric with its labels.
func (w *Writer) labelled(base Base, labels []string) message {
	m := append(w.metric[:0], base...)
	for i, value := range labels {
		m = m.pair(w.family.Labels[i], value)
	}
	return m
}

func (w *Writer) protobufSample(base Base, value float64, labels []string) {
	field := 2
	if w.family.Kind == Counter {
		field = 3
	}
	var room [16]byte
	w.protobufMetric(w.labelled(base, labels).message(field, message(room[:0]).double(1, value)))
}

func (w *Writer) protobufHistogram(base Base, d *Distribution) {
	var room [1024]byte
	h := message(room[:0]).varint(1, d.Count).double(2, d.Sum)
	var below uint64
	like := d.place(w.family.Bounds)
	for i, bound := range w.family.Bounds {
		below += uint64(d.Classic[i])
		h = w.protobufBucket(h, below, bound, i == like, &d.Exemplar)
	}
	if like == len(w.family.Bounds) { // the bucket of all is there only to carry it
		h = w.protobufBucket(h, d.Count, math.Inf(1), true, &d.Exemplar)
	}
	h = h.signed(5, int64(d.Schema)).double(6, d.ZeroThreshold).varint(7, uint64(d.Zero)).native(d.Native)
	if like >= 0 {
		h = w.protobufExemplar(h, 16, &d.Exemplar)
	}
	w.protobufMetric(w.labelled(base, nil).message(7, h))
}

func (w *Writer) protobufBucket(h message, below uint64, bound float64, like bool, e *Exemplar) message {
	var room [256]byte
	bucket := message(room[:0]).varint(1, below).double(2, bound)
	if like {
		bucket = w.protobufExemplar(bucket, 3, e)
	}
	return h.message(3, bucket)
}

func (w *Writer) protobufExemplar(m message, field int, e *Exemplar) message {
	var room [256]byte
	var roomAt [32]byte
	at := message(roomAt[:0]).varint(1, uint64(e.UnixMillis/1000)).varint(2, uint64(e.UnixMillis%1000*1e6))
	return m.message(field, message(room[:0]).pair(w.family.Exemplar, e.Label).double(2, e.Value).message(3, at))
}

// native writes the native buckets: runs of neighbours are spans, and each
// count is told by its difference to the one before.
func (m message) native(buckets []Bucket) message {
	next := int32(0)
	for begin := 0; begin < len(buckets); {
		end := begin + 1
		for end < len(buckets) && buckets[end].Index == buckets[end-1].Index+1 {
			end++
		}
		var room [16]byte
		m = m.message(12, message(room[:0]).signed(1, int64(buckets[begin].Index-next)).varint(2, uint64(end-begin)))
		next = buckets[end-1].Index + 1
		begin = end
	}
	before := int64(0)
	for _, b := range buckets {
		m = m.signed(13, int64(b.Count)-before)
		before = int64(b.Count)
	}
	return m
}
