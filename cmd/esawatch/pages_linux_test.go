package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
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
		for _, m := range ownMappings() {
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

// Once the constants are cut, one page that is needed brings few with it; and
// nothing else is cut.
func TestKeepPagesFew(t *testing.T) {
	piece := uintptr(max(pieceSize, os.Getpagesize()))
	if maxMappings() == 0 || piece >= faultAround {
		t.Skip("this kernel's pages are too large, or it does not say how many mappings a process may have")
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = memory.Close() }()
	for _, m := range ownMappings() { // so that there is something to drop
		if _, err := memory.ReadAt(make([]byte, m.end-m.begin), int64(m.begin)); err != nil {
			t.Fatal(err)
		}
	}
	before := ownMappings()
	droppable := func(all []mapping) (kB int64) {
		for _, m := range all {
			if m.droppable() {
				kB += m.resident
			}
		}
		return kB
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		keepPagesFew(ctx, time.Millisecond)
	}()
	all := before
	for begun := time.Now(); len(all) < 500 || droppable(all) > droppable(before)/2; all = ownMappings() {
		if time.Since(begun) > time.Minute {
			t.Fatalf("after a minute %d kB are in memory in %d mappings, before %d in %d",
				droppable(all), len(all), droppable(before), len(before))
		}
	}
	stop()
	<-done
	all = ownMappings()
	for _, m := range before {
		if m.permissions == "r--p" && m.droppable() {
			continue
		}
		if !slices.ContainsFunc(all, func(now mapping) bool { return now.begin == m.begin && now.end == m.end }) {
			t.Errorf("%x-%x %s was cut", m.begin, m.end, m.permissions)
		}
	}
	for _, m := range all {
		if m.permissions == "r--p" && m.droppable() && m.end-m.begin > piece {
			t.Errorf("a mapping of %d bytes is left", m.end-m.begin)
		}
	}
	if t.Failed() || 3*piece > faultAround {
		return
	}
	readRows(t, memory, all, piece)
}

// readRows reads a page of the middle one of three in a row of which nothing is
// in memory, within what the kernel would map at once, wherever there are such.
func readRows(t *testing.T, memory io.ReaderAt, all []mapping, piece uintptr) {
	var rows []int // by the index of their first
	for i := 0; i+2 < len(all); i++ {
		row := all[i : i+3]
		if row[0].begin/faultAround != (row[2].end-1)/faultAround || row[0].begin+3*piece != row[2].end ||
			slices.ContainsFunc(row, func(m mapping) bool { return m.resident > 0 || !m.droppable() }) {
			continue
		}
		rows = append(rows, i)
		if _, err := memory.ReadAt(make([]byte, 1), int64(row[1].begin)); err != nil {
			t.Fatal(err)
		}
		i += 2
	}
	all = ownMappings()
	read, beside := 0, 0
	for _, i := range rows {
		read += int(min(all[i+1].resident, 1))
		beside += int(min(all[i].resident, 1) + min(all[i+2].resident, 1))
	}
	// The test itself needs some of those beside.
	if len(rows) < 50 || read != len(rows) || beside > len(rows)/2 {
		t.Errorf("of %d pieces that were read %d are in memory, and of the %d beside them %d", len(rows), read, 2*len(rows), beside)
	}
}

func BenchmarkDropOwnPages(b *testing.B) {
	cutOwnMappings()
	b.ReportAllocs()
	for b.Loop() {
		dropOwnPages()
	}
}
