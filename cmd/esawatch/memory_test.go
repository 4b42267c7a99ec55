package main

import (
	"testing"
	"testing/fstest"
)

func TestCgroupMemory(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"none": {map[string]string{}, 0},
		"version 2, a container": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "134217728\n"}, 128 << 20},
		"version 2, a service below a slice with less": {map[string]string{
			"proc/self/cgroup":                                       "0::/system.slice/esawatch.service\n",
			"sys/fs/cgroup/memory.max":                               "max\n",
			"sys/fs/cgroup/system.slice/memory.max":                  "67108864\n",
			"sys/fs/cgroup/system.slice/esawatch.service/memory.max": "134217728\n"}, 64 << 20},
		"version 2, no limit": {map[string]string{
			"proc/self/cgroup": "0::/user.slice\n", "sys/fs/cgroup/user.slice/memory.max": "max\n"}, 0},
		"version 1": {map[string]string{
			"proc/self/cgroup":                                    "5:devices:/\n4:memory:/pods/one\n3:cpu,cpuacct:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
			"sys/fs/cgroup/memory/pods/one/memory.limit_in_bytes": "268435456\n"}, 256 << 20},
		"version 1, a container that sees the host's path": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/0123\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "33554432\n"}, 32 << 20},
		"garbage": {map[string]string{
			"proc/self/cgroup": "\n::\n0::../../etc\nnothing\n", "sys/fs/cgroup/memory.max": "a lot"}, 0},
	} {
		root := fstest.MapFS{}
		for file, text := range test.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := cgroupMemory(root); got != test.want {
			t.Errorf("%s: %d bytes, want %d", name, got, test.want)
		}
	}
}
