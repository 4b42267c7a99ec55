package web

import (
	"math"
	"math/bits"
	"sync"
	"time"
	"unique"

	"github.com/esawatch/esawatch/checks"
)

// ring holds the last results of one check in short, the newest in full, and
// counts those of a day by hour.
type ring struct {
	mu       sync.Mutex
	entries  []packed // grows to ringSize, and is a ring from then on
	next     uint8    // where the next one goes, once it is one
	recalled bool     // nothing has come since the restart
	kinds    []unique.Handle[kind]
	last     latest // the newest; what is in its entry is only there
	hours    hours
}

// packed is an entry in ten bytes.
type packed struct {
	started    [2]uint16 // s since 1970, the high half first
	took       short
	originTook short
	kind       uint8 // index in ring.kinds
}

func (p *packed) at() uint32 { return uint32(p.started[0])<<16 | uint32(p.started[1]) }

func pack(started time.Time, took, originTook short, kind uint8) packed {
	at := uint32(min(max(started.Unix(), 0), 1<<32-1))
	return packed{[2]uint16{uint16(at >> 16), uint16(at)}, took, originTook, kind}
}

func (r *ring) add(res *checks.Result, site *recentSite) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := kindOf(res)
	originTook := 0.0
	if res.Origin != nil {
		originTook = res.Origin.DurationSeconds
	}
	r.push(pack(res.StartedAt, shortOf(res.DurationSeconds), shortOf(originTook), r.kindIndex(&k)))
	r.last.set(res, site)
	r.recalled = false
	r.hours.add(res.StartedAt, k.outcome == failed)
}

// push makes room as it is needed: few look at checks that have just begun.
func (r *ring) push(p packed) {
	if n := len(r.entries); n < ringSize {
		if n == cap(r.entries) {
			grown := make([]packed, n, min(max(4, 2*n), ringSize))
			copy(grown, r.entries)
			r.entries = grown
		}
		r.entries = append(r.entries, p)
		return
	}
	r.entries[r.next] = p
	r.next = (r.next + 1) % ringSize
}

// nth is the entry that is so many before the newest.
func (r *ring) nth(back int) *packed {
	n := len(r.entries)
	return &r.entries[(int(r.next)+n-1-back)%n]
}

// kindIndex is where a kind is, put into the place of one that no entry has any
// more if it is new. There are never more than entries.
func (r *ring) kindIndex(k *kind) uint8 {
	for i, known := range r.kinds {
		if known.Value() == *k {
			return uint8(i)
		}
	}
	var used [ringSize + 1]bool
	for i := range r.entries {
		used[r.entries[i].kind] = true
	}
	made := unique.Make(*k)
	for i := range r.kinds {
		if !used[i] {
			r.kinds[i] = made
			return uint8(i)
		}
	}
	r.kinds = append(r.kinds, made)
	return uint8(len(r.kinds) - 1)
}

// newest is the newest result. The caller holds r.mu and knows that there is one.
func (r *ring) newest(site, check string) checks.Result {
	k := r.kinds[r.nth(0).kind].Value()
	return r.last.result(site, check, &k)
}

func (r *ring) copyTo(h *history, site, check string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) == 0 {
		return
	}
	for _, k := range r.kinds {
		h.kinds = append(h.kinds, k.Value())
	}
	for _, part := range [...][]packed{r.entries[r.next:], r.entries[:r.next]} {
		for i := range part {
			p := &part[i]
			k := &h.kinds[p.kind]
			h.entries = append(h.entries, entry{
				started: int64(p.at()), seconds: p.took.seconds(), originSeconds: p.originTook.seconds(), outcome: k.outcome,
				condition: k.condition, status: k.status, originCondition: k.originCondition, originStatus: k.originStatus,
			})
		}
	}
	h.newest, h.recalled = r.newest(site, check), r.recalled
	h.day = r.hours.tally()
}

// short is a duration in two bytes: whole microseconds times a power of two, of
// eleven bits, so that it is right to 0.05 %. Shorter ones are exact; the
// longest is 50 days.
type short uint16

const shortBits = 11

func shortOf(seconds float64) short {
	us := uint64(checks.MicrosOf(seconds))
	exp := max(0, bits.Len64(us)-shortBits)
	us += 1 << exp >> 1 // to the nearest
	exp = max(0, bits.Len64(us)-shortBits)
	return short(exp<<shortBits | int(us>>exp))
}

func (s short) seconds() float32 {
	us := uint64(s&(1<<shortBits-1)) << (s >> shortBits)
	return float32(float64(us) / 1e6)
}

// maxHour is the last hour since 1970 whose seconds fit in an entry.
const maxHour = math.MaxUint32 / 3600

// hours counts results by the hour, over the last day: 104 bytes.
type hours struct {
	last   uint32                   // the newest hour that was counted, since 1970; at most maxHour
	counts [dayHours + 1]hourCounts // by hour modulo their number
}

// hourCounts are those of one hour; they stay at the highest they can be.
type hourCounts struct{ runs, fails uint16 }

func (c *hourCounts) add(fail bool) {
	if c.runs == 1<<16-1 {
		return
	}
	c.runs++
	if fail {
		c.fails++
	}
}

func (h *hours) at(hour uint32) *hourCounts { return &h.counts[hour%uint32(len(h.counts))] }

func (h *hours) add(at time.Time, fail bool) {
	hour := uint32(min(max(at.Unix()/3600, 0), maxHour))
	switch {
	case hour > h.last:
		for n := range min(hour-h.last, uint32(len(h.counts))) {
			*h.at(hour - n) = hourCounts{}
		}
		h.last = hour
	case h.last-hour > dayHours: // the clock was set back
		*h = hours{last: hour}
	}
	h.at(hour).add(fail)
}

// tally counts results over a time.
type tally struct {
	since time.Time // start of the first hour that has any
	runs  uint32
	fails uint32
}

// tally sums the hours up, counted back from the newest result, so that a
// machine whose clock was set does not see an empty day.
func (h *hours) tally() tally {
	var t tally
	for hour := h.last - min(h.last, dayHours); hour <= h.last; hour++ {
		c := h.at(hour)
		if c.runs == 0 {
			continue
		}
		if t.runs == 0 {
			t.since = time.Unix(int64(hour)*3600, 0).UTC()
		}
		t.runs += uint32(c.runs)
		t.fails += uint32(c.fails)
	}
	return t
}
