package incident

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/store"
)

// Follower takes in what other agents write to a shared store. Its methods are
// called by one goroutine: Begin, then a Put for each value that there is, then
// Synced, and from then on each change; and from Begin again when some may have
// been missed.
type Follower struct {
	k    *Keeper
	told map[string]bool // keys since Begin; nil once synced
}

// Follower is how a keeper of a shared store hears of what others write.
func (k *Keeper) Follower() *Follower { return &Follower{k: k} }

// FollowPrefixes are below which keys a Follower wants to hear of changes.
func FollowPrefixes() []string { return []string{sitePrefix, silencePrefix} }

// Begin implements natsstore.Watcher.
func (f *Follower) Begin() { f.told = make(map[string]bool) }

// Put implements natsstore.Watcher.
func (f *Follower) Put(e store.Entry) {
	if f.told != nil {
		f.told[e.Key] = true
	}
	switch {
	case strings.HasPrefix(e.Key, sitePrefix):
		f.k.follow(e, f.told != nil)
	case strings.HasPrefix(e.Key, silencePrefix):
		f.k.silences.follow(e)
	}
}

// Delete implements natsstore.Watcher.
func (f *Follower) Delete(key string, rev store.Revision) {
	switch {
	case strings.HasPrefix(key, sitePrefix):
		f.k.follow(store.Entry{Key: key, Revision: rev}, false)
	case strings.HasPrefix(key, silencePrefix):
		f.k.silences.unfollow(key, rev)
	}
}

// Broken implements natsstore.Watcher. What was known of a site is outdated, and
// nothing is judged from it.
func (f *Follower) Broken(key string, rev store.Revision, err error) {
	if f.told != nil {
		f.told[key] = true
	}
	switch {
	case strings.HasPrefix(key, sitePrefix):
		f.k.doubt(key, rev, err)
	case strings.HasPrefix(key, silencePrefix):
		f.k.log.Error("silence cannot be read, what was known of it stays", "key", key, "err", err)
	}
}

// Synced implements natsstore.Watcher. What was not told of has gone meanwhile,
// or came after the beginning: the store knows.
func (f *Follower) Synced() {
	k := f.k
	for _, s := range k.all() {
		if f.told[sitePrefix+s.name] {
			continue
		}
		s.mu.Lock()
		if s.rev != 0 {
			if err := k.reread(context.Background(), s); err != nil {
				s.unsure = true
			}
		}
		s.mu.Unlock()
	}
	k.silences.keep(f.told)
	f.told = nil
	k.signal()
}

// follow takes over a record that somebody else has written; with no value it
// was deleted. An older one that lies in the store at the beginning of a watch is
// that of a store that was made anew, unless we have written since.
func (k *Keeper) follow(e store.Entry, beginning bool) {
	name := strings.TrimPrefix(e.Key, sitePrefix)
	s := k.site(name, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Revision < s.high && beginning {
		s.high = 0
		if err := k.reread(context.Background(), s); err != nil {
			s.unsure = true
		}
		k.signal()
		return
	}
	if e.Revision <= s.high {
		return // our own write, or older than one
	}
	var rec Record
	if len(e.Value) > 0 {
		var err error
		if rec, err = decode(e); err != nil {
			// A newer program's is not ours to overwrite. What is damaged is set
			// aside when it is read again.
			k.doubtLocked(s, e.Key, err)
			return
		}
		s.rev = e.Revision
	} else {
		s.rev = 0
	}
	s.high, s.unsure = e.Revision, false
	k.unread.note(s.name, nil)
	rec = rec.upToDate(*s.rec.Load())
	s.rec.Store(&rec)
	k.signal()
}

// doubt has a site's record read again before anything is judged from it.
func (k *Keeper) doubt(key string, rev store.Revision, err error) {
	s := k.site(strings.TrimPrefix(key, sitePrefix), true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev > s.high {
		k.doubtLocked(s, key, err)
	}
}

func (k *Keeper) doubtLocked(s *site, key string, err error) {
	k.log.Error("record of another agent cannot be read, the site is not judged together", "key", key, "err", err)
	s.unsure = true
	k.unread.note(s.name, err)
}

// follow takes over a silence that somebody else has written.
func (s *Silences) follow(e store.Entry) {
	one, err := decodeSilence(e)
	if err != nil {
		s.log.Error("silence cannot be read, it mutes nothing", "key", e.Key, "err", err)
		return
	}
	s.take(kept{one, e.Revision})
}

// unfollow forgets a silence that somebody else has deleted.
func (s *Silences) unfollow(key string, rev store.Revision) {
	s.forget(strings.TrimPrefix(key, silencePrefix), rev)
}

// keep forgets the silences that are not among the keys.
func (s *Silences) keep(keys map[string]bool) {
	for id, one := range s.snapshot() {
		if keys[silencePrefix+id] {
			continue
		}
		if _, err := s.kv.Get(context.Background(), silencePrefix+id); errors.Is(err, store.ErrNotFound) {
			s.forget(id, one.rev)
		}
	}
}

// Active are the mutes of the silences in force at a moment, for a keeper beside
// this one.
func (s *Silences) Active(at time.Time) Mutes { return s.active(at) }
