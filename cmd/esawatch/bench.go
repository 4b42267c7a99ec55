package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

// benchOptions are what is measured.
type benchOptions struct {
	program     string        // the esawatch that is measured, which also is target and loop
	checks      int           // how many
	interval    time.Duration // between two runs of a check
	duration    time.Duration // of the measurement, after warmUp
	soak        time.Duration // let the agent work for so long, in place of all else; 0 = no
	httpVersion string        // as a check's http_version
	profile     string        // folder for the agent's pprof profiles; "" = none
	dir         string        // for the configuration and the state
	progress    func(string)  // is told what is going on
}

// startUp is how long an agent's start shows in how late its checks start.
const startUp = 3 * time.Second

// warmUp is how long an agent works before it is measured.
func (o *benchOptions) warmUp() time.Duration { return max(o.interval, dropAfter+time.Second) }

func newBench() *cobra.Command {
	o := benchOptions{}
	var output string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what watching N URLs costs on this machine",
		Long: `Measure what watching N URLs costs on this machine: CPU, memory, punctuality and
/metrics of the real agent, beside a bare net/http loop that makes the same
requests. Both open a fresh TLS connection for each, with a full handshake.

Target, agent and loop are processes of their own, one measured at a time: half
of the loop before the agent and half after, so that a machine which gets slower
meanwhile shows. With --soak the agent works for long, and what it holds is looked
at sixty times: whether anything grows. Needs Linux, whose /proc has the figures.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			if err := o.check(); err != nil {
				return err
			}
			err := runBench(cmd, o, output)
			if err != nil && cmd.Context().Err() != nil {
				err = errors.New("interrupted")
			}
			if err != nil {
				return failed(err)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&o.checks, "checks", 1000, "how many checks")
	cmd.Flags().DurationVar(&o.interval, "interval", 10*time.Second, "time between two runs of a check")
	cmd.Flags().DurationVar(&o.duration, "duration", 30*time.Second, "how long to measure, after an interval, and 6 s at least, to warm up")
	cmd.Flags().DurationVar(&o.soak, "soak", 0, "let the agent work for so long, such as 1h, and show what it holds meanwhile; no loop, no --duration")
	cmd.Flags().StringVar(&o.httpVersion, "http-version", "auto", "auto, 1.1 or 2")
	cmd.Flags().StringVar(&o.profile, "profile", "", "write cpu.pprof and heap.pprof of the agent to this folder; its figures are then a little worse")
	cmd.Flags().StringVar(&output, "output", "text", "text or json")
	cmd.AddCommand(newBenchTarget(), newBenchLoop(), newBenchAgent())
	return cmd
}

// check finds what cannot be measured.
func (o *benchOptions) check() error {
	switch {
	case runtime.GOOS != "linux":
		return errors.New("bench needs Linux: CPU time and memory are read from /proc")
	case o.checks < 1 || o.checks > 1_000_000:
		return fmt.Errorf("--checks %d, want 1 to 1000000", o.checks)
	case o.interval < time.Second:
		return fmt.Errorf("--interval %v, want at least 1s", o.interval)
	case o.duration < time.Second:
		return fmt.Errorf("--duration %v, want at least 1s", o.duration)
	case o.soak != 0 && o.soak < time.Second:
		return fmt.Errorf("--soak %v, want at least 1s", o.soak)
	case o.soak != 0 && o.profile != "":
		return errors.New("--soak writes no --profile: leave one of them out")
	}
	return oneOf("http-version", o.httpVersion, "auto", "1.1", "2")
}

// runBench measures in a folder of its own, which goes afterwards.
func runBench(cmd *cobra.Command, o benchOptions, output string) error {
	var err error
	if o.program, err = os.Executable(); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "esawatch-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.dir) }() // what is left in the temporary folder harms nobody
	o.progress = func(string) {}
	if colorful(cmd.ErrOrStderr()) {
		o.progress = func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), "bench:", what) }
	}
	report, err := benchOrSoak(cmd.Context(), o)
	if err != nil {
		return err
	}
	if output == "json" {
		return writeJSON(cmd.OutOrStdout(), report)
	}
	return report.writeText(cmd.OutOrStdout())
}

// textReport can be printed, as text here and by encoding/json.
type textReport interface{ writeText(io.Writer) error }

func benchOrSoak(ctx context.Context, o benchOptions) (textReport, error) {
	if o.soak == 0 {
		return bench(ctx, o)
	}
	return soak(ctx, o, func(s soakSample) { o.progress(s.String()) })
}

// bench makes all measurements, one after the other.
func bench(ctx context.Context, o benchOptions) (*benchReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	target, err := startBenchTarget(ctx, o)
	if err != nil {
		return nil, err
	}
	defer target.end()
	r := &benchReport{Checks: o.checks, IntervalSeconds: o.interval.Seconds(), DurationSeconds: o.duration.Seconds(),
		CPUs: runtime.NumCPU(), GoVersion: runtime.Version()}
	r.Version, _ = buildVersion()

	o.progress("the agent at rest, with one check and with all")
	if err := benchAtRest(ctx, o, target, &r.Agent); err != nil {
		return nil, err
	}
	o.progress("the loop, first half")
	if r.Loop.First, err = runBenchLoop(ctx, o, target); err != nil {
		return nil, err
	}
	o.progress("the agent at work")
	if err := benchAtWork(ctx, o, target, &r.Agent); err != nil {
		return nil, err
	}
	o.progress("the loop, second half")
	if r.Loop.Second, err = runBenchLoop(ctx, o, target); err != nil {
		return nil, err
	}
	if r.Target, err = target.seen(ctx); err != nil {
		return nil, err
	}
	r.compare()
	return r, nil
}
