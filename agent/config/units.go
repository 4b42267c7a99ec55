package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is a suffix of a number and what it stands for.
type unit struct {
	name string
	size int64
}

func durationUnits() []unit {
	return []unit{
		{"ms", int64(time.Millisecond)}, {"s", int64(time.Second)}, {"m", int64(time.Minute)},
		{"h", int64(time.Hour)}, {"d", int64(24 * time.Hour)}, {"w", int64(7 * 24 * time.Hour)},
	}
}

func byteUnits() []unit {
	return []unit{
		{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
		{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	}
}

// ParseDuration reads "500ms", "30s", "1.5h", "1d12h", "2w" and "0". Unlike
// time.ParseDuration it knows days (of 24 hours) and weeks, and refuses
// negative ones.
func ParseDuration(s string) (time.Duration, error) {
	d, p := parseDuration(s)
	if p != nil {
		return 0, p
	}
	return d, nil
}

func parseDuration(s string) (time.Duration, *problem) {
	if s == "0" {
		return 0, nil
	}
	n, p := parseQuantity(s, durationUnits())
	switch {
	case p == nil:
		return time.Duration(n), nil
	case strings.HasPrefix(s, "-"):
		return 0, newProblem("500ms, 30s, 5m, 1h, 1d, 2w", "%s is not a duration: it is negative", quote(s))
	case isNumber(s):
		return 0, newProblem("did you mean "+s+"s? units: ms, s, m, h, d, w", "%s is not a duration: it has no unit", quote(s))
	}
	return 0, newProblem("a number and a unit: 500ms, 30s, 5m, 1h, 1d, 2w", "%s is not a duration", quote(s))
}

func isNumber(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && f >= 0 && !math.IsInf(f, 0)
}

func parseBytes(s string) (int64, *problem) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return n, nil
	}
	n, p := parseQuantity(s, byteUnits())
	if p != nil {
		return 0, newProblem("a number and a unit: 512KiB, 1MiB", "%s is not a size", quote(s))
	}
	return n, nil
}

// parseQuantity reads a sum of numbers with units, such as "1d12h".
func parseQuantity(s string, units []unit) (int64, *problem) {
	bad := newProblem("", "%s is not a number with a unit", quote(s))
	if s == "" || len(s) > 64 {
		return 0, bad
	}
	var total float64
	var exact int64
	for s != "" {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
		letters := len(s[digits:]) - len(strings.TrimLeft(s[digits:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		size := sizeOf(s[digits:digits+letters], units)
		f, err := strconv.ParseFloat(s[:digits], 64)
		if err != nil || size == 0 {
			return 0, bad
		}
		total += f * float64(size)
		if total >= math.MaxInt64/2 {
			return 0, bad
		}
		if n, err := strconv.ParseInt(s[:digits], 10, 64); err == nil {
			exact += n * size
		} else {
			exact += int64(math.Round(f * float64(size)))
		}
		s = s[digits+letters:]
	}
	return exact, nil
}

func sizeOf(name string, units []unit) int64 {
	for _, u := range units {
		if u.name == name {
			return u.size
		}
	}
	return 0
}

// formatDuration writes d as it would be configured: "90s" is "1m30s", and
// "720h0m0s" is "30d".
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	units := durationUnits()
	var b strings.Builder
	for i := len(units) - 1; i >= 0; i-- {
		size := time.Duration(units[i].size)
		if n := d / size; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + units[i].name)
			d -= n * size
		}
	}
	return b.String()
}
