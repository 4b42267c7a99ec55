package schedule

import (
	"cmp"
	"slices"
	"time"
)

// apart is how far the starts of a slot's jobs are from each other, where there
// is room for it: 1.6 ms, about as long as a core is busy with a TLS handshake and
// what goes with it, and divisible by two many times. Two that begin at once are
// both late by what the other takes: of five thousand each 10 s, placed by their
// hash alone, the latest hundredth started 3 to 4 ms late on two cores, whatever
// program asked.
const apart time.Duration = 3 << 19 // ns

// seat gives each member of a slot its seat: the one that its hash, which gave
// it its offset, names, or the nearest free one. Seats are apart from each other,
// or half of that and so on if they are not enough; a ninth of them at least stays
// free, so that nobody has far to go. A job that had a seat before keeps it: had
// it to move while the others come and go, it might lose a run or be run twice.
func seat(width time.Duration, before, members []member) {
	step := apart
	for width/step < time.Duration(len(members)+len(members)/8) {
		step /= 2
	}
	had := make(map[*job]time.Duration, len(before))
	for _, m := range before {
		had[m.job] = m.offset
	}
	taken := make(map[time.Duration]bool, len(members)) // by offset / step
	for _, m := range members {
		if offset, ok := had[m.job]; ok {
			taken[offset/step] = true
		}
	}
	for i := range members {
		m := &members[i]
		offset, ok := had[m.job]
		if !ok {
			free := nearest(m.offset/step, width/step, taken)
			taken[free] = true
			offset = free * step
		}
		m.offset = offset
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.offset, b.offset) })
}

// nearest is the seat next to the wanted one, of so many, that is not taken. One
// is free.
func nearest(wanted, seats time.Duration, taken map[time.Duration]bool) time.Duration {
	for by := time.Duration(0); ; by++ {
		if later := wanted + by; later < seats && !taken[later] {
			return later
		}
		if sooner := wanted - by; sooner >= 0 && !taken[sooner] {
			return sooner
		}
	}
}
