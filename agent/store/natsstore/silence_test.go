package natsstore

import (
	"testing"
	"time"

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
	s.begin([]string{"a/"}, at(0))
	want := func(d time.Duration, broken bool) {
		t.Helper()
		if got := s.broken(at(d)); got != broken {
			t.Errorf("after %v: broken %v, want %v", d, got, broken)
		}
	}
	want(time.Hour, false) // nothing was written

	s.hear(7, at(time.Hour))
	want(time.Hour+silenceLasts-1, false)
	want(time.Hour+silenceLasts, true)
	s.tell(5, at(time.Hour+time.Second)) // behind, but it speaks
	want(time.Hour+silenceLasts, false)
	s.hear(6, at(time.Hour+2*time.Second)) // older news change nothing
	want(time.Hour+time.Second+silenceLasts, true)
	s.tell(8, at(time.Hour+5*time.Second))
	want(3*time.Hour, false)

	// What is written here counts as heard, if it is watched.
	s.write("b/1", 20, at(4*time.Hour))
	want(5*time.Hour, false)
	s.write("a/1", 21, at(6*time.Hour))
	want(7*time.Hour, true)

	// Whatever was heard of before it began anew lies in what it tells then, unless
	// it is gone by then without a mark.
	reaches := s.begin([]string{"a/"}, at(8*time.Hour))
	s.hear(22, at(8*time.Hour))
	s.tell(reaches, at(8*time.Hour))
	want(8*time.Hour+silenceLasts, true)
	s.tell(22, at(9*time.Hour))
	want(10*time.Hour, false)
}
