package boltstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/esawatch/esawatch/agent/store"
)

// A value in the file begins with a header: one byte for its version, four for
// a CRC-32C over all that follows and the key, eight for the revision, each
// little-endian. bbolt itself has no checksums but for its two root pages.
const (
	valueVersion = 1
	headerSize   = 1 + 4 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode is the value of e as it lies in the file.
func encode(e store.Entry) []byte {
	raw := make([]byte, headerSize, headerSize+len(e.Value))
	raw[0] = valueVersion
	binary.LittleEndian.PutUint64(raw[5:], uint64(e.Revision))
	raw = append(raw, e.Value...)
	binary.LittleEndian.PutUint32(raw[1:], checksum([]byte(e.Key), raw))
	return raw
}

// decode is the reverse of encode, with a value of its own. The error is
// store.ErrCorrupt.
func decode(key, raw []byte) (store.Entry, error) {
	switch {
	case len(raw) < headerSize:
		return store.Entry{}, fmt.Errorf("%w: value of %d bytes, want at least %d", store.ErrCorrupt, len(raw), headerSize)
	case raw[0] != valueVersion:
		return store.Entry{}, fmt.Errorf("%w: value of version %d, want %d", store.ErrCorrupt, raw[0], valueVersion)
	case checksum(key, raw) != binary.LittleEndian.Uint32(raw[1:]):
		return store.Entry{}, fmt.Errorf("%w: wrong checksum", store.ErrCorrupt)
	}
	return store.Entry{
		Key:      string(key),
		Value:    append([]byte{}, raw[headerSize:]...),
		Revision: store.Revision(binary.LittleEndian.Uint64(raw[5:])),
	}, nil
}

func checksum(key, raw []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, raw[5:])
}
