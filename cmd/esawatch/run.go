package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent"
	"github.com/esawatch/esawatch/agent/config"
)

func newRun() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: checks, alerts, metrics",
		Long: `Run the daemon. SIGHUP or POST /-/reload reads the configuration again; SIGTERM
or SIGINT stops it cleanly within agent.shutdown_timeout, a second one at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			level := &slog.LevelVar{}
			log := newLogger(cmd.ErrOrStderr(), cfg.Log.Format, level)
			return runAgent(cmd, log, level, func() (*config.Config, error) { return loadConfig(cmd) }, nil)
		},
	}
}

// runAgent runs an agent until the command's context is done. ready is called
// once everything is open, before the first check.
func runAgent(cmd *cobra.Command, log *slog.Logger, level *slog.LevelVar,
	load func() (*config.Config, error), ready func(*agent.Agent)) error {
	version, commit := buildVersion()
	out := cmd.OutOrStdout()
	a, err := agent.New(cmd.Context(), agent.Options{
		Load: load, Version: version, Commit: commit, Log: log, Level: level,
		Console: out, Color: colorful(out), Width: terminalWidth(out),
	})
	if err != nil {
		if isConfigError(err) {
			return configError(err)
		}
		return failed(err)
	}
	stop := reloadOnHangup(cmd.Context(), a)
	defer stop()
	if ready != nil {
		ready(a)
	}
	if err := a.Run(cmd.Context()); err != nil {
		return failed(err)
	}
	return nil
}

// reloadOnHangup reloads the configuration at each SIGHUP until it is stopped.
func reloadOnHangup(ctx context.Context, a *agent.Agent) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-hangup:
				_ = a.Reload() // it has logged what is wrong
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-done
	}
}
