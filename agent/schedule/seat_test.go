package schedule

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSeat lets jobs come to a slot and leave it. Who stays keeps its seat, and
// nobody is given one beside the slot or next to another's.
func TestSeat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := time.Duration(rapid.Int64Range(int64(minPeriod), int64(windowWidth(maxPeriod))).Draw(t, "width"))
		all := make([]*job, rapid.IntRange(1, 300).Draw(t, "jobs"))
		wanted := map[*job]time.Duration{}
		for i := range all {
			all[i] = &job{}
			// Many want the same, as hashes would not have it.
			wanted[all[i]] = width / 20 * time.Duration(rapid.IntRange(0, 19).Draw(t, "wanted"))
		}
		var before []member
		for range 5 {
			var members []member
			for _, j := range all {
				if rapid.Bool().Draw(t, "is there") {
					members = append(members, member{offset: wanted[j], job: j})
				}
			}
			seat(width, before, members)
			had := map[*job]time.Duration{}
			for _, m := range before {
				had[m.job] = m.offset
			}
			least := min(apart/2, width/time.Duration(4*len(all)))
			for i, m := range members {
				if offset, ok := had[m.job]; ok && offset != m.offset {
					t.Fatalf("one that stayed was moved from %v to %v", offset, m.offset)
				}
				if m.offset < 0 || m.offset >= width {
					t.Fatalf("offset %v in a slot of %v", m.offset, width)
				}
				if i > 0 && m.offset-members[i-1].offset < least {
					t.Fatalf("%d of a slot of %v: %v comes after %v, want %v between them",
						len(members), width, m.offset, members[i-1].offset, least)
				}
			}
			before = members
		}
	})
}

// TestSeatsAreNear holds that a seat is where the hash has it, or nearly, so that
// a job starts at much the same time after a restart and on another machine,
// whoever else is there.
func TestSeatsAreNear(t *testing.T) {
	for _, tc := range []struct {
		spec string
		n    int
		want time.Duration
	}{
		{"10s", 1000, 10 * time.Millisecond},
		{"10s", 5000, 60 * time.Millisecond},
		{"10s", 10_000, 60 * time.Millisecond},
		{"1h", 10_000, 10 * time.Millisecond},
		{"*/5 * * * *", 2000, 25 * time.Millisecond},
	} {
		s := New(Options{})
		spec, run := mustSpec(t, tc.spec), (&runs{}).pass
		jobs := make([]Job, tc.n)
		wanted := map[string]time.Duration{}
		for i := range jobs {
			jobs[i] = Job{Name: fmt.Sprintf("site-%d/home", i), Spec: spec, Run: run}
			_, wanted[jobs[i].Name] = spec.place(jobs[i].Name)
		}
		replace(t, s, jobs...)
		var farthest time.Duration
		var who string
		for _, sl := range s.slots {
			for _, m := range sl.members {
				if by := (m.offset - wanted[m.job.name]).Abs(); by > farthest {
					farthest, who = by, m.job.name
				}
			}
		}
		if farthest == 0 || farthest > tc.want {
			t.Errorf("%s is %v from where its hash has it, of %d jobs each %s; want at most %v", who, farthest, tc.n, tc.spec, tc.want)
		}
	}
}
