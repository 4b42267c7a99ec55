package incident

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
)

func TestSilences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := memstore.New()
		k := start(t, kv, Options{}, policies(Policy{}, "shop/a"))
		s := k.Silences()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = k.Run(ctx) })
		add := func(d time.Duration, matchers ...string) Silence {
			t.Helper()
			one, err := s.Add(t.Context(), Silence{Matchers: mute(t, matchers...).Matchers, Until: time.Now().Add(d), Author: "ana", Comment: "patching"})
			if err != nil {
				t.Fatal(err)
			}
			return one
		}
		observe(t, k, result("a", "522", time.Now()))
		time.Sleep(time.Minute)
		long, short := add(2*time.Hour, "site=~sh.*"), add(time.Hour, "check=a")
		synctest.Wait()
		rec, _ := k.Record("shop")
		if want := "OPENED:a(>522) muted:a(>522)"; loud(rec) != want {
			t.Errorf("%q, want it muted at once: %q", loud(rec), want)
		}
		if list := s.List(); len(list) != 2 || list[0].ID != long.ID || list[1].ID != short.ID {
			t.Errorf("list %+v", list)
		}

		// They outlive the process.
		again := start(t, kv, Options{}, policies(Policy{}, "shop/a"))
		if list := again.Silences().List(); len(list) != 2 || list[0].Author != "ana" || list[0].Comment != "patching" {
			t.Errorf("after a restart: %+v", list)
		}
		if rec, _ := again.Record("shop"); !rec.Incidents[0].Held() {
			t.Error("after a restart nothing is muted")
		}

		if _, err := s.Expire(t.Context(), long.ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if rec, _ := k.Record("shop"); !rec.Incidents[0].Held() {
			t.Error("one of two expired, and nothing is muted")
		}
		time.Sleep(time.Hour + 10*time.Second) // the other ends by itself
		rec, _ = k.Record("shop")
		if want := "OPENED:a(>522) muted:a(>522) unmuted:a(>522)"; loud(rec) != want || rec.Incidents[0].Held() {
			t.Errorf("%q, want %q", loud(rec), want)
		}
		over, err := s.Expire(t.Context(), long.ID)
		if err != nil || over.Active(time.Now()) {
			t.Errorf("expired twice: %+v, %v", over, err)
		}
		if _, err := s.Expire(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), ErrNoSilence.Error()) {
			t.Errorf("expire one that is not there: %v", err)
		}
		time.Sleep(silenceKept + time.Hour)
		if entries, err := kv.List(t.Context(), silencePrefix); err != nil || len(entries) != 0 || len(s.List()) != 0 {
			t.Errorf("%d silences in the store, %d listed long after, want none: %v", len(entries), len(s.List()), err)
		}
		cancel()
		running.Wait()
	})
}

// Those that are over keep nobody from muting an outage: they make room, those that
// ended first before the others. Those in force do not.
func TestSilencesMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := memstore.New()
		s := start(t, kv, Options{}, nil).Silences()
		add := func() (Silence, error) {
			time.Sleep(time.Second)
			return s.Add(t.Context(), Silence{Matchers: mute(t, "site=shop").Matchers, Until: time.Now().Add(time.Hour), Author: "ci"})
		}
		must := func() Silence {
			t.Helper()
			one, err := add()
			if err != nil {
				t.Fatal(err)
			}
			return one
		}
		stays := must()
		for range maxSilences + 10 {
			if _, err := s.Expire(t.Context(), must().ID); err != nil {
				t.Fatal(err)
			}
		}
		entries, err := kv.List(t.Context(), silencePrefix)
		if err != nil || len(entries) != maxSilences || len(s.List()) != maxSilences {
			t.Errorf("%d in the store, %d listed, %v, want %d", len(entries), len(s.List()), err, maxSilences)
		}
		if list := s.List(); list[0].ID != stays.ID || time.Since(list[maxSilences-1].Until) > (maxSilences+10)*time.Second {
			t.Errorf("the first is %+v, the last ended %v ago", list[0], time.Since(list[maxSilences-1].Until))
		}
		for range maxSilences - 1 {
			must()
		}
		if _, err := add(); !errors.Is(err, ErrTooMany) || !strings.Contains(err.Error(), "1000 of them") {
			t.Errorf("one more than can be in force: %v", err)
		}
	})
}

