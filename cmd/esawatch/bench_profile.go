package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent"
)

// newBenchAgent is the command run, profiled for a while.
func newBenchAgent() *cobra.Command {
	var (
		dir              string
		warmUp, duration time.Duration
	)
	cmd := &cobra.Command{
		Use: "agent", Hidden: true, Args: cobra.NoArgs,
		Short: "Run the daemon, and write profiles of it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return failed(err)
			}
			load, err := newConfigLoader(cmd)
			if err != nil {
				return err
			}
			var profiled error
			saveMemory(true)
			level := &slog.LevelVar{}
			err = runAgent(cmd, newLogger(cmd.ErrOrStderr(), "json", level), level,
				agent.Options{Load: load.Load},
				func(ctx context.Context, _ *agent.Agent) func() {
					stopDropping := aside(ctx, func(ctx context.Context) { keepPagesFew(ctx, dropAfter) })
					stopProfile := aside(ctx, func(ctx context.Context) { profiled = profile(ctx, dir, warmUp, duration) })
					return func() { stopProfile(); stopDropping() }
				})
			if err == nil && profiled != nil {
				err = failed(profiled)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "profile", ".", "")
	cmd.Flags().DurationVar(&warmUp, "warm-up", 0, "")
	cmd.Flags().DurationVar(&duration, "duration", 0, "")
	return cmd
}

// profile writes where this process spends its time for a while from now, and
// then what it holds in memory.
func profile(ctx context.Context, dir string, warmUp, duration time.Duration) (err error) {
	if sleep(ctx, warmUp) != nil {
		return nil // it ended before there was anything to see
	}
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cpu.Close()) }()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return fmt.Errorf("profile CPU: %w", err)
	}
	ended := sleep(ctx, duration)
	pprof.StopCPUProfile()
	if ended != nil {
		return nil
	}
	heap, err := os.Create(filepath.Join(dir, "heap.pprof"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heap.Close()) }()
	runtime.GC() // what is to be seen is what stays
	if err := pprof.WriteHeapProfile(heap); err != nil {
		return fmt.Errorf("profile memory: %w", err)
	}
	return nil
}
