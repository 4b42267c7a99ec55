package cluster

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
)

// score is how much a member wants something: of several members the one with
// the highest score has it. When a member goes, only what it had moves.
func score(member, what string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(member)) // a hash takes everything
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(what))
	// FNV leaves names that differ in their last letter close together.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// owner is the member that has something. There is at least one.
func owner(members []string, what string) string {
	best := members[0]
	for _, m := range members[1:] {
		if a, b := score(m, what), score(best, what); a > b || a == b && m > best {
			best = m
		}
	}
	return best
}

// rank is how many of the members want something more than self does.
func rank(members []string, self, what string) int {
	mine, n := score(self, what), 0
	for _, m := range members {
		if s := score(m, what); m != self && (s > mine || s == mine && m > self) {
			n++
		}
	}
	return n
}

// names is a set of checks, by their full names' hashes: eight bytes each,
// sorted. It is what members tell each other of their configuration.
type names []uint64

// namesOf is the set of some checks.
func namesOf(checks []string) names {
	set := make(names, len(checks))
	for i, c := range checks {
		set[i] = score("", c)
	}
	slices.Sort(set)
	return slices.Compact(set)
}

func (s names) has(check string) bool {
	_, found := slices.BinarySearch(s, score("", check))
	return found
}

// digest tells sets apart. It is never 0.
func (s names) digest() uint64 {
	return score("set", string(s.encode())) | 1
}

// encode is the set as it is sent.
func (s names) encode() []byte {
	raw := make([]byte, 0, 8*len(s))
	for _, n := range s {
		raw = binary.BigEndian.AppendUint64(raw, n)
	}
	return raw
}

// decodeNames reads what encode has written. The bool is false for anything else.
func decodeNames(raw []byte) (names, bool) {
	if len(raw)%8 != 0 {
		return nil, false
	}
	set := make(names, 0, len(raw)/8)
	for ; len(raw) > 0; raw = raw[8:] {
		set = append(set, binary.BigEndian.Uint64(raw))
	}
	return set, slices.IsSorted(set)
}

// subject is an address on NATS below the cluster's name.
func subject(elem ...string) string { return strings.Join(elem, ".") }
