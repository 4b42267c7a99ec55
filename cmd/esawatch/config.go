package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent"
	"github.com/esawatch/esawatch/agent/config"
)

// loadConfig reads the files of --config.
func loadConfig(cmd *cobra.Command, opts config.Options) (*config.Config, error) {
	paths, err := cmd.Flags().GetStringArray("config")
	if err != nil {
		return nil, err
	}
	return loadPaths(paths, opts)
}

// loadPaths reads these files, or the default one where there are none.
func loadPaths(paths []string, opts config.Options) (*config.Config, error) {
	cfg, err := config.Load(paths, opts)
	if err != nil {
		return nil, configError(err)
	}
	return cfg, nil
}

// loadPlan reads the files of --config and makes them ready to run once.
func loadPlan(cmd *cobra.Command) (*agent.Plan, error) {
	cfg, err := loadConfig(cmd, config.Options{})
	if err != nil {
		return nil, err
	}
	opts := buildOptions(cmd)
	opts.Unserved = true
	plan, err := agent.Build(cfg, opts)
	if err != nil {
		return nil, configError(err)
	}
	return plan, nil
}

func buildOptions(cmd *cobra.Command) agent.BuildOptions {
	version, _ := buildVersion()
	out := cmd.OutOrStdout()
	return agent.BuildOptions{Version: version, Console: out, Color: colorful(out), Width: terminalWidth(out),
		Log: newLogger(cmd.ErrOrStderr(), "text", slog.LevelWarn)}
}

// configError puts a configuration's errors under a line that counts them.
func configError(err error) error {
	list, ok := errors.AsType[config.Errors](err)
	if !ok {
		return err
	}
	if len(list) == 1 {
		return fmt.Errorf("the configuration has an error:\n%w", list)
	}
	return fmt.Errorf("the configuration has %d errors:\n%w", len(list), list)
}

// newLogger logs as log.format says.
func newLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		// Base units, as in the metrics; slog would write bare nanoseconds.
		opts.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
			if a.Value.Kind() == slog.KindDuration {
				return slog.Float64(a.Key+"_seconds", a.Value.Duration().Seconds())
			}
			return a
		}
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
