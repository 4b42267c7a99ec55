package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// benchReport is what bench prints.
type benchReport struct {
	Checks          int     `json:"checks"`
	IntervalSeconds float64 `json:"interval_seconds"`
	DurationSeconds float64 `json:"duration_seconds"`
	CPUs            int     `json:"cpus"`
	GoVersion       string  `json:"go_version"`
	Version         string  `json:"version"`

	Agent benchAgent `json:"agent"`
	Loop  struct {
		PerThousand float64   `json:"cpu_seconds_per_1000"`
		First       benchLoop `json:"before_agent"`
		Second      benchLoop `json:"after_agent"`
	} `json:"loop"`
	// CPURatio is the agent's CPU time a check by that of the loop.
	CPURatio float64   `json:"cpu_ratio"`
	Target   benchSeen `json:"target"`
}

// compare fills in what follows from what was measured.
func (r *benchReport) compare() {
	a, l := &r.Agent, &r.Loop
	a.PerThousand = 1000 * a.CPUSeconds / float64(a.Done)
	a.MemoryPerCheck = (a.RSSLoad - a.RSSProgram - a.OwnOneCheck) / int64(r.Checks)
	l.PerThousand = (l.First.perThousand() + l.Second.perThousand()) / 2
	if l.PerThousand > 0 {
		r.CPURatio = a.PerThousand / l.PerThousand
	}
}

func (r *benchReport) writeText(out io.Writer) error {
	a, l := &r.Agent, &r.Loop
	p := newPrinter(out)
	row := func(label, format string, args ...any) {
		p.line("  %-22s %s", label, fmt.Sprintf(format, args...))
	}
	p.line("%d checks every %g s, measured for %g s on %d CPUs, esawatch %s, %s",
		r.Checks, r.IntervalSeconds, r.DurationSeconds, r.CPUs, r.Version, r.GoVersion)
	p.line("target: %s", r.Target)
	p.blank()
	row("checks", "%d run, %d missed, %d failed, since its start; %d answered while it was measured",
		a.Runs, a.Missed, a.Failed, a.Done)
	row("CPU per 1,000 checks", "%.3f s; bare loop %.3f s (%.3f before, %.3f after); ratio %.2f",
		a.PerThousand, l.PerThousand, l.First.perThousand(), l.Second.perThousand(), r.CPURatio)
	if failed := l.First.Failed + l.Second.Failed; failed > 0 {
		row("", "%d of the loop's %d requests failed: this machine is too slow for so many", failed, l.First.Done+l.Second.Done)
	}
	row("memory (RSS)", "%s at rest, %s at work, %s of it the program itself; peak %s, after scrapes %s",
		mebibytes(a.RSSIdle), mebibytes(a.RSSLoad), mebibytes(a.RSSProgram), mebibytes(a.RSSPeak), mebibytes(a.RSSScraped))
	row("memory a check", "%.1f KiB at work; an agent with one check has %s, %s of it the program itself",
		float64(a.MemoryPerCheck)/1024, mebibytes(a.RSSOneCheck), mebibytes(a.RSSOneCheck-a.OwnOneCheck))
	starting := ""
	if a.StartUpP99Seconds > 0 { // else nothing ran so early
		starting = fmt.Sprintf(", %s in the first %g s", milliseconds(a.StartUpP99Seconds), startUp.Seconds())
	}
	row("start delay", "p50 %s, p99 %s%s; bare loop p99 %s before, %s after", milliseconds(a.DelayP50Seconds),
		milliseconds(a.DelayP99Seconds), starting, milliseconds(l.First.DelayP99Seconds), milliseconds(l.Second.DelayP99Seconds))
	row("/metrics", "%s, %s; with gzip, as Prometheus asks, %s, %s",
		milliseconds(a.ScrapeSeconds), mebibytes(a.ScrapeBytes), milliseconds(a.GzipScrapeSeconds), mebibytes(a.GzipScrapeBytes))
	row("start", "%s until it watches", milliseconds(a.ReadySeconds))
	if a.ReloadSeconds > 0 {
		row("reload", "%s", milliseconds(a.ReloadSeconds))
	}
	return p.err
}

// String says what the target saw of both clients.
func (s benchSeen) String() string {
	share := func(n int64) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(max(s.Requests, 1))) }
	return fmt.Sprintf("%d requests over %d connections, %s HTTP/2, %s X25519MLKEM768, %d resumed",
		s.Requests, s.Handshake, share(s.HTTP2), share(s.Hybrid), s.Abridged)
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func milliseconds(seconds float64) string { return fmt.Sprintf("%.2f ms", seconds*1000) }

// histogram is a Prometheus histogram's buckets in their order.
type histogram []bucket

// bucket is how many observations were at most le.
type bucket struct {
	le    float64
	count int64
}

// add takes in a bucket from its labels; there is no label but le.
func (h *histogram) add(labels string, n int64, err *error) {
	text := strings.TrimSuffix(strings.TrimPrefix(labels, `le="`), `"`)
	le, e := strconv.ParseFloat(text, 64)
	if e != nil && *err == nil {
		*err = e
	}
	*h = append(*h, bucket{le, n})
}

// since is what was observed after an earlier look at the same histogram.
func (h histogram) since(earlier histogram) histogram {
	after := slices.Clone(h)
	for i := range min(len(after), len(earlier)) {
		after[i].count -= earlier[i].count
	}
	return after
}

// quantile is the value below which a share q of the observations lie, taking
// them as evenly spread within a bucket; the last finite bound if it is beyond.
func (h histogram) quantile(q float64) float64 {
	if len(h) == 0 || h[len(h)-1].count == 0 {
		return 0
	}
	rank := q * float64(h[len(h)-1].count)
	var below bucket
	for _, b := range h {
		if float64(b.count) >= rank && b.count > below.count {
			if math.IsInf(b.le, 1) {
				return below.le
			}
			return below.le + (b.le-below.le)*(rank-float64(below.count))/float64(b.count-below.count)
		}
		below = b
	}
	return below.le
}

// counterValue reads a counter's value.
func counterValue(text string, err *error) int64 {
	v, e := strconv.ParseFloat(text, 64)
	if e != nil && *err == nil {
		*err = e
	}
	return int64(v)
}
