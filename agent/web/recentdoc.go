package web

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unique"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// docVersion is the first byte of a site's recent results as they are stored.
//
// What follows is compact, since thousands are written every few minutes and
// read at each start: about 250 bytes a check. Numbers are varints, texts are
// their length and their bytes:
//
//	number of checks; of each:
//	  name
//	  hours: number of the newest since 1970; how many, oldest first: runs, fails
//	  kinds: how many: flags, status, condition, the origin's status and condition
//	  results: how many, oldest first: seconds since 1970 and since the one
//	    before, took (2 bytes), the origin took (2 bytes if there was one), kind
//	  the newest: ms of its second, µs it took, µs the origin took
const docVersion = 1

const (
	keptResults = 30 // of each check: a line of latencies that tells something
	maxDocText  = 80 // bytes of a name or a condition
)

var (
	errDocNewer  = errors.New("written by a newer esawatch")
	errDocBroken = errors.New("recent results are damaged")
)

// appendDoc appends the document of one site to b; rings is by check.
func appendDoc(b []byte, names []string, rings []*ring) []byte {
	b = append(b, docVersion)
	b = binary.AppendUvarint(b, uint64(len(names)))
	for i, name := range names {
		b = appendText(b, name)
		b = rings[i].append(b)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// append appends what is to be kept of a ring.
func (r *ring) append(b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b = r.hours.append(b)
	n := min(len(r.entries), keptResults)
	var kinds []uint8             // those that the kept results have
	var index [ringSize + 1]uint8 // of each in kinds, plus one
	for back := n - 1; back >= 0; back-- {
		if k := r.nth(back).kind; index[k] == 0 {
			kinds = append(kinds, k)
			index[k] = uint8(len(kinds))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(kinds)))
	for _, k := range kinds {
		b = r.kinds[k].Value().append(b)
	}
	b = binary.AppendUvarint(b, uint64(n))
	last := int64(0)
	for back := n - 1; back >= 0; back-- {
		p := r.nth(back)
		b = binary.AppendVarint(b, int64(p.at())-last)
		last = int64(p.at())
		b = append(b, index[p.kind]-1)
		b = binary.LittleEndian.AppendUint16(b, uint16(p.took))
		if r.kinds[p.kind].Value().hasOrigin {
			b = binary.LittleEndian.AppendUint16(b, uint16(p.originTook))
		}
	}
	if n > 0 {
		b = binary.AppendUvarint(b, uint64(min(max(r.last.started-last*1000, 0), 999)))
		b = binary.AppendUvarint(b, uint64(r.last.took))
		b = binary.AppendUvarint(b, uint64(r.last.origin))
	}
	return b
}

func (h *hours) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(h.last))
	first := h.last - min(h.last, dayHours)
	for first < h.last && h.at(first).runs == 0 {
		first++
	}
	b = binary.AppendUvarint(b, uint64(h.last-first+1))
	for hour := first; hour <= h.last; hour++ {
		c := h.at(hour)
		b = binary.AppendUvarint(b, uint64(c.runs))
		b = binary.AppendUvarint(b, uint64(c.fails))
	}
	return b
}

// The flags of a kind: its outcome, and these.
const (
	flagOutcome       = 3
	flagOrigin        = 4
	flagOriginSuccess = 8
)

func (k kind) append(b []byte) []byte {
	flags := byte(k.outcome)
	if k.hasOrigin {
		flags |= flagOrigin
	}
	if k.originSuccess {
		flags |= flagOriginSuccess
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(max(0, k.status)))
	b = appendText(b, string(k.condition))
	b = binary.AppendUvarint(b, uint64(max(0, k.originStatus)))
	return appendText(b, string(k.originCondition))
}

// readDoc reads what appendDoc wrote, and calls each for every check of it. The
// rings are as after a restart. Nothing is called for a document with an error.
func readDoc(raw []byte, each func(check string, r *ring)) error {
	d := docReader{rest: raw}
	switch v := d.byte(); {
	case len(raw) == 0:
		return errDocBroken
	case v > docVersion:
		return fmt.Errorf("version %d, this program reads up to %d: %w", v, docVersion, errDocNewer)
	case v < 1:
		return errDocBroken
	}
	type one struct {
		check string
		ring  *ring
	}
	var all []one
	for n := d.number(uint64(len(raw))); n > 0 && !d.bad; n-- {
		all = append(all, one{d.text(), d.ring()})
	}
	if d.bad || len(d.rest) > 0 {
		return errDocBroken
	}
	for _, o := range all {
		each(o.check, o.ring)
	}
	return nil
}

// docReader reads a document from its beginning. What cannot be read sets bad
// and gives zero values from then on.
type docReader struct {
	rest []byte
	bad  bool
}

// fail gives up.
func (d *docReader) fail() { d.rest, d.bad = nil, true }

func (d *docReader) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	v := d.rest[0]
	d.rest = d.rest[1:]
	return v
}

func (d *docReader) uint16() uint16 { return uint16(d.byte()) | uint16(d.byte())<<8 }

// number reads one that is at most so large.
func (d *docReader) number(most uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > most {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *docReader) text() string {
	n := d.number(min(maxDocText, uint64(len(d.rest))))
	if d.bad || n > uint64(len(d.rest)) {
		d.fail()
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *docReader) ring() *ring {
	r := &ring{recalled: true, hours: d.hours()}
	for n := d.number(keptResults); n > 0 && !d.bad; n-- {
		r.kinds = append(r.kinds, unique.Make(d.kind()))
	}
	n := d.number(keptResults)
	r.entries = make([]packed, 0, n)
	at := int64(0)
	for ; n > 0 && !d.bad; n-- {
		step, size := binary.Varint(d.rest)
		if size <= 0 || step < -math.MaxUint32 || step > math.MaxUint32 || at+step < 0 || at+step > math.MaxUint32 {
			d.fail()
			break
		}
		d.rest = d.rest[size:]
		at += step
		p := packed{started: [2]uint16{uint16(at >> 16), uint16(at)}, kind: d.byte(), took: short(d.uint16())}
		if int(p.kind) >= len(r.kinds) {
			d.fail()
			break
		}
		if r.kinds[p.kind].Value().hasOrigin {
			p.originTook = short(d.uint16())
		}
		r.push(p)
	}
	if len(r.entries) > 0 {
		r.last = latest{
			started: at*1000 + int64(d.number(999)),
			took:    checks.Micros(d.number(math.MaxUint32)),
			origin:  checks.Micros(d.number(math.MaxUint32)),
		}
	}
	return r
}

func (d *docReader) hours() hours {
	h := hours{last: uint32(d.number(maxHour))}
	n := uint32(d.number(min(dayHours, uint64(h.last)) + 1))
	for hour := h.last - n + 1; n > 0 && !d.bad; n, hour = n-1, hour+1 {
		runs := d.number(math.MaxUint16)
		*h.at(hour) = hourCounts{uint16(runs), uint16(d.number(runs))}
	}
	return h
}

func (d *docReader) kind() kind {
	flags := d.byte()
	k := kind{outcome: outcome(flags & flagOutcome), hasOrigin: flags&flagOrigin != 0, originSuccess: flags&flagOriginSuccess != 0}
	if k.outcome > failed || flags > flagOutcome|flagOrigin|flagOriginSuccess {
		d.fail()
		return kind{}
	}
	k.status = int(d.number(math.MaxInt32))
	k.condition = catalog.Condition(d.text())
	k.originStatus = int(d.number(math.MaxInt32))
	k.originCondition = catalog.Condition(d.text())
	return k
}
