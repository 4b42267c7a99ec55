//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package boltstore

import (
	"errors"
	"os"
	"syscall"
	"time"

	berrors "go.etcd.io/bbolt/errors"
)

// lock takes the lock on f that bbolt takes as well: on the same open file it
// is the same lock, and goes when the file is closed. It tells whether it could;
// bbolt's ErrTimeout when another process has the lock until the deadline.
func lock(f *os.File, deadline time.Time) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return false, err
		case !time.Now().Before(deadline):
			return false, berrors.ErrTimeout
		}
		time.Sleep(20 * time.Millisecond)
	}
}
