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
	var profiling string
	var noSites bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: checks, alerts, metrics",
		Long: `Run the daemon. A change of its configuration files, SIGHUP or POST /-/reload
reads the configuration again; SIGTERM or SIGINT stops it cleanly within
agent.shutdown_timeout, a second one at once.

Under systemd it tells when it is ready and how it is, and keeps the watchdog.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			load, err := newConfigLoader(cmd)
			if err != nil {
				return err
			}
			load.noSites = noSites
			cfg, err := load.Load()
			if err != nil {
				return err
			}
			level := &slog.LevelVar{}
			log := newLogger(cmd.ErrOrStderr(), cfg.Log.Format, level)
			if len(cfg.Sites) == 0 {
				log.Warn("there is nothing to watch yet: the configuration has no sites", "path", cfg.Files[len(cfg.Files)-1])
			}
			saveMemory(profiling != "")
			stopProfiles, err := serveProfiles(cmd.Context(), profiling, log)
			if err != nil {
				return err
			}
			defer stopProfiles()
			manager := newManager(log)
			return runAgent(cmd, log, level, agent.Options{Load: load.Load, Inputs: load.Inputs, Reloading: manager.reloading},
				func(ctx context.Context, a *agent.Agent) (stop func()) {
					stopReloads, stopTelling := reloadOnHangup(ctx, a), manager.tell(ctx, a)
					stopDropping := aside(ctx, func(ctx context.Context) { keepPagesFew(ctx, dropAfter) })
					return func() { stopReloads(); stopTelling(); stopDropping() }
				})
		},
	}
	cmd.Flags().StringVar(&profiling, "pprof", "", "HOST:PORT of this machine where Go's profiles are served; none if empty")
	cmd.Flags().BoolVar(&noSites, "allow-no-sites", false, "start with no sites, and wait for the first to be configured")
	return cmd
}

// configLoader loads the configuration of the command line again and again, and
// knows which files it has looked at.
type configLoader struct {
	paths   []string // none: the first Load settles which of the default ones it is
	noSites bool     // it may begin with no sites; once there were some, none is a mistake
	inputs  []config.Input
}

func newConfigLoader(cmd *cobra.Command) (*configLoader, error) {
	paths, err := cmd.Flags().GetStringArray("config")
	return &configLoader{paths: paths}, err
}

// Load reads the configuration. What was read at the start is read again, and
// nothing else: a file that is missing for a moment, as in a deployment, must not
// make the agent watch the sites of another one.
func (l *configLoader) Load() (*config.Config, error) {
	l.inputs = nil
	cfg, err := loadPaths(l.paths, config.Options{
		AllowNoSites: l.noSites,
		Seen:         func(in config.Input) { l.inputs = append(l.inputs, in) },
	})
	if err != nil {
		return nil, err
	}
	l.paths = cfg.Paths
	l.noSites = l.noSites && len(cfg.Sites) == 0
	return cfg, nil
}

// Inputs are the files that the last Load looked at.
func (l *configLoader) Inputs() []config.Input { return l.inputs }

// runAgent runs an agent until the command's context is done. beside is started
// once everything is open, before the first check; what it returns ends it. opts
// say how to load the configuration; the rest of them follows from the command.
func runAgent(cmd *cobra.Command, log *slog.Logger, level *slog.LevelVar, opts agent.Options,
	beside func(context.Context, *agent.Agent) (stop func())) error {
	opts.Version, opts.Commit = buildVersion()
	opts.Log, opts.Level = log, level
	out := cmd.OutOrStdout()
	opts.Console, opts.Color, opts.Width = out, colorful(out), terminalWidth(out)
	a, err := agent.New(cmd.Context(), opts)
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

// aside runs f until it is stopped, which waits for its end.
func aside(ctx context.Context, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// reloadOnHangup reloads the configuration at each SIGHUP until it is stopped.
func reloadOnHangup(ctx context.Context, a *agent.Agent) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	end := aside(ctx, func(ctx context.Context) {
		for {
			select {
			case <-hangup:
				_ = a.Reload() // it has logged what is wrong
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(hangup)
		end()
	}
}
