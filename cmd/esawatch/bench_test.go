package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestBench runs the whole of it, small.
func TestBench(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("bench is for Linux")
	}
	t.Parallel()
	profiles := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "esawatch", "bench", "--output", "json",
		"--checks", "25", "--interval", "1s", "--duration", "2s", "--profile", profiles)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("bench: %v\n%s", err, stderr.Bytes())
	}
	var r benchReport
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("bench printed %q: %v", stdout.Bytes(), err)
	}
	a := r.Agent
	for what, ok := range map[string]bool{
		"the agent asks 25 times a second":     a.Done >= 35 && a.Done <= 65 && a.Runs >= 60,
		"all checks pass, in time":             a.Failed == 0 && a.Missed == 0,
		"the loop asks as often":               r.Loop.First.Done >= 15 && r.Loop.First.Done <= 35 && r.Loop.Second.Done > 0,
		"CPU time is measured":                 a.CPUSeconds > 0 && r.Loop.PerThousand > 0 && r.CPURatio > 0,
		"memory is measured":                   a.RSSOneCheck > 1<<20 && a.RSSIdle > 1<<20 && a.RSSPeak >= a.RSSLoad && a.RSSScraped > 1<<20 && a.RSSProgram > 1<<20 && a.RSSProgram < a.RSSLoad && a.OwnOneCheck > 1<<20 && a.OwnOneCheck < a.RSSOneCheck,
		"delays are measured":                  a.DelayP50Seconds > 0 && a.DelayP99Seconds >= a.DelayP50Seconds && a.StartUpP99Seconds > 0 && r.Loop.First.DelayP50Seconds > 0 && r.Loop.Second.DelayP99Seconds >= r.Loop.Second.DelayP50Seconds,
		"the scrape is measured":               a.ScrapeSeconds > 0 && a.ScrapeBytes > 10_000 && a.GzipScrapeSeconds > 0 && a.GzipScrapeBytes > 100 && a.GzipScrapeBytes < a.ScrapeBytes,
		"handshakes are full, with the hybrid": r.Target.Abridged == 0 && r.Target.Hybrid == r.Target.Requests,
		"each request has its own connection":  r.Target.Handshake >= r.Target.Requests,
		"HTTP/2 is spoken":                     r.Target.HTTP2 == r.Target.Requests,
	} {
		if !ok {
			t.Errorf("not so: %s\n%s", what, stdout.Bytes())
		}
	}
	for _, name := range []string{"cpu.pprof", "heap.pprof"} {
		if info, err := os.Stat(filepath.Join(profiles, name)); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v, %v", name, info, err)
		}
	}
}

// TestSoak runs the whole of it, for seconds.
func TestSoak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("bench is for Linux")
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "esawatch", "bench", "--soak", "4s", "--checks", "5", "--interval", "1s", "--output", "json")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("bench: %v\n%s", err, stderr.Bytes())
	}
	var r soakReport
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("bench printed %q: %v", stdout.Bytes(), err)
	}
	if len(r.Samples) != 4 {
		t.Fatalf("%d samples, want one a second\n%s", len(r.Samples), stdout.Bytes())
	}
	last := r.Samples[3]
	for what, ok := range map[string]bool{
		"the agent asks":           last.Runs > 10 && last.Missed == 0 && last.Failed == 0 && last.CPUSeconds > 0,
		"what it holds is seen":    last.RSS > 1<<20 && last.Goroutines > 5 && last.Files > 5 && last.State > 1000,
		"a quarter is one of four": r.First == r.Samples[0].soakHeld && r.Last == last.soakHeld,
	} {
		if !ok {
			t.Errorf("not so: %s\n%s", what, stdout.Bytes())
		}
	}
	var text strings.Builder
	if err := r.writeText(&text); err != nil || !strings.Contains(text.String(), "last quarter") || strings.Count(text.String(), "\n") != 9 {
		t.Errorf("as text: %v\n%s", err, text.String())
	}
}

func TestBenchRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--checks 0":            "--checks 0, want 1 to 1000000",
		"--interval 10ms":       "--interval 10ms, want at least 1s",
		"--duration 0s":         "--duration 0s, want at least 1s",
		"--soak 10ms":           "--soak 10ms, want at least 1s",
		"--soak 9s --profile p": "--soak writes no --profile",
		"--http-version 3":      `--http-version: got "3", want one of: auto, 1.1, 2`,
		"--output yaml":         `--output: got "yaml", want one of: text, json`,
		"--checks 5 surplus":    "unknown command",
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"bench"}, strings.Fields(args)...), &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
			t.Errorf("bench %s: exit code %d, said %q, want %d and %q", args, code, stderr.String(), exitUsage, want)
		}
	}
}

