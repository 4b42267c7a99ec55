package main

import (
	"bufio"
	"context"
	"fmt"
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

// dropPages takes the pages of the program's own file out of its memory again and
// again, until ctx is done. The kernel maps sixteen pages around each that is
// read, and the start reads something everywhere: of 22 MB so mapped, checks use 15.
// What is used next comes back out of the page cache, in some 300 small steps.
func dropPages(ctx context.Context) {
	for wait := dropAfter; sleep(ctx, wait) == nil; wait = dropEvery {
		dropOwnPages()
	}
}

// dropOwnPages drops them once. It is no loss if it cannot.
func dropOwnPages() {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer func() { _ = smaps.Close() }() // it was only read
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range mappings(smaps, exe) {
		if m.droppable() {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED)
		}
	}
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
		field := strings.Fields(lines.Text())
		if len(field) < 2 {
			continue
		}
		if !strings.HasSuffix(field[0], ":") {
			// 00400000-010e4000 r-xp 00000000 fe:00 10020037    /usr/bin/esawatch
			m := mapping{permissions: field[1], anonymous: -1, swapped: -1}
			n, err := fmt.Sscanf(field[0], "%x-%x", &m.begin, &m.end)
			ours = err == nil && n == 2 && m.begin < m.end && len(field) > 5 && strings.HasSuffix(lines.Text(), " "+file)
			if ours {
				all = append(all, m)
			}
			continue
		}
		size, err := strconv.ParseInt(field[1], 10, 64)
		if !ours || err != nil {
			continue
		}
		m := &all[len(all)-1]
		switch field[0] {
		case "Rss:":
			m.resident = size
		case "Anonymous:":
			m.anonymous = size
		case "Swap:":
			m.swapped = size
		}
	}
	return all
}