func TestBadSilences(t *testing.T) {
	k := start(t, memstore.New(), Options{}, nil)
	good := Silence{Matchers: mute(t, "site=shop").Matchers, Until: time.Now().Add(time.Hour), Author: "ana"}
	for name, tt := range map[string]struct {
		change func(*Silence)
		want   string
	}{
		"no matcher":        {func(s *Silence) { s.Matchers = nil }, "0 matchers"},
		"matches all":       {func(s *Silence) { s.Matchers = []Matcher{{Name: "site", Op: "=~", Value: ".*"}} }, "fit everything"},
		"bad operator":      {func(s *Silence) { s.Matchers = []Matcher{{Name: "site", Op: "<", Value: "x"}} }, "not an operator"},
		"bad expression":    {func(s *Silence) { s.Matchers = []Matcher{{Name: "site", Op: "=~", Value: "("}} }, "not a regular expression"},
		"over already":      {func(s *Silence) { s.Until = time.Now().Add(-time.Second) }, "over already"},
		"for ever":          {func(s *Silence) { s.Until = time.Now().AddDate(100, 0, 0) }, "longer than a year"},
		"nobody":            {func(s *Silence) { s.Author = " " }, "want an author"},
		"a book of comment": {func(s *Silence) { s.Comment = strings.Repeat("x", 5000) }, "comment of 5000 bytes"},
	} {
		one := good
		tt.change(&one)
		if _, err := k.Silences().Add(t.Context(), one); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if list := k.Silences().List(); len(list) != 0 {
		t.Errorf("%d silences came of it", len(list))
	}
}

// What lies in the store and makes no sense mutes nothing, and stops nothing.
func TestUnreadableSilence(t *testing.T) {
	kv := memstore.New()
	for key, value := range map[string]string{
		"silence/a": "\x00", "silence/b": `{"id":"c"}`, "silence/d": `{"id":"d","until":"2100-01-01T00:00:00Z"}`,
		"silence/e": `{"id":"e","until":"2100-01-01T00:00:00Z","matchers":[{"name":"site","op":"=~","value":"("}]}`,
	} {
		if _, err := kv.Put(t.Context(), store.Entry{Key: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	k := start(t, kv, Options{}, policies(Policy{}, "shop/a"))
	observe(t, k, result("a", "522", time.Now()))
	if rec, _ := k.Record("shop"); loud(rec) != "OPENED:a(>522)" || len(k.Silences().List()) != 0 {
		t.Errorf("story %q, %d silences", loud(rec), len(k.Silences().List()))
	}
}

// slowStore takes a value when it is let.
type slowStore struct {
	store.KV
	asked, let chan struct{}
}

func (s *slowStore) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	s.asked <- struct{}{}
	<-s.let
	return s.KV.Put(ctx, e)
}

// While a store takes its time over a silence, those in force are known at once:
// results are judged by them.
func TestSilencesOfASlowStore(t *testing.T) {
	kv := &slowStore{memstore.New(), make(chan struct{}), make(chan struct{})}
	s := newSilences(kv, slog.New(slog.DiscardHandler))
	added := make(chan error)
	go func() {
		_, err := s.Add(t.Context(), Silence{Matchers: mute(t, "site=shop").Matchers, Until: time.Now().Add(time.Hour), Author: "me"})
		added <- err
	}()
	<-kv.asked
	if n := len(s.active(time.Now())); n != 0 {
		t.Errorf("%d in force before any is saved", n)
	}
	if n := len(s.List()); n != 0 {
		t.Errorf("%d listed before any is saved", n)
	}
	close(kv.let)
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	if n := len(s.active(time.Now())); n != 1 {
		t.Errorf("%d in force, want 1", n)
	}
}
