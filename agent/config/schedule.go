package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a machine without time zones must read the same configuration

	"github.com/robfig/cron/v3"
)

// Schedule is when a check runs: Every is its period, or, when that is 0, Cron
// says when.
type Schedule struct {
	Every time.Duration
	Cron  cron.Schedule
}

const (
	minPeriod = time.Second
	maxPeriod = 366 * 24 * time.Hour
	maxSpec   = 256 // bytes; a cron line is short, and the parser's work grows with it
)

// ParseSchedule reads a duration ("30s", at least a second) or a cron line of
// five fields ("*/5 8-20 * * 1-5"), in UTC unless "CRON_TZ=Zone " stands before
// it. A line that never comes is an error.
func ParseSchedule(spec string) (Schedule, error) {
	if !strings.ContainsAny(spec, " @") && !strings.Contains(spec, "TZ=") {
		every, p := parseDuration(spec)
		if p != nil {
			return Schedule{}, p
		}
		if every < minPeriod || every > maxPeriod {
			return Schedule{}, newProblem("from 1s to 366d", "%s is not a period", quote(spec))
		}
		return Schedule{Every: every}, nil
	}
	c, err := ParseCron(spec)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{Cron: c}, nil
}

// ParseCron reads a cron line of five fields, in UTC unless "CRON_TZ=Zone "
// stands before it, and "@hourly", "@daily", "@weekly", "@monthly" and
// "@yearly". A line that never comes is an error.
func ParseCron(spec string) (cron.Schedule, error) {
	const form = `minute hour day month weekday, such as "*/5 8-20 * * 1-5"`
	spec = strings.TrimSpace(spec)
	if len(spec) > maxSpec {
		return nil, newProblem(form, "a cron line of %d bytes is too long", len(spec))
	}
	if every, ok := strings.CutPrefix(spec, "@every"); ok {
		return nil, newProblem("write the duration alone: "+strings.TrimSpace(every), "%s is not a cron line", quote(spec))
	}
	c, err := parseCron(spec)
	if p, ok := errors.AsType[*problem](err); ok {
		return nil, p
	}
	if err != nil {
		return nil, newProblem(form, "%s is not a cron line: %v", quote(spec), err)
	}
	if c.Next(time.Now()).IsZero() {
		return nil, newProblem("a day that exists", "%s never comes", quote(spec))
	}
	return c, nil
}

// parseCron keeps cron's parser from what it panics at, a zone with nothing
// after it, and from the machine's own zone.
func parseCron(spec string) (cron.Schedule, error) {
	zone, hasZone := strings.CutPrefix(spec, "CRON_TZ=")
	if !hasZone {
		zone, hasZone = strings.CutPrefix(spec, "TZ=")
	}
	if !hasZone {
		return cron.ParseStandard("CRON_TZ=UTC " + spec)
	}
	name, fields, ok := strings.Cut(zone, " ")
	if !ok || strings.TrimSpace(fields) == "" {
		return nil, newProblem("CRON_TZ=Asia/Shanghai 0 9 * * *", "%s is not a cron line: nothing follows the time zone", quote(spec))
	}
	if p := checkTimezone(name); p != nil {
		return nil, p
	}
	return cron.ParseStandard(fmt.Sprintf("CRON_TZ=%s %s", name, strings.TrimSpace(fields)))
}

func checkTimezone(name string) *problem {
	const form = "a name such as Asia/Shanghai, Europe/Berlin or UTC"
	if name == "" || name == "Local" {
		return newProblem(form, "%s is not a time zone", quote(name))
	}
	if _, err := time.LoadLocation(name); err != nil {
		return newProblem(form, "%s is not a time zone", quote(name))
	}
	return nil
}
