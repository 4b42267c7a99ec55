package incident

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/agent/store"
)

const (
	silencePrefix = "silence/"
	// silenceKept is for how long one that is over is still listed.
	silenceKept = 5 * 24 * time.Hour
	// maxSilences bounds those that are in force, and with those that are over what
	// is kept.
	maxSilences = 1000
	// maxSilence is how long one may last.
	maxSilence = 366 * 24 * time.Hour
)

// ErrNoSilence says that there is no silence of an ID.
var ErrNoSilence = errors.New("no such silence")

// ErrNotSaved says that a change could not be saved, so that it was not made.
var ErrNotSaved = errors.New("it could not be saved")

// ErrTooMany says that no more silences are kept: some have to end first.
var ErrTooMany = errors.New("there are too many silences already")

// Silence is a mute that a person asked for, until a moment.
type Silence struct {
	ID        string    `json:"id"`
	Matchers  []Matcher `json:"matchers"` // all have to fit
	CreatedAt time.Time `json:"created_at"`
	Until     time.Time `json:"until"`
	Author    string    `json:"author"`
	Comment   string    `json:"comment"`
}

// Active tells whether the silence is in force at a moment.
func (s *Silence) Active(at time.Time) bool { return at.Before(s.Until) }

// Silences are those of one store. Its methods may be called at once.
type Silences struct {
	kv      store.KV
	log     *slog.Logger
	changed chan struct{} // holds one when the mutes in force may have changed

	writing sync.Mutex // is held while the store is written, which may take long; taken before mu
	mu      sync.Mutex
	all     map[string]kept
}

// kept is a silence and the revision at which the store has it.
type kept struct {
	Silence
	rev store.Revision
}

func newSilences(kv store.KV, log *slog.Logger) *Silences {
	return &Silences{kv: kv, log: log, changed: make(chan struct{}, 1), all: make(map[string]kept)}
}

