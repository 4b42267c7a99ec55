package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMappings(t *testing.T) {
	const smaps = `00400000-010e4000 r-xp 00000000 fe:00 10020037                           /opt/my tools/esawatch
Size:              13200 kB
Rss:                5136 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me sd
010e4000-01ec2000 r--p 00ce4000 fe:00 10020037                           /opt/my tools/esawatch
Rss:                9216 kB
Anonymous:          2892 kB
Swap:                  0 kB
01ec2000-01f9f000 r--p 01ac2000 fe:00 10020037                           /opt/my tools/esawatch
Rss:                 628 kB
Anonymous:             0 kB
Swap:                  4 kB
01f9f000-03fec000 rw-p 01b9f000 fe:00 10020037                           /opt/my tools/esawatch
Anonymous:             0 kB
Swap:                  0 kB
03fec000-03fed000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000200000-7f0000300000 r--p 00000000 fe:00 98                         /lib/esawatch
Anonymous:             0 kB
Swap:                  0 kB
7f0000400000-7f0000400000 r--p 00000000 fe:00 98                         /opt/my tools/esawatch
Anonymous:             0 kB
zzzz-7f0000500000 r--p 00000000 fe:00 98                                 /opt/my tools/esawatch
7f0000600000-7f0000700000 r--p 00000000 fe:00 98                         /opt/my tools/esawatch
Rss:                   x kB
`
	want := []mapping{
		{0x400000, 0x10e4000, "r-xp", 5136, 0, 0},
		{0x10e4000, 0x1ec2000, "r--p", 9216, 2892, 0},
		{0x1ec2000, 0x1f9f000, "r--p", 628, 0, 4},
		{0x1f9f000, 0x3fec000, "rw-p", 0, 0, 0},
		{0x7f0000600000, 0x7f0000700000, "r--p", 0, -1, -1},
	}
	got := mappings(strings.NewReader(smaps), "/opt/my tools/esawatch")
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for i, m := range got {
		if drop := i == 0; m.droppable() != drop {
			t.Errorf("%+v: droppable %v, want %v", m, m.droppable(), drop)
		}
	}
}

// What is dropped comes back when it is needed, and until then it is no part of
// this process's memory. CI runs it with -buildmode=pie, too: there the dynamic
// linker has written to pages that look as if nobody could.
func TestDropOwnPages(t *testing.T) {
	resident := func() (kB int64) {
		t.Helper()
		smaps, err := os.Open("/proc/self/smaps")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = smaps.Close() }()
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mappings(smaps, exe) {
			kB += m.resident
		}
		return kB
	}
	before := resident()
	dropOwnPages()
	if after := resident(); before == 0 || after > before*9/10 {
		t.Errorf("%d kB are mapped, after %d before", after, before)
	}
}
