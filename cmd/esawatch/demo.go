package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

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
alerting: {group_wait: 1s, group_interval: 5s}
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
	listen = freeAddress(ctx, listen)
	file := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(demoConfig, filepath.Join(dir, "data"), listen, edge.URL(), edge.Origin().Addr())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return failed(err)
	}
	level := &slog.LevelVar{}
	log := newLogger(cmd.ErrOrStderr(), "text", level)
	out := cmd.OutOrStdout()
	p := newPrinter(out)

	var g errgroup.Group
	started := time.Now()
	say := func(step edgetest.Step) {
		p.line("%s", p.paint("36", fmt.Sprintf("── demo, %2.0f s: %s", time.Since(started).Seconds(), step.Name)))
	}
	err := runAgent(cmd, log, level, func() (*config.Config, error) { return config.Load([]string{file}, config.Options{}) },
		func(a *agent.Agent) {
			p.line("esawatch demo: the site \"shop\" behind a simulated ESA edge at %s, which breaks in turn.", edge.URL())
			p.line("Metrics are at http://%s/metrics. Ctrl-C ends it.", a.Addr())
			p.blank()
			g.Go(func() error {
				for ctx.Err() == nil {
					if err := edgetest.Tour(6*time.Second, 12*time.Second).Run(ctx, edge, say); err != nil && !errors.Is(err, context.Canceled) {
						cancel()
						return err
					}
				}
				return nil
			})
		})
	cancel()
	if played := g.Wait(); played != nil && err == nil {
		err = failed(played)
	}
	return err
}
