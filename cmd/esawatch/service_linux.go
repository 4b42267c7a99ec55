package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// monotonic is the time by the clock that systemd orders reloads by.
func monotonic() []string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return nil // every Linux has this clock
	}
	return []string{fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000)}
}
