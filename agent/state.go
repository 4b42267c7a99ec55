package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

// storeFile is the agent's state within agent.data_dir.
const storeFile = "esawatch.db"

// openStore opens the state, and says so loudly if part of it had to be set
// aside. On a disk that is full, read-only or broken it returns a store in
// memory, with the reason as unsaved: an outage has to be told on such a day too.
// An agent that cannot have its folder for any other reason does not start.
func openStore(dir string, log *slog.Logger) (kv store.KV, unsaved, err error) {
	s, err := openOnDisk(dir)
	if err == nil {
		if r := s.Recovered(); r != nil {
			log.Error("the store was damaged and was set aside; incidents may be told again",
				"path", r.Path, "kept", r.Kept, "err", r.Cause)
		}
		return s, nil, nil
	}
	err = fmt.Errorf("agent.data_dir: %w", err)
	if !diskFails(err) {
		return nil, nil, err
	}
	log.Error("nothing can be saved: going on from memory, a restart will forget what is open", "err", err)
	return memstore.New(), err, nil
}

func openOnDisk(dir string) (*boltstore.Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return boltstore.Open(filepath.Join(dir, storeFile), boltstore.Options{})
}

// diskFails tells whether an error is of the medium: no setting would mend it.
func diskFails(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EROFS, syscall.EIO, syscall.EDQUOT} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
