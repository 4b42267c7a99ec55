package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"time"
)

// soakSamples is how many samples a soak takes: one a minute in an hour.
const soakSamples = 60

// soakReport is what bench --soak prints: whether anything grows.
type soakReport struct {
	Checks          int     `json:"checks"`
	IntervalSeconds float64 `json:"interval_seconds"`
	DurationSeconds float64 `json:"duration_seconds"`
	CPUs            int     `json:"cpus"`
	GoVersion       string  `json:"go_version"`
	Version         string  `json:"version"`

	Samples []soakSample `json:"samples"`
	// The means of the first and of the last quarter of the samples.
	First soakHeld `json:"first_quarter"`
	Last  soakHeld `json:"last_quarter"`
}

// soakSample is an agent at one moment.
type soakSample struct {
	AfterSeconds float64 `json:"after_seconds"`
	soakHeld
	Runs       int64   `json:"runs"` // since the start, as are the others
	Missed     int64   `json:"missed"`
	Failed     int64   `json:"failed"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

// soakHeld is what an agent holds, and should not hold more of with time.
type soakHeld struct {
	RSS        int64 `json:"rss_bytes"`
	Goroutines int64 `json:"goroutines"`
	Files      int64 `json:"open_files"`
	State      int64 `json:"state_bytes"` // of the files in its data_dir
}

// soak lets an agent work and looks at it now and then. seen is told each sample
// as it is taken.
func soak(ctx context.Context, o benchOptions, seen func(soakSample)) (*soakReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	target, err := startBenchTarget(ctx, o)
	if err != nil {
		return nil, err
	}
	defer target.end()
	agent, err := startBenchAgent(ctx, o, target, o.checks, o.interval)
	if err != nil {
		return nil, err
	}
	r := &soakReport{Checks: o.checks, IntervalSeconds: o.interval.Seconds(), DurationSeconds: o.soak.Seconds(),
		CPUs: runtime.NumCPU(), GoVersion: runtime.Version()}
	r.Version, _ = buildVersion()
	began := time.Now()
	every := max(o.soak/soakSamples, time.Second)
	for at := every; at <= o.soak; at += every {
		if err := sleep(ctx, time.Until(began.Add(at))); err != nil {
			agent.end()
			return nil, err
		}
		sample, err := agent.sample(ctx, filepath.Join(o.dir, "data"))
		if err != nil {
			return nil, agent.broke("measure agent", err)
		}
		sample.AfterSeconds = at.Seconds()
		r.Samples = append(r.Samples, sample)
		seen(sample)
	}
	agent.end()
	quarter := max(len(r.Samples)/4, 1)
	r.First, r.Last = soakMean(r.Samples[:quarter]), soakMean(r.Samples[len(r.Samples)-quarter:])
	return r, nil
}

// sample looks at the agent.
func (p *agentProcess) sample(ctx context.Context, dataDir string) (s soakSample, err error) {
	m, err := p.memory()
	if err != nil {
		return s, err
	}
	s.RSS = m.now
	cpu, err := cpuTime(fmt.Sprint(p.cmd.Process.Pid))
	if err != nil {
		return s, err
	}
	s.CPUSeconds = cpu.Seconds()
	if s.State, err = sizeOf(dataDir); err != nil {
		return s, err
	}
	var found benchMetrics
	_, err = get(ctx, p.base+"/metrics", func(r io.Reader) (err error) {
		found, err = readBenchMetrics(r)
		return err
	})
	s.Goroutines, s.Files = found.goroutines, found.files
	s.Runs, s.Missed, s.Failed = found.runs, found.missed, found.runs-found.passed
	return s, err
}

// sizeOf is how many bytes the files of a folder have.
func sizeOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

func soakMean(samples []soakSample) (mean soakHeld) {
	for _, s := range samples {
		mean.RSS += s.RSS
		mean.Goroutines += s.Goroutines
		mean.Files += s.Files
		mean.State += s.State
	}
	n := int64(len(samples))
	return soakHeld{mean.RSS / n, mean.Goroutines / n, mean.Files / n, mean.State / n}
}

func (r *soakReport) writeText(out io.Writer) error {
	p := newPrinter(out)
	p.line("%d checks every %g s for %v on %d CPUs, esawatch %s, %s", r.Checks, r.IntervalSeconds,
		time.Duration(r.DurationSeconds*float64(time.Second)), r.CPUs, r.Version, r.GoVersion)
	p.blank()
	p.line("  %-13s %10s %10s %6s %10s %9s %7s %7s %9s", "after", "RSS", "goroutines", "files", "state", "runs", "missed", "failed", "CPU")
	for _, s := range r.Samples {
		p.line("  %-13v %s %9d %7d %7d %8.1fs", time.Duration(s.AfterSeconds*float64(time.Second)).Round(time.Second),
			s.soakHeld, s.Runs, s.Missed, s.Failed, s.CPUSeconds)
	}
	p.line("  %-13s %s", "first quarter", r.First)
	p.line("  %-13s %s", "last quarter", r.Last)
	return p.err
}

// String is the columns of a row.
func (h soakHeld) String() string {
	return fmt.Sprintf("%10s %10d %6d %10s", mebibytes(h.RSS), h.Goroutines, h.Files, mebibytes(h.State))
}
