package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// placed is a job and where its schedule puts it; spread has the last word on the offset.
type placed struct {
	Job
	key    slotKey
	offset time.Duration
}

// place works out where the jobs go, ordered by offset.
func place(jobs []Job) ([]placed, error) {
	var errs []error
	all := make([]placed, 0, len(jobs))
	seen := make(map[string]bool, len(jobs))
	for _, j := range jobs {
		switch {
		case seen[j.Name]:
			errs = append(errs, fmt.Errorf("job %q: given twice", j.Name))
		case j.Spec == Spec{}:
			errs = append(errs, fmt.Errorf("job %q: no schedule", j.Name))
		case j.Run == nil:
			errs = append(errs, fmt.Errorf("job %q: nothing to run", j.Name))
		default:
			key, offset := j.Spec.place(j.Name)
			all = append(all, placed{Job: j, key: key, offset: offset})
		}
		seen[j.Name] = true
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.offset, b.offset) })
	return all, errors.Join(errs...)
}

// replaceJobs makes all the scheduler's jobs, and keeps what is remembered of
// those that stay.
func (s *Scheduler) replaceJobs(all []placed) {
	jobs := make(map[string]*job, len(all))
	for _, p := range all {
		j := s.jobs[p.Name]
		if j == nil {
			j = &job{name: p.Name}
		}
		j.run, j.confirm, j.settle = p.Run, p.Confirm, p.Settle
		jobs[p.Name] = j
	}
	for name, j := range s.jobs {
		if jobs[name] == nil {
			j.gone = true
			s.disarm(j)
		}
	}
	s.queue = slices.DeleteFunc(s.queue, func(j *job) bool { return j.gone })
	s.jobs = jobs
}

// replaceSlots gives the slots their new members. Slots that stay keep their
// cron entry, so that no tick is lost.
func (s *Scheduler) replaceSlots(all []placed) {
	slots := make(map[slotKey]*slot, len(s.slots))
	members := make(map[slotKey][]member, len(s.slots))
	for _, p := range all {
		if slots[p.key] == nil {
			slots[p.key] = cmp.Or(s.slots[p.key], newSlot(p.key, p.Spec))
		}
		members[p.key] = append(members[p.key], member{offset: p.offset, job: s.jobs[p.Name]})
	}
	now := time.Now()
	for key, old := range s.slots {
		if slots[key] == nil {
			old.members, old.next = nil, nil
			if s.cron != nil {
				s.cron.Remove(old.entry.id)
			}
		}
	}
	for key, sl := range slots {
		sl.next, sl.replaced = members[key], now
		spread(sl.next, sl.width)
		sl.members = carryOver(sl.members, sl.next)
		if s.cron != nil && sl.entry == nil {
			s.enter(sl, now)
		}
	}
	s.slots = slots
}
