package boltstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/esawatch/esawatch/agent/store"
)

// ErrInUse is returned by Open when another process has the file open. The
// error names the process where it can be told.
var ErrInUse = errors.New("in use by another process")

// Recovery is what Open did about a damaged file.
type Recovery struct {
	Path  string // where the damaged file lies now
	Cause error  // what was wrong with it
	Kept  int    // values that were sound and are in the new file; the others are lost
}

// compactAbove is the size in bytes from which Open rewrites a file that is
// for more than half free pages: bbolt never makes one smaller.
const compactAbove = 8 << 20

// Open opens the store in the file path, which it creates if need be, with its
// folder. A damaged file is renamed to path.corrupt-TIME and a new one begun
// with what was sound in it: see Recovered. ErrInUse when another process has it.
func Open(path string, o Options) (*Store, error) {
	s, err := open(path, cmp.Or(o.Timeout, time.Second))
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return s, nil
}

// errReplaced says that another file has the name now: by our doing, or by that
// of a process whose lock was waited for.
var errReplaced = errors.New("file was replaced")

func open(path string, timeout time.Duration) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	o := opener{path: path, timeout: timeout}
	for range 5 {
		db, err := o.open()
		switch {
		case err == nil:
			// Only a hint for people: a store that cannot leave one still works.
			_ = os.WriteFile(pidPath(path), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
			return &Store{db: db, path: path, recovered: o.recovered, turn: make(chan struct{}, 1)}, nil
		case errors.Is(err, errReplaced):
			// Again, with the file that has the name now.
		case errors.Is(err, berrors.ErrTimeout):
			return nil, inUse(path)
		default:
			return nil, err
		}
	}
	return nil, ErrInUse
}

// opener is one Open. Whatever it does to the file it does while it has the
// lock, so that two processes that start at once never both replace it.
type opener struct {
	path      string
	timeout   time.Duration
	file      *os.File // bbolt's
	found     contents // what was sound in it
	recovered *Recovery
}

// open opens the file as it is, or replaces it and returns errReplaced.
func (o *opener) open() (db *bolt.DB, err error) {
	o.file, o.found = nil, contents{}
	err = protect(func() error {
		var err error
		db, err = bolt.Open(o.path, 0o600, &bolt.Options{Timeout: o.timeout, OpenFile: o.openFile})
		if err != nil {
			return err
		}
		return settle(db)
	})
	if err == nil {
		return db, nil
	}
	var panicked *panicError
	var damage *damageError
	switch {
	case errors.As(err, &damage):
	case errors.As(err, &panicked), errors.Is(err, berrors.ErrInvalid),
		errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		damage = &damageError{err}
	}
	if damage != nil {
		err = o.setAside(damage)
	}
	// After a panic bbolt may wait for its own locks for ever. What it mapped
	// then stays mapped, which is little and happens once.
	if db != nil && panicked == nil {
		_ = db.Close()
	}
	if o.file != nil {
		_ = o.file.Close()
	}
	return nil, err
}

// openFile opens the file for bbolt, takes the lock, which bbolt will take
// again, and looks the file through: bbolt must not see a damaged one.
func (o *opener) openFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	o.file = f
	locked, err := lock(f, time.Now().Add(o.timeout))
	if err == nil && locked {
		err = o.inspect(f)
	}
	return f, err
}

// inspect looks the locked file through, and replaces it if it is damaged or
// for the most part empty.
func (o *opener) inspect(f *os.File) error {
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(o.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, named) {
		return errReplaced
	}
	if err != nil || mine.Size() == 0 {
		return err // 0: just created
	}
	o.found, err = scan(f, mine.Size())
	var damage *damageError
	switch {
	case errors.As(err, &damage):
		return o.setAside(damage)
	case err == nil && mine.Size() > compactAbove && o.found.used < mine.Size()/2:
		return o.replace("")
	}
	return err
}

// setAside renames a damaged file and puts one with what was sound in its place.
func (o *opener) setAside(damage *damageError) error {
	if o.recovered != nil {
		return fmt.Errorf("damaged again: %w", damage) // a new file: this medium keeps nothing
	}
	r := &Recovery{
		Path:  o.path + time.Now().UTC().Format(".corrupt-20060102T150405.000Z"),
		Cause: damage,
		Kept:  len(o.found.entries),
	}
	if err := o.replace(r.Path); !errors.Is(err, errReplaced) {
		return fmt.Errorf("set damaged file aside (%w): %w", damage, err)
	}
	o.recovered = r
	return errReplaced
}

// replace puts a new file with what was found in the place of the old one,
// which gets the name old, or none. It returns errReplaced when that is done.
func (o *opener) replace(old string) error {
	// First the copy: there is no moment at which what is sound is in no file.
	fresh := o.path + ".new"
	if err := build(fresh, o.found); err != nil {
		return fmt.Errorf("write %s: %w", fresh, err)
	}
	if old != "" {
		if err := os.Rename(o.path, old); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, o.path); err != nil {
		return err
	}
	syncFolder(o.path)
	return errReplaced
}

// settle makes sure that an opened file is whole and has its bucket.
func settle(db *bolt.DB) error {
	err := db.View(func(tx *bolt.Tx) error {
		var first error
		for err := range tx.Check() { // to the end, or its goroutine stays
			first = cmp.Or(first, err)
		}
		if first != nil {
			return &damageError{first}
		}
		return tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
			if !bytes.Equal(name, bucketName) {
				return foreign(name)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketName)
		return err
	})
}

// build makes a new file of the contents.
func build(path string, c contents) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket(bucketName)
		if err != nil {
			return err
		}
		for _, e := range c.entries {
			if err := b.Put([]byte(e.Key), encode(e)); err != nil {
				return err
			}
			c.sequence = max(c.sequence, uint64(e.Revision))
		}
		return b.SetSequence(c.sequence)
	})
	return errors.Join(err, db.Close())
}

func foreign(name []byte) error {
	return fmt.Errorf("holds data in the format %q, this program knows %q: was it written by a newer esawatch?", name, bucketName)
}

// syncFolder makes a rename last. Not every system can, and then it is no error.
func syncFolder(path string) {
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

func pidPath(path string) string { return path + ".pid" }

// inUse is ErrInUse with the process that holds the file, if it has left its number.
func inUse(path string) error {
	raw, err := os.ReadFile(pidPath(path))
	if err == nil {
		if pid, err := strconv.Atoi(string(bytes.TrimSpace(raw[:min(len(raw), 20)]))); err == nil {
			return fmt.Errorf("%w (pid %d)", ErrInUse, pid)
		}
	}
	return ErrInUse
}

// damageError says that what lies in the file is not what was written.
type damageError struct{ cause error }

func (d *damageError) Error() string   { return d.cause.Error() }
func (d *damageError) Unwrap() []error { return []error{store.ErrCorrupt, d.cause} }
