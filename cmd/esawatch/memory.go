package main

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// collectAt is how much garbage there may be, in percent of what is in use,
// before it is collected; Go's own default is 100. A handshake makes 100 KB of
// garbage, and what checks hold is little beside it. With 5,000 checks every 10 s
// the agent took 43 MiB at 100, 40.5 at 85 and 39 to 40 at 75. It collects nine
// times a second at 50 and four to five at 100; while it does, checks start late.
const collectAt = 75

// dropAfter is how long after its start the program drops the pages of its own
// file for the first time, on Linux; what only the start needed is not needed any
// more.
const dropAfter = 5 * time.Second

// saveMemory sets the garbage collector up, unless the operator has. Which
// code allocates how much is kept only where profiles are served: it takes 2 MB.
func saveMemory(profiled bool) {
	if !profiled {
		runtime.MemProfileRate = 0
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	limitMemory()
}

// limitMemory has the garbage collector work harder near the memory limit that
// the container or the service was given, in place of being killed there. Of
// processors the Go runtime takes care itself.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return // the runtime has read it
	}
	limit := cgroupMemory(os.DirFS("/"))
	if limit == 0 {
		return
	}
	debug.SetMemoryLimit(limit / 10 * 9) // the rest is for what the collector does not count
}

// cgroupMemory is the least memory limit, in bytes, of the control groups that
// this process is in, of version 2 or 1; 0 if there is none. root is the file
// system's.
func cgroupMemory(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(0)
	for line := range strings.Lines(string(groups)) {
		// ID:CONTROLLERS:PATH; version 2 has no controllers here.
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if part[1] == "memory" {
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if part[1] != "" {
			continue
		}
		// Within a container the path may be the host's: the mount itself is
		// then the container's group, and is looked at in any case.
		for dir := path.Join("/", part[2]); ; dir = path.Dir(dir) {
			if limit := readLimit(root, path.Join(mount, dir, file)); limit > 0 && (least == 0 || limit < least) {
				least = limit
			}
			if dir == "/" {
				break
			}
		}
	}
	return least
}

// readLimit is the number in a file; 0 for none, for "max", and for the huge
// number by which version 1 says the same.
func readLimit(root fs.FS, name string) int64 {
	const unlimited = 1 << 60
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || limit >= unlimited {
		return 0
	}
	return limit
}
