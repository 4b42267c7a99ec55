package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// moment is a time as the pages write it.
type moment struct {
	ISO  string // for programs
	Text string // in full
	Ago  string // how long ago it was
}

func momentOf(t, now time.Time) moment {
	t = t.UTC()
	return moment{
		ISO:  t.Format(time.RFC3339),
		Text: t.Format("2006-01-02 15:04:05 UTC"),
		Ago:  span(now.Sub(t)) + " ago",
	}
}

// span writes a length of time as people say it: "12 s", "5 min", "2 h 5 min", "3 d 4 h".
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return joined(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	}
	if days := int(d.Hours()) / 24; days >= 730 {
		return joined(days/365, "y", days%365, "d")
	}
	return joined(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
}

func joined(n int, unit string, rest int, restUnit string) string {
	if rest == 0 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%d %s %d %s", n, unit, rest, restUnit)
}

// took writes seconds as people read them: "34 ms".
func took(seconds float64) string {
	return checks.Milliseconds(time.Duration(seconds * float64(time.Second)))
}

// availability is the share of runs that did not fail, in per cent. It is
// rounded down, so that 100 % means that none did.
func availability(t tally) string {
	switch {
	case t.runs == 0:
		return "–"
	case t.fails == 0:
		return "100 %"
	}
	share := float64(t.runs-t.fails) / float64(t.runs)
	return fmt.Sprintf("%.2f %%", math.Floor(share*1e4)/100)
}

// reach says over which time an availability is: a day, or since the hour in
// which the counting began, which need not be when this process did.
func reach(t tally, now time.Time) string {
	if t.runs == 0 {
		return "no results yet"
	}
	text := fmt.Sprintf("%d of %d runs did not fail", t.runs-t.fails, t.runs)
	if now.Sub(t.since) < (dayHours-1)*time.Hour {
		return text + " since " + t.since.UTC().Format("15:04 UTC")
	}
	return text + " in 24 hours"
}

// piece is a part of a text: words, or a command.
type piece struct {
	Code bool
	Text string
}

// pieces cuts a text at its backticks.
func pieces(text string) []piece {
	var all []piece
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			all = append(all, piece{i%2 == 1, part})
		}
	}
	return all
}

// segments cuts a name behind its underscores, where a narrow page may break it.
func segments(name catalog.Condition) []string {
	return strings.SplitAfter(string(name), "_")
}

// fact is a line of evidence.
type fact struct{ Label, Value string }

// factOf cuts "label: value" in two. A line that is not like that has no label.
func factOf(line string) fact {
	label, value, ok := strings.Cut(line, ": ")
	if !ok || len(label) > 40 {
		return fact{"", line}
	}
	return fact{label, value}
}
