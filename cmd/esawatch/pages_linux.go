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
// program's own file, until ctx is done. The start reads something everywhere, and
// of the 22 MB that are mapped then checks use 6.
func keepPagesFew(ctx context.Context) {
	if sleep(ctx, dropAfter) != nil {
		return
	}
	for _, m := range ownMappings() {
		m.cut(chunkSize(os.Getpagesize()))
	}
	for {
		dropOwnPages()
		if sleep(ctx, dropEvery) != nil {
			return
		}
	}
}

// faultAround is how much the kernel maps at once, around the page that is read,
// of what it has in its cache. It never maps beyond the end of a mapping.
const faultAround = 64 << 10

// chunkSize is into how large pieces the mappings of the file are cut, in bytes,
// where pages have that size; 0 = not at all, as pages are so large that only
// one is mapped at once. With four times 4 KB 9 MB stay mapped in place of 14, for
// 0.4 MB that the kernel needs to know of 1,700 mappings; with twice 4 KB it would be
// 7 MB, for 0.8.
func chunkSize(page int) uintptr {
	if page >= faultAround {
		return 0
	}
	return uintptr(max(faultAround/4, page))
}

// cut makes many mappings of one, each of so many bytes: every other one is left
// out of core dumps, in which pages of a file are not anyway, and so they differ.
func (m *mapping) cut(chunk uintptr) {
	if chunk == 0 || !m.droppable() {
		return
	}
	for at := m.begin + chunk; at < m.end; at += 2 * chunk {
		if madvise(at, min(at+chunk, m.end), unix.MADV_DONTDUMP) != nil {
			return // it is no loss
		}
	}
}

// dropOwnPages takes the pages of the program's own file out of its memory. What
// is used next comes back out of the page cache, in some 600 small steps.
func dropOwnPages() {
	all := ownMappings()
	for i := 0; i < len(all); {
		from := all[i].begin
		to := from
		for ; i < len(all) && all[i].begin == to && all[i].droppable(); i++ {
			to = all[i].end
		}
		if from == to {
			i++
			continue
		}
		_ = madvise(from, to, unix.MADV_DONTNEED) // it is no loss if it cannot
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
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer func() { _ = smaps.Close() }() // it was only read
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
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
