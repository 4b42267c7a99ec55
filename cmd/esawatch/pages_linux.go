package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// dropAfter is how long after its start the program drops the pages of its own
	// file for the first time; what only the start needed is not needed any more.
	dropAfter = 5 * time.Second
	// dropEvery is the pause between two times: a reload or a page of status now
	// and then needs much that the checks do not.
	dropEvery = 10 * time.Minute
)

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
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }() // it was only read
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range ownPages(maps, exe) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED)
	}
}

// mapping is where a part of a file lies in memory.
type mapping struct{ begin, end uintptr }

// ownPages are the mappings of a file that nobody can have written to, so that
// the file still has what is in them. maps is as in proc_pid_maps(5).
func ownPages(maps io.Reader, file string) []mapping {
	var own []mapping
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// 00400000-010e4000 r-xp 00000000 fe:00 10020037    /usr/bin/esawatch
		field := strings.Fields(lines.Text())
		if len(field) < 6 || !strings.HasSuffix(lines.Text(), " "+file) || field[1] != "r-xp" && field[1] != "r--p" {
			continue
		}
		var m mapping
		if n, err := fmt.Sscanf(field[0], "%x-%x", &m.begin, &m.end); err == nil && n == 2 && m.begin < m.end {
			own = append(own, m)
		}
	}
	return own
}
