package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOwnPages(t *testing.T) {
	const maps = `00400000-010e4000 r-xp 00000000 fe:00 10020037                           /opt/my tools/esawatch
010e4000-01ec2000 r--p 00ce4000 fe:00 10020037                           /opt/my tools/esawatch
01ec2000-01f9f000 rw-p 01ac2000 fe:00 10020037                           /opt/my tools/esawatch
01f9f000-03fec000 rw-p 00000000 00:00 0
7f0000000000-7f0000100000 r--s 00000000 fe:00 99                         /opt/my tools/esawatch
7f0000200000-7f0000300000 r--p 00000000 fe:00 98                         /lib/esawatch
7f0000400000-7f0000400000 r--p 00000000 fe:00 98                         /opt/my tools/esawatch
zzzz-7f0000500000 r--p 00000000 fe:00 98                                 /opt/my tools/esawatch
7ffd5c2ed000-7ffd5c30e000 rw-p 00000000 00:00 0                          [stack]
`
	want := []mapping{{0x400000, 0x10e4000}, {0x10e4000, 0x1ec2000}}
	if got := ownPages(strings.NewReader(maps), "/opt/my tools/esawatch"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// What is dropped comes back when it is needed, and until then it is no part of
// this process's memory.
func TestDropOwnPages(t *testing.T) {
	file := func() int64 {
		t.Helper()
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseMemory(string(status))
		if err != nil {
			t.Fatal(err)
		}
		return m.file
	}
	before := file()
	dropOwnPages()
	if after := file(); after > before*9/10 {
		t.Errorf("%d bytes of files are mapped, after %d before", after, before)
	}
}
