package schedule

import "time"

// maxKernelTimers is how many walks have a kernel's timer at a time: of each
// period one window is walked, and most configurations have few periods. The
// others make do with Go's, so that no number of cron lines takes all the files
// that this process may have.
const maxKernelTimers = 16

// exactWidth is the widest window whose walk has one: that of a day would keep it
// for a quarter of an hour, and a millisecond is nothing to it.
const exactWidth = 10 * time.Second

// kernelTimers lends timers of the kernel. The zero value has none.
type kernelTimers struct {
	places chan struct{} // each a timer that is lent
}

func newKernelTimers() kernelTimers {
	return kernelTimers{places: make(chan struct{}, maxKernelTimers)}
}

// lend returns a timer for a window, to be given back; nil, which may be used as
// well, when there is none.
func (k kernelTimers) lend(width time.Duration) *kernelTimer {
	if width > exactWidth {
		return nil
	}
	select {
	case k.places <- struct{}{}:
		if t := newKernelTimer(); t != nil {
			return t
		}
		<-k.places
	default: // all are lent, or there are none
	}
	return nil
}

func (k kernelTimers) giveBack(t *kernelTimer) {
	if t != nil {
		t.close()
		<-k.places
	}
}
