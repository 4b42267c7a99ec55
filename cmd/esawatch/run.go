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
			return runAgent(cmd, log, level, func() (*config.Config, error) { return loadConfig(cmd) }, reloadOnHangup)
		},
	}
}

// runAgent runs an agent until the command's context is done. beside is started
// once everything is open, before the first check; what it returns ends it.
func runAgent(cmd *cobra.Command, log *slog.Logger, level *slog.LevelVar,
	load func() (*config.Config, error), beside func(context.Context, *agent.Agent) (stop func())) error {
	version, commit := buildVersion()
	out := cmd.OutOrStdout()
	a, err := agent.New(cmd.Context(), agent.Options{
		Load: load, Version: version, Commit: commit, Log: log, Level: level,
		Console: out, Color: colorful(out), Width: terminalWidth(out),
	})
	switch {
	case err == nil:
	case cmd.Context().Err() != nil:
		return nil // stopped before it had begun
	case isConfigError(err):
		return configError(err)
	default:
		return failed(err)
	}
	defer beside(cmd.Context(), a)()
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
