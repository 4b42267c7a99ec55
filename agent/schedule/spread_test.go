package schedule

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := time.Duration(rapid.Int64Range(int64(minPeriod), int64(windowWidth(maxPeriod))).Draw(t, "width"))
		members := make([]member, rapid.IntRange(0, 300).Draw(t, "members"))
		for i := range members {
			// Many want the same, as hashes would not have it.
			members[i] = member{offset: width / 20 * time.Duration(rapid.IntRange(0, 19).Draw(t, "wanted")), job: &job{}}
		}
		slices.SortFunc(members, func(a, b member) int { return int(a.offset - b.offset) })
		before := slices.Clone(members)
		spread(members, width)
		for i, m := range members {
			if m.job != before[i].job {
				t.Fatal("the order has changed")
			}
			if m.offset < 0 || m.offset >= width {
				t.Fatalf("offset %v in a slot of %v", m.offset, width)
			}
			if i == 0 {
				continue
			}
			want := min(apart, width/time.Duration(len(members))*9/10)
			if got := m.offset - members[i-1].offset; got < want {
				t.Fatalf("%d of a slot of %v: %v comes %v after the one before, want %v", len(members), width, m.offset, got, want)
			}
		}
	})
}

// TestFewStayWhereTheyAre holds that a job starts where its hash has it, or
// nearly: so two slots do not start theirs at the same instants, and a job starts
// at much the same time on another machine, whoever else is there.
func TestFewStayWhereTheyAre(t *testing.T) {
	for _, tc := range []struct {
		spec string
		n    int
		want time.Duration
	}{
		{"10s", 1, 0},
		{"10s", 1000, 10 * time.Millisecond},
		{"10s", 5000, 60 * time.Millisecond},
		{"10s", 10_000, 60 * time.Millisecond},
		{"1h", 10_000, 10 * time.Millisecond},
		{"*/5 * * * *", 1000, 20 * time.Millisecond},
	} {
		s := New(Options{})
		jobs := jobsNamed(t, tc.spec, 0, tc.n, (&runs{}).pass)
		replace(t, s, jobs...)
		for _, sl := range s.slots {
			for _, m := range sl.members {
				if _, wanted := mustSpec(t, tc.spec).place(m.job.name); (m.offset - wanted).Abs() > tc.want {
					t.Errorf("%d each %s: %s is at %v and its hash at %v, want at most %v between them", tc.n, tc.spec, m.job.name, m.offset, wanted, tc.want)
				}
			}
		}
	}
}

// TestWhoComesIsSpreadToo replaces few jobs by many in the middle of a moment.
// None of the few loses a run or has one more, and from the next moment on all
// start as if they had always been there.
func TestWhoComesIsSpreadToo(t *testing.T) {
	t.Run("", func(t *testing.T) { testWhoComes(t, false) })
	t.Run("and the schedule is laid out anew", func(t *testing.T) { testWhoComes(t, true) })
}

func testWhoComes(t *testing.T, layOut bool) {
	synctest.Test(t, func(t *testing.T) {
		const spec, period = "1s", time.Second
		for at := time.Duration(0); at < period; at += 37 * time.Millisecond {
			s, few, others := New(Options{MaxConcurrent: 1000}), &runs{}, &runs{}
			replace(t, s, jobsNamed(t, spec, 0, 50, few.pass)...)
			stop := start(t, s)
			later(3*period + at)
			all := append(jobsNamed(t, spec, 0, 50, few.pass), jobsNamed(t, spec, 50, 1000, others.pass)...)
			replace(t, s, all...)
			if layOut { // as after a jump of the clock
				s.mu.Lock()
				s.layOut(time.Now())
				s.mu.Unlock()
			}
			later(3*period - at)
			if few.count() != 6*50 {
				t.Fatalf("replaced %v after a whole period: 50 jobs ran %d times in 6 periods", at, few.count())
			}

			fresh := New(Options{})
			replace(t, fresh, all...)
			for key, sl := range fresh.slots {
				for i, m := range sl.members {
					if is := s.slots[key].members[i]; is.job.name != m.job.name || is.offset != m.offset {
						t.Fatalf("%s starts at %v, in a new schedule %s at %v", is.job.name, is.offset, m.job.name, m.offset)
					}
				}
			}
			stop()
			time.Sleep(period - time.Duration(time.Now().UnixNano())%period) // the next begins on a whole one
		}
	})
}

func jobsNamed(t *testing.T, spec string, from, to int, run func(context.Context, time.Time) bool) []Job {
	var jobs []Job
	for i := from; i < to; i++ {
		jobs = append(jobs, Job{Name: fmt.Sprintf("site-%d/home", i), Spec: mustSpec(t, spec), Run: run})
	}
	return jobs
}
