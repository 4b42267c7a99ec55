package checks

import (
	"math"
	"slices"
	"sort"

	"github.com/esawatch/esawatch/checks/exposition"
)

// durationBounds are the classic buckets of a check's duration, in seconds.
var durationBounds = [...]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// histogram counts durations in classic buckets and in native ones, as
// Prometheus defines both. There is one a check, and a native bucket is met or
// it is not: so those that were are kept in a small slice, a hundredth of what
// client_golang's own, made for many writers at once, would take.
type histogram struct {
	count   uint64
	sum     float64
	classic [len(durationBounds)]uint32 // of durations up to the bound and above the one before
	zero    uint32                      // of durations of nothing
	coarser int32                       // by how much native's schema is less than nativeSchema
	native  []exposition.Bucket         // by index; one holds (base^(index-1), base^index], where base is 2^(2^-schema)
}

const (
	// nativeSchema gives buckets that are each 9 % wider than the one before.
	nativeSchema = 3
	// maxNative bounds the native buckets; beyond it each two become one.
	maxNative = 100
	// nativeZero is up to where a duration counts as nothing, as client_golang has it.
	nativeZero = 0x1p-128
)

// observe counts a duration in seconds, which is not negative.
func (h *histogram) observe(v float64) {
	h.count++
	h.sum += v
	if i := sort.SearchFloat64s(durationBounds[:], v); i < len(durationBounds) {
		h.classic[i]++
	}
	if v == 0 {
		h.zero++
		return
	}
	index := nativeIndex(v) // of the finest schema
	for range h.coarser {
		index = halved(index)
	}
	i, found := slices.BinarySearchFunc(h.native, index, func(b exposition.Bucket, index int32) int { return int(b.Index - index) })
	if found {
		h.native[i].Count++
		return
	}
	h.native = slices.Insert(h.native, i, exposition.Bucket{Index: index, Count: 1})
	if len(h.native) > maxNative {
		h.coarsen()
	}
}

// nativeBounds are the upper bounds of native buckets between 1/2 and 1, that
// is 2^(-8/8) to 2^(-1/8), to the last digit as Prometheus's own libraries have
// them, which math.Exp2 misses here and there.
var nativeBounds = [1 << nativeSchema]float64{
	0.5, 0.5452538663326288, 0.5946035575013605, 0.6484197773255048,
	0.7071067811865475, 0.7711054127039704, 0.8408964152537144, 0.9170040432046711,
}

// nativeIndex is the index of the bucket of nativeSchema that v lies in.
func nativeIndex(v float64) int32 {
	fraction, exponent := math.Frexp(v) // fraction in [0.5, 1)
	return int32(sort.SearchFloat64s(nativeBounds[:], fraction) + (exponent-1)*len(nativeBounds))
}

// halved is the index of the bucket of the next coarser schema that holds the
// bucket of that index.
func halved(index int32) int32 { return (index + 1) >> 1 }

// coarsen makes one bucket of each two.
func (h *histogram) coarsen() {
	h.coarser++
	merged := h.native[:0]
	for _, b := range h.native {
		b.Index = halved(b.Index)
		if last := len(merged) - 1; last >= 0 && merged[last].Index == b.Index {
			merged[last].Count += b.Count
			continue
		}
		merged = append(merged, b)
	}
	h.native = merged
}
