package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"

	"github.com/esawatch/esawatch/agent/store"
)

// The layout of a bbolt file, version 2, in the byte order of the machine. It
// has been the same since 2014, and is read here only to be distrusted.
//
// A page: its number (8 bytes), kind (2), count (2), overflow pages (4), then
// count elements of 16 bytes, then the keys and values that they point to.
// A root page ("meta") has, after that header: magic (4), version (4), page
// size (4), flags (4), the root bucket's page (8) and sequence (8), the page of
// the free list (8), the number of pages (8), the transaction (8), an FNV-1a
// checksum of all that (8).
const (
	pageHeader  = 16
	elementSize = 16
	metaSize    = 64
	metaMagic   = 0xED0CDAED
	metaVersion = 2

	kindBranch   = 0x01
	kindLeaf     = 0x02
	kindFreelist = 0x10

	bucketFlag   = 0x01
	bucketHeader = 16 // page (8) and sequence (8), in front of a bucket that lies within a value

	noFreelist = math.MaxUint64
	maxDepth   = 64 // of a tree; a sound one of this height has no room in the world
)

var order = binary.NativeEndian

// contents is what was found sound in a file.
type contents struct {
	entries  []store.Entry
	sequence uint64 // the last revision given out
	used     int64  // bytes in pages that hold something
}

// scan looks a file of the given size through. The error is a damageError if
// bbolt could stumble over the file or one of its values is not what was
// written; what is sound is returned in either case.
func scan(f io.ReaderAt, size int64) (contents, error) {
	s := scanner{file: f, size: size, visited: make(map[uint64]bool)}
	s.run()
	s.used += 4 * s.pageSize // two roots, the free list
	if len(s.faults) == 0 {
		return s.contents, s.foreign
	}
	if s.readErr != nil {
		return s.contents, s.readErr // the disk's fault: nothing is known of the file
	}
	return s.contents, &damageError{errors.Join(s.faults...)}
}

type scanner struct {
	contents
	file     io.ReaderAt
	size     int64
	pageSize int64
	pages    uint64 // in use by the tree or free
	visited  map[uint64]bool
	faults   []error // the first few
	readErr  error
	foreign  error // set when the file holds another program's data
}

func (s *scanner) fault(format string, args ...any) {
	if len(s.faults) < 5 {
		s.faults = append(s.faults, fmt.Errorf(format, args...))
	}
}

func (s *scanner) run() {
	meta, ok := s.meta()
	if !ok {
		s.fault("no valid root page")
		return
	}
	s.pages = order.Uint64(meta[40:])
	if s.pages < 4 || s.pages > uint64(s.size/s.pageSize) {
		s.fault("%d pages of %d bytes do not fit into the %d bytes of the file", s.pages, s.pageSize, s.size)
		s.pages = min(s.pages, uint64(s.size/s.pageSize)) // what is there may be sound
	}
	s.tree(order.Uint64(meta[16:]), false, 0)
	s.freelist(order.Uint64(meta[32:]))
}

// meta is the newer of the two root pages, without the page header. One that
// is not valid is a fault though bbolt would go on with the other: that is the
// state before the last write.
func (s *scanner) meta() (meta []byte, ok bool) {
	first, ok := s.metaAt(0, 0)
	if ok {
		s.pageSize = int64(order.Uint32(first[8:]))
	}
	var second []byte
	for shift := 10; shift <= 24 && second == nil; shift++ {
		if size := int64(1) << shift; s.pageSize == 0 || s.pageSize == size {
			second, _ = s.metaAt(size, size)
		}
	}
	switch {
	case first == nil && second == nil:
		return nil, false
	case first == nil:
		s.fault("first root page is broken: the last write may be lost")
	case second == nil:
		s.fault("second root page is broken: the last write may be lost")
		return first, true
	case order.Uint64(first[48:]) > order.Uint64(second[48:]):
		return first, true
	}
	s.pageSize = int64(order.Uint32(second[8:]))
	return second, true
}

// metaAt is the root page at an offset if it is valid, and of the page size
// given unless that is 0.
func (s *scanner) metaAt(at, pageSize int64) ([]byte, bool) {
	buf := make([]byte, pageHeader+metaSize)
	if _, err := s.file.ReadAt(buf, at); err != nil {
		return nil, false
	}
	m := buf[pageHeader:]
	sum := fnv.New64a()
	sum.Write(m[:metaSize-8])
	stated := int64(order.Uint32(m[8:]))
	if order.Uint32(m) != metaMagic || order.Uint32(m[4:]) != metaVersion || sum.Sum64() != order.Uint64(m[56:]) ||
		stated < 1024 || stated > 1<<24 || pageSize != 0 && stated != pageSize {
		return nil, false
	}
	return m, true
}

// page reads a page with its overflow and checks its header.
func (s *scanner) page(id uint64, kinds ...uint16) ([]byte, bool) {
	if id < 2 || id >= s.pages {
		s.fault("page %d: outside of the file", id)
		return nil, false
	}
	if s.visited[id] {
		s.fault("page %d: used twice", id)
		return nil, false
	}
	header, ok := s.read(id, pageHeader)
	if !ok {
		return nil, false
	}
	overflow := uint64(order.Uint32(header[12:]))
	if id+overflow >= s.pages {
		s.fault("page %d: reaches beyond the file", id)
		return nil, false
	}
	for i := id; i <= id+overflow; i++ {
		if s.visited[i] && i != id {
			s.fault("page %d: used twice", i)
			return nil, false
		}
		s.visited[i] = true
	}
	buf, ok := s.read(id, int64(overflow+1)*s.pageSize)
	if !ok {
		return nil, false
	}
	s.used += int64(len(buf))
	kind := order.Uint16(buf[8:])
	for _, want := range kinds {
		if kind == want && order.Uint64(buf) == id {
			return buf, true
		}
	}
	s.fault("page %d: is of kind %#x and says that it is page %d", id, kind, order.Uint64(buf))
	return nil, false
}

