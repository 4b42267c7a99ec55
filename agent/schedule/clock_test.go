package schedule

import (
	"testing"
	"time"
)

func TestJumped(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, tc := range []struct {
		name            string
		wall, monotonic time.Duration
		want            bool
	}{
		{"a beat", s, s, false},
		{"nothing yet", 0, 0, false},
		{"a busy machine", 2800 * ms, 2800 * ms, false},
		{"slewed by NTP", s + 500*time.Microsecond, s, false},
		{"set a little forward", 2900 * ms, s, false},
		{"set a little back", -900 * ms, s, false},
		{"suspended", 8 * time.Hour, s, true},
		{"suspended shortly", 4 * s, s, true},
		{"set forward", 3100 * ms, s, true},
		{"set back", -1100 * ms, s, true},
		{"set back by an hour", s - time.Hour, s, true},
		{"set forward at once", 3 * s, 0, true},
		{"stopped, or the machine under it", 10 * s, 10 * s, true},
		{"stopped shortly", 3100 * ms, 3100 * ms, true},
	} {
		if got := jumped(tc.wall, tc.monotonic); got != tc.want {
			t.Errorf("%s: jumped(%v, %v) = %v, want %v", tc.name, tc.wall, tc.monotonic, got, tc.want)
		}
	}
}

func TestElapsed(t *testing.T) {
	then := time.Now()
	wall, monotonic := elapsed(then, then.Add(time.Minute))
	if wall != time.Minute || monotonic != time.Minute {
		t.Errorf("got %v and %v, want a minute each", wall, monotonic)
	}
}
