package schedule

import (
	"cmp"
	"slices"
	"time"
)

// apart is how far the starts of a slot's jobs are kept from each other where
// there is room for it: about as long as a core is busy with a TLS handshake and
// what goes with it, on both its ends. Two that begin at once are late by what
// the other takes.
const apart = 2 * time.Millisecond

// spread moves the members of a slot, which are in the order of their offsets, so
// that none starts too soon after another: by apart, or, if so many have no room,
// by nine tenths of what there is for each. Who has room stays where the hash
// has it, so that slots of different periods do not all start at the same
// instants.
func spread(members []member, width time.Duration) {
	if len(members) == 0 {
		return
	}
	gap := min(apart, width/time.Duration(len(members))*9/10)
	first := time.Duration(0) // that the next one may have
	for i := range members {
		m := &members[i]
		m.offset = max(m.offset, first)
		first = m.offset + gap
	}
	last := width - gap
	for i := len(members) - 1; i >= 0; i-- {
		m := &members[i]
		m.offset = min(m.offset, last)
		last = m.offset - gap
	}
}

// carryOver is next, but who is in before as well is where it was there.
func carryOver(before, next []member) []member {
	had := make(map[*job]time.Duration, len(before))
	for _, m := range before {
		had[m.job] = m.offset
	}
	members := slices.Clone(next)
	for i := range members {
		m := &members[i]
		if offset, ok := had[m.job]; ok {
			m.offset = offset
		}
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.offset, b.offset) })
	return members
}