func (s *scanner) read(id uint64, n int64) ([]byte, bool) {
	buf := make([]byte, n)
	if _, err := s.file.ReadAt(buf, int64(id)*s.pageSize); err != nil {
		s.fault("page %d: %w", id, err)
		if !errors.Is(err, io.EOF) {
			s.readErr = err
		}
		return nil, false
	}
	return buf, true
}

// tree walks the pages under id. In the tree of the file's root the leaves hold
// buckets, in that of a bucket they hold values; ours tells whether it is the
// bucket with our values.
func (s *scanner) tree(id uint64, values bool, depth int) {
	if depth > maxDepth {
		s.fault("page %d: too deep", id)
		return
	}
	buf, ok := s.page(id, kindBranch, kindLeaf)
	if !ok {
		return
	}
	if order.Uint16(buf[8:]) == kindLeaf {
		s.leaf(buf, id, values, depth)
		return
	}
	var last []byte
	data := dataStart(buf)
	for i := range int(order.Uint16(buf[10:])) {
		at := pageHeader + i*elementSize
		if at+elementSize > len(buf) {
			s.fault("page %d: more elements than fit", id)
			return
		}
		key, ok := part(buf, at, &data, order.Uint32(buf[at:]), order.Uint32(buf[at+4:]))
		if !ok || i > 0 && bytes.Compare(last, key) >= 0 {
			s.fault("page %d: element %d is broken", id, i)
		}
		last = key
		s.tree(order.Uint64(buf[at+8:]), values, depth+1)
	}
	if order.Uint16(buf[10:]) == 0 {
		s.fault("page %d: a branch without elements", id)
	}
}

// leaf looks at the elements of a leaf, which may lie within a value.
func (s *scanner) leaf(buf []byte, id uint64, values bool, depth int) {
	var last []byte
	data := dataStart(buf)
	if data == pageHeader && len(bytes.Trim(buf[pageHeader:], "\x00")) > 0 {
		s.fault("page %d: says that it is empty, and is not", id)
	}
	for i := range int(order.Uint16(buf[10:])) {
		at := pageHeader + i*elementSize
		if at+elementSize > len(buf) {
			s.fault("page %d: more elements than fit", id)
			return
		}
		flags, pos := order.Uint32(buf[at:]), order.Uint32(buf[at+4:])
		keySize, valueSize := order.Uint32(buf[at+8:]), order.Uint32(buf[at+12:])
		key, ok := part(buf, at, &data, pos, keySize)
		value, fits := part(buf, at+int(keySize), &data, pos, valueSize)
		if !ok || !fits || len(key) == 0 || i > 0 && bytes.Compare(last, key) >= 0 || (flags == bucketFlag) == values || flags > bucketFlag {
			s.fault("page %d: element %d is broken", id, i)
			continue
		}
		last = key
		if values {
			s.value(key, value)
		} else {
			s.bucket(key, value, id, depth)
		}
	}
}

// value takes an element of a bucket of values.
func (s *scanner) value(key, raw []byte) {
	e, err := decode(key, raw)
	if err != nil {
		s.fault("key %q: %w", key, err)
		return
	}
	s.entries = append(s.entries, e)
}

// bucket takes an element of the file's root.
func (s *scanner) bucket(name, value []byte, id uint64, depth int) {
	if len(value) < bucketHeader {
		s.fault("bucket %q: cut", name)
		return
	}
	if !bytes.Equal(name, bucketName) {
		// If there are values of ours in it, it is our bucket with a damaged
		// name. If there are none it is not ours to judge.
		faults, entries := len(s.faults), len(s.entries)
		defer func() {
			if len(s.entries) > entries {
				s.fault("bucket %q: damaged name", name)
			} else {
				s.faults, s.foreign = s.faults[:faults], foreign(name)
			}
		}()
	}
	s.sequence = order.Uint64(value[8:])
	if root := order.Uint64(value); root != 0 {
		s.tree(root, true, depth+1)
		return
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != kindLeaf {
		s.fault("bucket %q: broken", name)
		return
	}
	s.leaf(inline, id, true, depth+1)
}

// freelist holds the pages that may be written over: none of them may be in use.
func (s *scanner) freelist(id uint64) {
	if id == noFreelist {
		return
	}
	used := s.used
	buf, ok := s.page(id, kindFreelist)
	s.used = used
	if !ok {
		return
	}
	count, ids := uint64(order.Uint16(buf[10:])), buf[pageHeader:]
	if count == math.MaxUint16 {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		s.fault("page %d: a free list longer than its page", id)
		return
	}
	var last uint64
	for i := range count {
		free := order.Uint64(ids[i*8:])
		if free < 2 || free >= s.pages || free <= last || s.visited[free] {
			s.fault("page %d: the free list has page %d", id, free)
			return
		}
		last = free
	}
}

// dataStart is where the keys and values of a page begin: right after its elements.
func dataStart(buf []byte) uint64 {
	return pageHeader + uint64(order.Uint16(buf[10:]))*elementSize
}

// part is the n bytes at pos after at, if the page has them and they begin
// where those before them ended: bbolt leaves no gap, so that one shows a count
// or a size that is wrong. It moves data to their end.
func part(buf []byte, at int, data *uint64, pos, n uint32) ([]byte, bool) {
	from := uint64(at) + uint64(pos)
	to := from + uint64(n)
	if to > uint64(len(buf)) || to < from {
		return nil, false
	}
	fits := from == *data
	*data = to
	return buf[from:to], fits
}
