package incident

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/esawatch/esawatch/agent/store"
)

// unread is which sites have a record in a shared store that cannot be read. They
// are not judged together until it can be: somebody has to know.
type unread struct {
	mu    sync.Mutex
	sites map[string]error
}

// note keeps account of an attempt to read a site's record. An error that says
// nothing of the record, as of a store that is away, changes nothing.
func (u *unread) note(site string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err == nil:
		delete(u.sites, site)
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrNewer):
		if u.sites == nil {
			u.sites = make(map[string]error)
		}
		u.sites[site] = err
	}
}

// err names a site whose record cannot be read, and says how many more there are.
func (u *unread) err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.sites) == 0 {
		return nil
	}
	site := slices.Min(slices.Collect(maps.Keys(u.sites)))
	others := ""
	if n := len(u.sites) - 1; n > 0 {
		others = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("incidents of site %q%s are not told: the shared record cannot be read: %w", site, others, u.sites[site])
}
