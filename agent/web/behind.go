package web

import (
	"io"
	"runtime"
	"sync"
)

const (
	// behindBuffer is what one buffer of a behind holds. Handing it over may take
	// as long as to fill 32 KB of it.
	behindBuffer  = 256 << 10
	behindBuffers = 3 // of one behind: one being filled, one written, one between
)

var behindPool = sync.Pool{New: func() any { return new([behindBuffer]byte) }}

// behind is an io.Writer that writes to another in a goroutine of its own, while
// its user makes what comes next. It must be closed.
type behind struct {
	full  chan []byte
	empty chan []byte
	made  int    // how many buffers there are
	buf   []byte // being filled; nil: none yet
	once  sync.Once
	ended chan struct{}

	mu  sync.Mutex
	err error // the first of the writer below
}

func newBehind(w io.Writer) *behind {
	b := &behind{full: make(chan []byte, behindBuffers), empty: make(chan []byte, behindBuffers), ended: make(chan struct{})}
	go b.write(w)
	return b
}

// write writes what is handed over until the behind is closed, and nothing more
// after an error.
func (b *behind) write(w io.Writer) {
	defer close(b.ended)
	for buf := range b.full {
		if b.failed() == nil {
			if _, err := w.Write(buf); err != nil {
				b.mu.Lock()
				b.err = err
				b.mu.Unlock()
			}
		}
		b.empty <- buf[:0]
	}
}

func (b *behind) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Write takes p. Its error may be that of a write before.
func (b *behind) Write(p []byte) (int, error) {
	for left := p; len(left) > 0; {
		if err := b.failed(); err != nil {
			return 0, err
		}
		if b.buf == nil {
			b.buf = b.room()
		}
		n := min(len(left), cap(b.buf)-len(b.buf))
		b.buf, left = append(b.buf, left[:n]...), left[n:]
		if len(b.buf) == cap(b.buf) {
			b.handOver()
		}
	}
	return len(p), nil
}

// room is an empty buffer.
func (b *behind) room() []byte {
	if b.made < behindBuffers {
		b.made++
		return behindPool.Get().(*[behindBuffer]byte)[:0]
	}
	return <-b.empty
}

// handOver also lets checks start that are due: a scrape is to delay none for long.
func (b *behind) handOver() {
	b.full <- b.buf
	b.buf = nil
	runtime.Gosched()
}

// Close writes what is left, waits until all is written, and returns the first
// error. It may be called again.
func (b *behind) Close() error {
	b.once.Do(func() {
		if b.buf != nil {
			b.handOver()
		}
		close(b.full)
		<-b.ended
		for range b.made {
			behindPool.Put((*[behindBuffer]byte)((<-b.empty)[:behindBuffer]))
		}
	})
	return b.err
}
