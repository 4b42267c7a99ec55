package natsstore

import (
	"sync"
	"time"

	"github.com/esawatch/esawatch/agent/store"
)

const (
	// silenceLasts is for how long a watch may tell nothing while it is known that
	// something was written.
	silenceLasts = 3 * time.Second
	// silenceDoubles is how often that is doubled at most, once for each time in a
	// row that to begin anew did not help.
	silenceDoubles = 6
	// silenceEvery is the pause between two looks at that.
	silenceEvery = time.Second
)

// silence finds out that a watch tells nothing any more. One server serves it, and
// when that server goes, or is started again, the client finds out by heartbeats
// that do not come, ten seconds later and more. Those who write can tell sooner.
//
// What is heard need not be true: it may be of another bucket, or of keys that only
// another version watches, or of one that was deleted so long ago that no mark is
// left. So it has a watch begin anew, ever more seldom while that is in vain, and
// after the second time it is ignored.
type silence struct {
	mu       sync.Mutex
	prefixes []string       // that are watched
	synced   bool           // the watch has told all that lay in the store when it began
	wrote    store.Revision // the highest that was written here below the prefixes
	heard    store.Revision // the highest that is known to have been written by anybody
	told     store.Revision // the highest that a watch has told of
	ignored  store.Revision // that watches have not told of, twice in a row
	owed     time.Time      // since when heard is more than told; zero while it is not
	last     time.Time      // when the watch told something
	vain     int            // how often in a row one began anew, and what was heard was not told
}

// begin notes that a watch begins.
func (s *silence) begin(prefixes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefixes, s.synced = prefixes, false
}

// sync notes that the watch has told all that lay in the store.
func (s *silence) sync(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced, s.last = true, now
	if s.vain >= 2 && s.heard > s.told {
		s.ignored, s.heard, s.owed = s.heard, s.told, time.Time{}
	}
}

// write notes what was written here.
func (s *silence) write(key string, rev store.Revision, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hasAny(key, s.prefixes) {
		s.wrote = max(s.wrote, rev)
		s.hearLocked(rev, now)
	}
}

// hear notes what somebody has written.
func (s *silence) hear(rev store.Revision, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hearLocked(rev, now)
}

func (s *silence) hearLocked(rev store.Revision, now time.Time) {
	if rev == s.ignored {
		return
	}
	s.heard = max(s.heard, rev)
	if s.heard > s.told && s.owed.IsZero() {
		s.owed = now
	}
}

// tell notes that the watch has told of a revision, and so of all before.
func (s *silence) tell(rev store.Revision, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.last = max(s.told, rev), now
	if s.told >= s.heard {
		s.owed, s.vain = time.Time{}, 0
	}
}

// broken tells whether the watch has been silent for too long, so that it has to
// begin anew. Before it has told what lay in the store it is not judged.
func (s *silence) broken(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	patience := silenceLasts << min(s.vain, silenceDoubles)
	if !s.synced || s.owed.IsZero() || now.Sub(s.owed) < patience || now.Sub(s.last) < patience {
		return false
	}
	s.vain++
	return true
}

// reset forgets it all: the bucket is another one, and revisions begin anew. Others
// may still speak of the one before.
func (s *silence) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote, s.heard, s.told, s.ignored, s.owed, s.vain = 0, 0, 0, 0, time.Time{}, 0
}

// Wrote is the highest revision that this store has written below the watched
// prefixes, for the others' Heard.
func (s *Store) Wrote() store.Revision {
	s.silence.mu.Lock()
	defer s.silence.mu.Unlock()
	return s.silence.wrote
}

// Heard takes in that another store has written a revision below the prefixes: a
// watch that does not tell of it, or of something later, begins anew.
func (s *Store) Heard(rev store.Revision) { s.silence.hear(rev, time.Now()) }
