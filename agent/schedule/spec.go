package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/robfig/cron/v3"
)

const (
	// minPeriod is the shortest duration a schedule may have. It keeps a
	// mistyped unit from turning a check into a flood.
	minPeriod = 100 * time.Millisecond
	// maxPeriod is the longest. It keeps sums of times far from overflowing.
	maxPeriod = 366 * 24 * time.Hour
	// maxWindows is how many cron entries one period may have. cron sorts all
	// its entries at each wake, which costs a whole core at tens of thousands
	// of them and nothing at a few hundred.
	maxWindows = 100
	// lineSpread is how far after the moment a cron line names its jobs may
	// start, each at its own offset, so that a thousand checks on "*/5 * * * *"
	// do not start in the same instant.
	lineSpread = 5 * time.Second
	// maxSpecLength bounds what is handed to the parsers.
	maxSpecLength = 256
)

// Spec is a parsed schedule: a period, or a cron line.
type Spec struct {
	period time.Duration      // 0 for a cron line
	line   string             // the cron line, blanks normalised; "" for a period
	cron   *cron.SpecSchedule // of line
}

// ParseSpec parses a duration of 100 ms to a year ("500ms", "30s", "1d"), or
// a cron line of five fields or a descriptor such as @hourly, optionally with
// "CRON_TZ=Zone " (or "TZ=Zone ") before it; without a zone a line is in UTC.
//
// A line that never comes ("0 0 31 2 *") is an error. Where a zone changes to
// summer time, a moment in the hour that is left out is left out, and one in
// the hour that comes twice comes twice.
func ParseSpec(spec string) (Spec, error) {
	if len(spec) > maxSpecLength {
		return Spec{}, fmt.Errorf("schedule of %d characters: longer than %d", len(spec), maxSpecLength)
	}
	fields := strings.Fields(spec)
	var s Spec
	var err error
	switch {
	case len(fields) == 0:
		err = errors.New("empty")
	case len(fields) == 1 && !strings.HasPrefix(fields[0], "@") && !strings.Contains(fields[0], "TZ="):
		s.period, err = parsePeriod(fields[0])
	default:
		s.line = strings.Join(fields, " ")
		s.cron, err = parseLine(fields)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("schedule %q: %w", spec, err)
	}
	return s, nil
}

func parsePeriod(s string) (time.Duration, error) {
	period, err := time.ParseDuration(s)
	if err != nil {
		// It knows days and weeks, and time.ParseDuration fractions.
		long, longErr := model.ParseDuration(s)
		if longErr != nil {
			return 0, errors.New("neither a duration such as 30s nor a cron line of five fields")
		}
		period = time.Duration(long)
	}
	if period < minPeriod {
		return 0, fmt.Errorf("shorter than %v", minPeriod)
	}
	if period > maxPeriod {
		return 0, errors.New("longer than a year")
	}
	return period, nil
}

// parseLine takes the zone off before the parser sees the line, because cron's
// own reading of it panics when nothing follows the zone.
func parseLine(fields []string) (*cron.SpecSchedule, error) {
	location := time.UTC
	if zone, ok := cutZone(fields[0]); ok {
		var err error
		if location, err = loadZone(zone); err != nil {
			return nil, err
		}
		fields = fields[1:]
	}
	if len(fields) == 0 {
		return nil, errors.New("a time zone with no cron line after it")
	}
	if _, again := cutZone(fields[0]); again {
		return nil, errors.New("two time zones")
	}
	parsed, err := cron.ParseStandard(strings.Join(fields, " "))
	if err != nil {
		return nil, err
	}
	line, ok := parsed.(*cron.SpecSchedule)
	if !ok { // @every, which cron cuts to whole seconds and starts all at once
		return nil, errors.New(`write the duration alone, such as "30s", in place of @every`)
	}
	line.Location = location
	if empty := emptyField(line); empty != "" {
		return nil, fmt.Errorf("no value for the %s", empty)
	}
	// Any moment will do to ask from; a leap year holds a 29 February.
	if line.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("never comes")
	}
	return line, nil
}

// cutZone returns the zone of a "CRON_TZ=Zone" or "TZ=Zone".
func cutZone(field string) (zone string, ok bool) {
	if zone, ok = strings.CutPrefix(field, "CRON_TZ="); ok {
		return zone, true
	}
	return strings.CutPrefix(field, "TZ=")
}

func loadZone(zone string) (*time.Location, error) {
	// time.LoadLocation takes "" for UTC, and "Local" for whatever the machine
	// is set to, which cron in turn takes for the zone of its clock.
	if zone == "" || zone == "Local" {
		return nil, fmt.Errorf("time zone %q: write its name, such as Asia/Shanghai", zone)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", zone)
	}
	return location, nil
}

// emptyField names a field that holds no value at all, as that of "," does: the
// parser lets it pass, and looking for the next moment then takes long.
func emptyField(s *cron.SpecSchedule) string {
	const star = 1 << 63
	for _, field := range []struct {
		name string
		bits uint64
	}{
		{"minute", s.Minute}, {"hour", s.Hour}, {"day of the month", s.Dom},
		{"month", s.Month}, {"day of the week", s.Dow},
	} {
		if field.bits&^star == 0 {
			return field.name
		}
	}
	return ""
}

// gapLooks is how many moments of a cron line are looked at for its longest pause.
const gapLooks = 10

// Gap is the longest pause between two runs: the period, or the longest among the
// next moments that a cron line names.
func (s Spec) Gap(now time.Time) time.Duration {
	if s.cron == nil {
		return s.period
	}
	var longest time.Duration
	last := s.cron.Next(now)
	for range gapLooks {
		next := s.cron.Next(last)
		if next.IsZero() {
			break
		}
		longest, last = max(longest, next.Sub(last)), next
	}
	return longest
}

// place says where a job of this schedule goes: into which slot, and how long
// after the slot's moment it would start if it were alone there; see spread. Both
// depend on nothing but the schedule and the name, so they are the same after a
// restart and on each machine.
func (s Spec) place(name string) (slotKey, time.Duration) {
	sum := sha256.Sum256([]byte(name))
	hash := binary.BigEndian.Uint64(sum[:])
	if s.period == 0 {
		return slotKey{line: s.line}, time.Duration(hash % uint64(lineSpread))
	}
	phase := time.Duration(hash % uint64(s.period))
	width := windowWidth(s.period)
	return slotKey{period: s.period, window: int(phase / width)}, phase % width
}

// windowWidth is the width of a period's slots: a hundredth of it, rounded up,
// but no less than minPeriod.
func windowWidth(period time.Duration) time.Duration {
	return max(minPeriod, (period+maxWindows-1)/maxWindows)
}

// every comes at each whole multiple of period after the Unix epoch plus phase,
// to the nanosecond. It implements cron.Schedule.
type every struct {
	period, phase time.Duration
}

// Next returns the first moment strictly after t.
func (e every) Next(t time.Time) time.Time {
	since := (t.UnixNano() - int64(e.phase)) % int64(e.period)
	if since < 0 { // before 1970
		since += int64(e.period)
	}
	return time.Unix(0, t.UnixNano()-since+int64(e.period)).UTC()
}
