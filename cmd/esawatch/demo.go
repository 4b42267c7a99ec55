package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent"
	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks/edgetest"
)

// demoConfig is what the demo runs with: the real agent with short times, so
// that a newcomer sees a whole incident within half a minute.
const demoConfig = `agent: {location: demo, data_dir: %q}
web: {listen: %q}
log: {level: warn}
defaults:
  schedule: 2s
  timeout: 2s
  confirm: {failures: 2, interval: 500ms}
  resolve_after: 2
alerting: {group_wait: 1s, group_interval: 5s, flapping: {changes: 0}}
sites:
  - name: shop
    url: %q
    origin: {address: %q}
    checks:
      - {name: home, path: /}
      - {name: login, path: /login, expect: {max_duration: 1s}}
receivers:
  - {name: screen, console: {}}
`

func newDemo() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything on this machine: a simulated ESA edge that breaks in turn, the agent, its alerts",
		Long: `Show everything on this machine, with no account and no network: a simulated ESA
edge whose faults come and go, the real agent, and a receiver that prints.
Nothing is left behind. Ctrl-C ends it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A closed terminal or pipe ends the demo, not the program in the
			// middle of it: what it has made is taken away first.
			signal.Ignore(syscall.SIGPIPE)
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			dir, err := os.MkdirTemp("", "esawatch-demo-")
			if err != nil {
				return failed(err)
			}
			defer func() { _ = os.RemoveAll(dir) }() // what is left in the temporary folder harms nobody
			edge, err := edgetest.New(edgetest.Options{})
			if err != nil {
				return failed(err)
			}
			defer edge.Close()
			cmd.SetContext(ctx)
			return playDemo(cmd, dir, listen, edge)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9522", "HOST:PORT of the agent; a free port if it is in use")
	return cmd
}

// playDemo runs the agent on one side and the faults on the other.
func playDemo(cmd *cobra.Command, dir, listen string, edge *edgetest.Edge) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	cmd.SetContext(ctx)
	load, err := writeDemoConfig(dir, freeAddress(ctx, listen), edge)
	if err != nil {
		return failed(err)
	}
	level := &slog.LevelVar{}
	log := newLogger(cmd.ErrOrStderr(), "text", level)
	p := newPrinter(cmd.OutOrStdout())
	var played error
	err = runAgent(cmd, log, level, agent.Options{Load: load}, func(_ context.Context, a *agent.Agent) func() {
		p.line("esawatch demo: the site \"shop\" behind a simulated ESA edge at %s, which breaks in turn.", edge.URL())
		p.line("The status page is at http://%s/", a.Addr())
		p.line("Metrics are at http://%s/metrics. Ctrl-C ends it.", a.Addr())
		p.blank()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer cancel()
			played = playFaults(ctx, edge, p)
		}()
		return func() { cancel(); <-done }
	})
	if err == nil && played != nil {
		err = failed(played)
	}
	return err
}

// writeDemoConfig writes the demo's configuration and returns how to load it,
// which the environment has no part in.
func writeDemoConfig(dir, listen string, edge *edgetest.Edge) (func() (*config.Config, error), error) {
	file := filepath.Join(dir, "config.yaml")
	data := strings.ReplaceAll(filepath.Join(dir, "data"), "$", "$$")
	text := fmt.Sprintf(demoConfig, data, listen, edge.URL(), edge.Origin().Addr())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return func() (*config.Config, error) {
		return config.Load([]string{file}, config.Options{Environ: []string{}})
	}, nil
}

// playFaults breaks the edge in turn, over and over, and says what it does. It
// ends with ctx, or when nobody reads what it says.
func playFaults(ctx context.Context, edge *edgetest.Edge, p *printer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := time.Now()
	for p.err == nil {
		err := edgetest.Tour(6*time.Second, 12*time.Second).Run(ctx, edge, func(step edgetest.Step) {
			p.line("%s", p.paint("36", fmt.Sprintf("── demo, %2.0f s: %s", time.Since(started).Seconds(), step.Name)))
			if p.err != nil {
				cancel()
			}
		})
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
