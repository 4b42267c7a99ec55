package web

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// spark is the latency of a check's last results as a line, with a mark for
// each that did not pass. Its numbers are whole, to keep a page of a thousand
// of them small.
type spark struct {
	Line     string // an SVG path in a box of sparkWidth by sparkHeight
	Degraded string // marks
	Failed   string
	Label    string // the same in words
}

const (
	sparkStep   = 2
	sparkHeight = 24
)

func sparkOf(entries []entry) spark {
	if len(entries) == 0 {
		return spark{Label: "no results yet"}
	}
	top := float32(0)
	fails := 0
	for i := range entries {
		top = max(top, entries[i].seconds)
		if entries[i].outcome == failed {
			fails++
		}
	}
	y := func(seconds float32) int {
		if top == 0 {
			return sparkHeight - 2
		}
		return sparkHeight - 2 - int(seconds/top*(sparkHeight-4))
	}
	line, bad, warn := make([]byte, 0, 6*len(entries)), []byte(nil), []byte(nil)
	start := (ringSize - len(entries)) * sparkStep
	last := y(entries[0].seconds)
	line = fmt.Appendf(line, "M%d %d", start, last)
	for i := range entries {
		e := &entries[i]
		if i > 0 {
			now := y(e.seconds)
			line = append(line, 'l')
			line = strconv.AppendInt(line, sparkStep, 10)
			if now >= last {
				line = append(line, ' ') // a minus sign parts the numbers by itself
			}
			line = strconv.AppendInt(line, int64(now-last), 10)
			last = now
		}
		switch e.outcome {
		case failed:
			bad = fmt.Appendf(bad, "M%d 0v%d", start+i*sparkStep, sparkHeight)
		case degraded:
			warn = fmt.Appendf(warn, "M%d 0v%d", start+i*sparkStep, sparkHeight)
		}
	}
	return spark{
		Line: string(line), Degraded: string(warn), Failed: string(bad),
		Label: fmt.Sprintf("last %d results: median %s, highest %s, %d failed",
			len(entries), took(float64(median(entries))), took(float64(top)), fails),
	}
}

// median is that of the latencies.
func median(entries []entry) float32 {
	if len(entries) == 0 {
		return 0
	}
	all := make([]float32, len(entries))
	for i := range entries {
		all[i] = entries[i].seconds
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// bar is one result in a chart.
type bar struct {
	X, Y, Height int
	Outcome      string
	Title        string
}

const (
	barStep    = 10
	barsHeight = 64
)

// barsOf draws the last results as bars as high as they took, and says what the
// highest is.
func barsOf(entries []entry) (bars []bar, top string) {
	most := float32(0)
	for i := range entries {
		most = max(most, entries[i].seconds)
	}
	for i := range entries {
		e := &entries[i]
		height := 3
		if most > 0 {
			height = max(height, int(e.seconds/most*barsHeight))
		}
		bars = append(bars, bar{
			X: (ringSize - len(entries) + i) * barStep, Y: barsHeight - height, Height: height,
			Outcome: e.outcome.String(),
			Title:   e.start().Format(time.TimeOnly) + " UTC: " + e.answer() + " in " + took(float64(e.seconds)),
		})
	}
	return bars, took(float64(most))
}

// answer is what came back, in a word.
func (e *entry) answer() string {
	if e.condition != "" && e.condition != catalog.FromStatus(int(e.status)) {
		return string(e.condition)
	}
	return strconv.Itoa(int(e.status))
}

// phase is one part of a request's time, in a bar of phasesWidth.
type phase struct {
	Name     string
	X, Width float64
	Took     string
}

const phasesWidth = 1000

// phasesBar lays the phases side by side. Those that took no time are left out.
func phasesBar(phases [numPhases]float32) []phase {
	total := float32(0)
	for _, p := range phases {
		total += p
	}
	var all []phase
	x := 0.0
	for i, p := range phases {
		if p <= 0 {
			continue
		}
		width := float64(p/total) * phasesWidth
		all = append(all, phase{checks.PhaseNames[i], round(x), round(width), took(float64(p))})
		x += width
	}
	return all
}

func round(x float64) float64 { return float64(int(x*10+0.5)) / 10 }
