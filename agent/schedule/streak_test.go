package schedule

import "testing"

func TestStreak(t *testing.T) {
	for _, tc := range []struct {
		name             string
		failures, settle int
		runs             string // what was seen: . passed, x did not
		again            string // what follows: ! an early run, - none
	}{
		{"well", 3, 2, "....", "----"},
		{"confirmed, then settled", 3, 2, "xxx..", "!!-!-"},
		{"goes on failing", 3, 2, "xxxxxx", "!!----"},
		{"a blip", 3, 2, "x..", "!--"},
		{"two blips do not add up", 3, 2, "xx.xx.", "!!-!!-"},
		{"fails again before it is settled", 3, 2, "xxx.x.x..", "!!-!-!-!-"},
		{"after it is settled it is confirmed anew", 3, 2, "xxx..xxx", "!!-!-!!-"},
		{"confirmed at once", 1, 2, "x..x", "-!--"},
		{"zero values", 0, 0, "x.x.", "----"},
		{"settled at once", 2, 1, "xx.x", "!--!"},
		{"settle takes long", 2, 4, "xx....", "!-!!!-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s streak
			var got []byte
			for _, run := range tc.runs {
				var again bool
				s, again = s.next(run == '.', tc.failures, tc.settle)
				got = append(got, map[bool]byte{true: '!', false: '-'}[again])
			}
			if string(got) != tc.again {
				t.Errorf("after %s: got %s, want %s", tc.runs, got, tc.again)
			}
		})
	}
}
