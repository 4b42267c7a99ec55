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
	// silenceEvery is the pause between two looks at that.
	silenceEvery = time.Second
)

// silence finds out that a watch tells nothing any more. One server serves it, and
// when that server goes, or is started again, the client finds out by heartbeats
// that do not come, ten seconds later and more. Those who write can tell sooner.
type silence struct {
	mu       sync.Mutex
	prefixes []string       // that are watched
	wrote    store.Revision // the highest that was written here below them
	heard    store.Revision // the highest that is known to have been written by anybody
	told     store.Revision // the highest that the watch has told of
	owed     time.Time      // since when heard is more than told; zero while it is not
	last     time.Time      // when the watch told something
}

// begin notes what is watched from now on, and returns what it has to reach.
func (s *silence) begin(prefixes []string, now time.Time) store.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefixes, s.last = prefixes, now
	return s.heard
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
		s.owed = time.Time{}
	}
}

// broken tells whether the watch has been silent for too long.
func (s *silence) broken(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.owed.IsZero() && now.Sub(s.owed) >= silenceLasts && now.Sub(s.last) >= silenceLasts
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
