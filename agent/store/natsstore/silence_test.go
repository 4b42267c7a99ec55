package natsstore

import (
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
)

// A watch whose server has forgotten it begins anew once it is known that
// something was written, and not when the client misses heartbeats.
func TestSilentWatchBeginsAnew(t *testing.T) {
	servers := natstest.Start(t, 1)
	s := open(t, connect(t, servers.URLs()), Options{Bucket: "silent"})
	other := open(t, connect(t, servers.URLs()), Options{Bucket: "silent"})
	first := put(t, s, "a/1", "one", 0)
	n := watching(t, s, "a/")
	until(t, "the first value was told", func() bool { return n.knows(map[string]string{"a/1": "one"}) })
	if s.Wrote() != 0 {
		t.Errorf("wrote %d before anything was watched, want 0", s.Wrote())
	}
	second := put(t, s, "a/1", "two", first)
	outside := put(t, s, "b/1", "not watched", 0)
	if s.Wrote() != second {
		t.Errorf("wrote %d, want %d and not %d", s.Wrote(), second, outside)
	}
	until(t, "the second value was told", func() bool { return n.knows(map[string]string{"a/1": "two"}) })

	for name := range s.bound.stream.ConsumerNames(t.Context()).Name() {
		if err := s.bound.stream.DeleteConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	third := put(t, other, "a/1", "three", second)
	s.Heard(third)
	until(t, "it has begun anew", func() bool { return n.syncs() == 2 && n.knows(map[string]string{"a/1": "three"}) })
}

func TestSilence(t *testing.T) {
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	var s silence
	want := func(d time.Duration, broken bool) {
		t.Helper()
		if got := s.broken(at(d)); got != broken {
			t.Errorf("after %v: broken %v, want %v", d, got, broken)
		}
	}
	const hour = time.Hour
	s.begin([]string{"a/"})
	s.hear(3, at(0))
	want(hour, false) // it has not told yet what lies there
	s.tell(5, at(hour))
	s.sync(at(hour))
	want(2*hour, false) // there is nothing else

	s.hear(7, at(2*hour))
	want(2*hour+silenceLasts-1, false)
	s.tell(6, at(2*hour+time.Second)) // behind, but it speaks
	want(2*hour+silenceLasts, false)
	s.hear(6, at(2*hour+2*time.Second)) // older news change nothing
	want(2*hour+time.Second+silenceLasts, true)
	s.begin([]string{"a/"})
	s.tell(8, at(2*hour+10*time.Second))
	s.sync(at(2*hour + 10*time.Second))
	want(3*hour, false)

	// What is written here counts as heard, if it is watched.
	s.write("b/1", 20, at(4*hour))
	want(5*hour, false)
	s.write("a/1", 21, at(6*hour))
	want(7*hour, true)
	if s.wrote != 21 {
		t.Errorf("wrote %d, want 21", s.wrote)
	}
}

// What no watch tells of has it begin anew twice, and not again; one number after
// the other has it do so ever more seldom; and all that is over when the watch
// tells what was heard.
func TestSilenceOfWhatIsNotThere(t *testing.T) {
	now := time.Now()
	var s silence
	s.begin([]string{"a/"})
	s.tell(5, now)
	s.sync(now)
	// renewals hears a revision every two seconds, as of beats.
	renewals := func(d time.Duration, next func() uint64) (n int) {
		for end := now.Add(d); now.Before(end); now = now.Add(time.Second) {
			if now.Unix()%2 == 0 {
				s.hear(store.Revision(next()), now)
			}
			if s.broken(now) {
				n++
				s.begin([]string{"a/"})
				s.sync(now)
			}
		}
		return n
	}
	if n := renewals(time.Hour, func() uint64 { return 1 << 60 }); n != 2 {
		t.Errorf("it began anew %d times for one revision that is not there, want 2", n)
	}
	s.tell(6, now)
	s.hear(7, now)
	now = now.Add(silenceLasts)
	if !s.broken(now) {
		t.Error("it is not found silent any more")
	}
	s.begin([]string{"a/"})
	s.tell(7, now)
	s.sync(now)
	rising := uint64(1 << 61)
	if n := renewals(time.Hour, func() uint64 { rising++; return rising }); n < 3 || n > 30 {
		t.Errorf("it began anew %d times in an hour for ever new revisions, want a few", n)
	}
}