// load reads the silences. One that cannot be read is left where it is, and
// logged: it mutes nothing.
func (s *Silences) load(ctx context.Context) error {
	entries, err := s.kv.List(ctx, silencePrefix)
	if err != nil {
		return fmt.Errorf("load silences: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		one, err := decodeSilence(e)
		if err != nil {
			s.log.Error("silence cannot be read, it mutes nothing", "key", e.Key, "err", err)
			continue
		}
		s.all[one.ID] = kept{one, e.Revision}
	}
	return nil
}

func decodeSilence(e store.Entry) (Silence, error) {
	var one Silence
	if err := json.Unmarshal(e.Value, &one); err != nil {
		return one, err
	}
	if silencePrefix+one.ID != e.Key {
		return one, fmt.Errorf("its id is %q", one.ID)
	}
	var err error
	one.Matchers, err = checkMatchers(one.Matchers)
	return one, err
}

// Add checks a silence and puts it in force; it is saved when Add returns. The
// ID and CreatedAt are given by Add. The error is ErrNotSaved, or what is wrong
// with the silence.
func (s *Silences) Add(ctx context.Context, one Silence) (Silence, error) {
	now := time.Now()
	var err error
	if one.Matchers, err = checkMatchers(one.Matchers); err != nil {
		return Silence{}, fmt.Errorf("add silence: %w", err)
	}
	one.CreatedAt, one.Until = now.UTC().Round(0), one.Until.UTC().Round(0)
	one.Author, one.Comment = strings.TrimSpace(one.Author), strings.TrimSpace(one.Comment)
	switch {
	case !one.Until.After(now):
		return Silence{}, fmt.Errorf("add silence: it would be over already, at %s", one.Until.Format(time.RFC3339))
	case one.Until.After(now.Add(maxSilence)):
		return Silence{}, errors.New("add silence: it would last longer than a year")
	case one.Author == "" || len(one.Author) > maxName:
		return Silence{}, fmt.Errorf("add silence: want an author, of at most %d bytes", maxName)
	case len(one.Comment) > maxText:
		return Silence{}, fmt.Errorf("add silence: a comment of %d bytes, want at most %d", len(one.Comment), maxText)
	}
	one.ID = strings.ToLower(rand.Text()[:12])
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.makeRoom(ctx, now); err != nil {
		return Silence{}, fmt.Errorf("add silence: %w", err)
	}
	if err := s.put(ctx, one, 0); err != nil {
		return Silence{}, fmt.Errorf("add silence: %w", err)
	}
	s.log.Info("silence added", "key", one.ID)
	return one, nil
}

// makeRoom sees to it that one more can be kept: it forgets those that have been
// over for longest. The caller has s.writing. The error is ErrTooMany or ErrNotSaved.
func (s *Silences) makeRoom(ctx context.Context, now time.Time) error {
	all := s.snapshot()
	var over []kept
	for _, one := range all {
		if !one.Active(now) {
			over = append(over, one)
		}
	}
	surplus := len(all) - maxSilences + 1
	if surplus > len(over) {
		return fmt.Errorf("%w, %d of them", ErrTooMany, len(all)-len(over))
	}
	slices.SortFunc(over, func(a, b kept) int { return a.Until.Compare(b.Until) })
	for _, one := range over[:max(0, surplus)] {
		if err := s.delete(ctx, one); err != nil {
			return fmt.Errorf("%w: %w", ErrNotSaved, err)
		}
	}
	return nil
}

// delete takes a silence out of the store, unless it is another one there by now,
// and forgets it. The caller has s.writing.
func (s *Silences) delete(ctx context.Context, one kept) error {
	err := s.kv.Delete(ctx, silencePrefix+one.ID, one.rev)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	s.forget(one.ID, one.rev)
	return nil
}

// Expire ends a silence now. One that is over already stays as it is. The error
// is ErrNoSilence or ErrNotSaved.
func (s *Silences) Expire(ctx context.Context, id string) (Silence, error) {
	now := time.Now().UTC().Round(0)
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	one, ok := s.all[id]
	s.mu.Unlock()
	if !ok {
		return Silence{}, fmt.Errorf("expire silence %q: %w", clip(id, maxName), ErrNoSilence)
	}
	if !one.Active(now) {
		return one.Silence, nil
	}
	one.Until = now
	if err := s.put(ctx, one.Silence, one.rev); err != nil {
		return Silence{}, fmt.Errorf("expire silence %q: %w", id, err)
	}
	s.log.Info("silence expired", "key", id)
	return one.Silence, nil
}

// put saves a silence, takes it over and has it counted; the caller has s.writing.
// The error is ErrNotSaved.
func (s *Silences) put(ctx context.Context, one Silence, rev store.Revision) error {
	value, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotSaved, err)
	}
	if rev, err = s.kv.Put(ctx, store.Entry{Key: silencePrefix + one.ID, Value: value, Revision: rev}); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSaved, err)
	}
	s.take(kept{one, rev})
	return nil
}

// take takes over what the store has, unless something newer is known.
func (s *Silences) take(one kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.all[one.ID]; !ok || known.rev < one.rev {
		s.all[one.ID] = one
		s.signal()
	}
}

// forget drops a silence that the store does not have any more at this revision.
func (s *Silences) forget(id string, rev store.Revision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.all[id]; ok && one.rev <= rev {
		delete(s.all, id)
		s.signal()
	}
}

// snapshot is a copy of all.
func (s *Silences) snapshot() map[string]kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.all)
}

// signal has the mutes counted anew.
func (s *Silences) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// List returns the silences, those that end last first: what is in force comes
// before what is over, which is listed for five days more.
func (s *Silences) List() []Silence {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Silence, 0, len(s.all))
	for _, one := range s.all {
		list = append(list, one.Silence)
	}
	slices.SortFunc(list, func(a, b Silence) int {
		return cmp.Or(b.Until.Compare(a.Until), strings.Compare(a.ID, b.ID))
	})
	return list
}

// active are the mutes of the silences in force at a moment.
func (s *Silences) active(at time.Time) Mutes {
	s.mu.Lock()
	defer s.mu.Unlock()
	var mutes Mutes
	for _, one := range s.all {
		if one.Active(at) {
			mutes = append(mutes, Mute{Name: "silence " + one.ID, Matchers: one.Matchers})
		}
	}
	return mutes
}

// sweep forgets what has been over for long. What cannot be deleted is tried
// again at the next sweep.
func (s *Silences) sweep(ctx context.Context, now time.Time) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for id, one := range s.snapshot() {
		if now.Before(one.Until.Add(silenceKept)) {
			continue
		}
		if err := s.delete(ctx, one); err != nil {
			s.log.Debug("silence not deleted", "key", id, "err", err)
		}
	}
}
