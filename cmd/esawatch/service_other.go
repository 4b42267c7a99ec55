//go:build !linux

package main

// monotonic is for systemd, which runs on Linux only.
func monotonic() []string { return nil }
