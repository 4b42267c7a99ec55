package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dropEvery is the pause between two times: a reload or a page of status now and
// then needs much that the checks do not.
const dropEvery = 10 * time.Minute

// keepPagesFew keeps out of this process's memory what it does not use of the
// program's own file, from after first until ctx is done. The start reads something
// everywhere, and of the 22 MB that are mapped then checks use 6.
func keepPagesFew(ctx context.Context, first time.Duration) {
	if sleep(ctx, first) != nil {
		return
	}
	cutOwnMappings()
	for {
		dropOwnPages()
		if sleep(ctx, dropEvery) != nil {
			return
		}
	}
}

const (
	// faultAround is how much the kernel maps, by default, around a page that is
	// read, of what it has in its cache. It never maps beyond the end of a mapping.
	faultAround = 64 << 10
	// pieceSize is into what the program's constants are cut, so that less is
	// mapped: with 1,000 checks 4 MB of them in place of 8.
	pieceSize = 8 << 10
	// mappingsShare is the share of the mappings that a process may have which
	// the pieces may take up at most: the heap needs some too.
	mappingsShare = 8
)

// cutOwnMappings makes pieces of what the program only reads. Its code stays
// whole: where that is not in the cache, the kernel reads no further than to the
// end of a mapping, and each piece would be waited for by itself.
func cutOwnMappings() {
	piece := uintptr(max(pieceSize, os.Getpagesize()))
	var whole []mapping
	pieces := 0
	for _, m := range ownMappings() {
		if m.permissions == "r--p" && m.droppable() && m.end-m.begin > piece {
			whole = append(whole, m)
			pieces += int((m.end - m.begin) / piece)
		}
	}
	if piece >= faultAround || pieces > maxMappings()/mappingsShare {
		return
	}
	for _, m := range whole {
		m.cut(piece)
	}
}

// cut makes many mappings of one, each of so many bytes. Every other one is left
// out of core dumps, and so they differ. A dump has nothing of them by default
// (core(5)), but for the first page of a file, whose piece is not left out.
func (m *mapping) cut(piece uintptr) {
	for at := m.begin + piece; at < m.end; at += 2 * piece {
		if madvise(at, min(at+piece, m.end), unix.MADV_DONTDUMP) != nil {
			return // it is no loss
		}
	}
}

// maxMappings is how many mappings a process may have; 0 if the kernel does not say.
func maxMappings() int {
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text))) // 0 for what is no number
	return n
}

// dropOwnPages takes the pages of the program's own file out of its memory. What
// is used next comes back out of the page cache, in some 600 small steps, or from
// disk if that has been short of memory.
func dropOwnPages() {
	for _, m := range ownMappings() {
		if m.droppable() {
			_ = madvise(m.begin, m.end, unix.MADV_DONTNEED) // it is no loss if it cannot
		}
	}
}

func madvise(begin, end uintptr, advice int) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, begin, end-begin, uintptr(advice)); errno != 0 {
		return errno
	}
	return nil
}

// ownMappings are those of the program's own file; none if the kernel does not say.
func ownMappings() []mapping {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer func() { _ = smaps.Close() }() // it was only read
	return mappings(smaps, exe)
}

// mapping is where a part of a file lies in memory.
type mapping struct {
	begin, end  uintptr
	permissions string
	resident    int64 // kB of it that are in memory
	// anonymous and swapped are how many kB of it are this process's own, and not
	// the file's any more; -1 = not told.
	anonymous, swapped int64
}

// droppable tells whether the file still has all that is in the mapping. That it
// cannot be written now does not say so: the dynamic linker writes to some first.
func (m *mapping) droppable() bool {
	return (m.permissions == "r-xp" || m.permissions == "r--p") && m.anonymous == 0 && m.swapped == 0
}

// mappings are those of a file, out of /proc/PID/smaps; see proc_pid_smaps(5).
func mappings(smaps io.Reader, file string) []mapping {
	var all []mapping
	ours := false // the present mapping is one of the file
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Bytes()
		// 00400000-010e4000 r-xp 00000000 fe:00 10020037    /usr/bin/esawatch
		if begins, _, _ := bytes.Cut(line, []byte(" ")); !bytes.HasSuffix(begins, []byte(":")) {
			var m mapping
			if m, ours = parseMapping(string(line), file); ours {
				all = append(all, m)
			}
			continue
		}
		if ours {
			all[len(all)-1].parseLine(line)
		}
	}
	return all
}

// parseMapping parses the line that begins a mapping. ok tells whether it is one of the file.
func parseMapping(line, file string) (m mapping, ok bool) {
	field := strings.Fields(line)
	if len(field) < 6 || !strings.HasSuffix(line, " "+file) {
		return m, false
	}
	begin, end, _ := strings.Cut(field[0], "-")
	from, err := strconv.ParseUint(begin, 16, strconv.IntSize)
	to, errTo := strconv.ParseUint(end, 16, strconv.IntSize)
	if err != nil || errTo != nil || from >= to {
		return m, false
	}
	return mapping{begin: uintptr(from), end: uintptr(to), permissions: field[1], anonymous: -1, swapped: -1}, true
}

// parseLine takes in one of the lines that follow, such as "Rss:      5136 kB".
func (m *mapping) parseLine(line []byte) {
	key, value, _ := bytes.Cut(line, []byte(":"))
	var to *int64
	switch string(key) {
	case "Rss":
		to = &m.resident
	case "Anonymous":
		to = &m.anonymous
	case "Swap":
		to = &m.swapped
	default:
		return
	}
	number := strings.TrimSuffix(strings.TrimSpace(string(value)), " kB")
	if size, err := strconv.ParseInt(number, 10, 64); err == nil {
		*to = size
	}
}
