package migrate

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// prometheusDuration is a duration as Prometheus writes them: 1m30s, 1d, 2w.
var (
	prometheusDuration = regexp.MustCompile(`^([0-9]+(ms|[smhdwy]))+$`)
	durationPart       = regexp.MustCompile(`([0-9]+)(ms|[smhdwy])`)
)

// period is a key with a duration, as Prometheus or Go writes them.
func (a at) period(name string) (time.Duration, bool) {
	k := a.key(name)
	s := k.text()
	if s == "" {
		return 0, false
	}
	d, err := parsePeriod(s)
	if err != nil || d <= 0 {
		k.note("is not carried over: "+quoted(s)+" is not a duration", "")
		return 0, false
	}
	return d, true
}

func parsePeriod(s string) (time.Duration, error) {
	units := map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour}
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	if !prometheusDuration.MatchString(s) || len(s) > 40 {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	var total time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseInt(part[1], 10, 32)
		if err != nil {
			return 0, err
		}
		unit, ok := units[part[2]]
		if !ok {
			unit, err = time.ParseDuration("1" + part[2])
			if err != nil {
				return 0, err
			}
		}
		total += time.Duration(n) * unit
	}
	if total < 0 || total > longest*100 {
		return 0, fmt.Errorf("%q is too long", s)
	}
	return total, nil
}
