//go:build !linux

package schedule

import "time"

// kernelTimer is for Linux only.
type kernelTimer struct{}

func newKernelTimer() *kernelTimer         { return nil }
func (t *kernelTimer) reset(time.Duration) {}
func (t *kernelTimer) c() <-chan struct{}  { return nil }
func (t *kernelTimer) close()              {}