func TestParseCPUTime(t *testing.T) {
	stat := "77 (a) b (c) S 1 77 77 0 -1 4194304 900 0 0 0 123 45 0 0 20 0 9 0 100 1 2"
	if got, err := parseCPUTime(stat); err != nil || got != 1680*time.Millisecond {
		t.Errorf("got %v, %v, want 1.68s", got, err)
	}
	for _, bad := range []string{"", "77 (a) S 1", strings.Replace(stat, "123", "x", 1)} {
		if got, err := parseCPUTime(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestParseMemory(t *testing.T) {
	status := "Name:\tVmRSS:\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nRssAnon:\t    9216 kB\nRssFile:\t    1024 kB\nThreads:\t9\n"
	if got, err := parseMemory(status); err != nil || got != (memory{now: 10 << 20, peak: 20 << 20, file: 1 << 20}) {
		t.Errorf("got %+v, %v, want 10, 20 and 1 MiB", got, err)
	}
	for _, bad := range []string{"", "VmRSS: 1 kB", strings.Replace(status, "RssFile", "RssNone", 1), strings.Replace(status, "10240", "x", 1), strings.Replace(status, "kB", "MB", 2)} {
		if got, err := parseMemory(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, got)
		}
	}
}

func TestReadBenchMetrics(t *testing.T) {
	text := `# HELP esawatch_check_runs_total Runs.
esawatch_check_runs_total{site="a",check="b",location="l",outcome="pass"} 90
esawatch_check_runs_total{site="a",check="c",location="l",outcome="pass"} 1e+06
esawatch_check_runs_total{site="a",check="b",location="l",outcome="fail"} 7
esawatch_schedule_missed_total{reason="clock"} 2
esawatch_schedule_missed_total{reason="overlap"} 3
esawatch_schedule_delay_seconds_bucket{le="0.001"} 50
esawatch_schedule_delay_seconds_bucket{le="0.002"} 90
esawatch_schedule_delay_seconds_bucket{le="0.01"} 100
esawatch_schedule_delay_seconds_bucket{le="+Inf"} 100
esawatch_schedule_delay_seconds_sum 1
`
	m, err := readBenchMetrics(strings.NewReader(text))
	if err != nil || m.runs != 1_000_097 || m.passed != 1_000_090 || m.missed != 5 {
		t.Errorf("got %+v, %v", m, err)
	}
	for q, want := range map[float64]float64{0: 0, 0.25: 0.0005, 0.5: 0.001, 0.7: 0.0015, 0.95: 0.006, 1: 0.01} {
		if got := m.delay.quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
	later := m.delay.since(histogram{{0.001, 40}, {0.002, 40}, {0.01, 40}, {math.Inf(1), 40}})
	if got := later.quantile(0.5); math.Abs(got-0.0015) > 1e-9 || m.delay[0].count != 50 {
		t.Errorf("the median since there were 40: got %v, want 0.0015; before: %v", got, m.delay)
	}
	for _, bad := range []string{text + "esawatch_schedule_missed_total{} x",
		text + `esawatch_schedule_delay_seconds_bucket{le="x"} 100`} {
		if m, err := readBenchMetrics(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, m)
		}
	}
}

// An agent that has run nothing has not been measured.
func TestBenchOfNothing(t *testing.T) {
	for _, text := range []string{"", `esawatch_check_runs_total{outcome="pass"} 0`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
		p := &agentProcess{base: server.URL}
		if err := p.count(t.Context(), &benchAgent{}); err == nil || !strings.Contains(err.Error(), "lacks") {
			t.Errorf("%q: got %v, want an error", text, err)
		}
		if err := p.delays(t.Context(), benchMetrics{}, &benchAgent{}); err == nil || !strings.Contains(err.Error(), "lacks") {
			t.Errorf("%q: got %v, want an error", text, err)
		}
		server.Close()
	}
}

// TestBenchDelays holds that what was late before the measurement does not count.
func TestBenchDelays(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `esawatch_schedule_delay_seconds_bucket{le="0.001"} 100
esawatch_schedule_delay_seconds_bucket{le="1"} 150
esawatch_schedule_delay_seconds_bucket{le="+Inf"} 150
`)
	}))
	defer server.Close()
	p := &agentProcess{base: server.URL}
	earlier := benchMetrics{delay: histogram{{0.001, 0}, {1, 50}, {math.Inf(1), 50}}}
	var a benchAgent
	if err := p.delays(t.Context(), earlier, &a); err != nil || a.DelayP99Seconds > 0.001 || a.DelayP50Seconds == 0 {
		t.Errorf("p50 %v, p99 %v, %v; want at most 1 ms", a.DelayP50Seconds, a.DelayP99Seconds, err)
	}
	if got := earlier.delay.since(earlier.delay).quantile(0.99); got != 0 {
		t.Errorf("the quantile of nothing is %v", got)
	}
}

func TestQuantileBeyondTheLastBound(t *testing.T) {
	h := histogram{{0.001, 10}, {0.01, 20}, {math.Inf(1), 100}}
	if got := h.quantile(0.99); got != 0.01 {
		t.Errorf("got %v, want the last finite bound", got)
	}
	if got := (histogram{}).quantile(0.5); got != 0 {
		t.Errorf("got %v of nothing", got)
	}
	if got := (histogram{{0.001, 0}, {math.Inf(1), 0}}).quantile(0.5); got != 0.001 && got != 0 && !math.IsInf(got, 1) {
		t.Errorf("got %v of no observations", got)
	}
}
