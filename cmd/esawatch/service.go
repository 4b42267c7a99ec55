package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/esawatch/esawatch/agent"
)

const (
	readyEvery  = 20 * time.Millisecond // between two looks at an agent that starts
	statusEvery = 5 * time.Second
)

// manager is the service manager that started us, if one did: systemd, or what
// speaks its protocol. All that it is told is of the moment, so what does not
// reach it is not said twice.
type manager struct {
	log   *slog.Logger
	ready atomic.Bool // it was told that we are
}

func newManager(log *slog.Logger) *manager { return &manager{log: log} }

// send tells the manager, and whether there is one.
func (m *manager) send(lines ...string) bool {
	sent, err := sd.SdNotify(false, strings.Join(lines, "\n"))
	if err != nil {
		m.log.Debug("service manager not told", "err", err)
	}
	return sent || err != nil
}

// reloading tells of a reload, and what it returns of its end.
func (m *manager) reloading() (ended func()) {
	if !m.ready.Load() {
		return func() {} // it waits for our start
	}
	m.send(append([]string{sd.SdNotifyReloading}, monotonic()...)...)
	return func() { m.send(sd.SdNotifyReady) }
}

// tell tells the manager of an agent from its start to the end of ctx: that it
// is ready, what it is at, and, if there is a watchdog, that it lives.
func (m *manager) tell(ctx context.Context, a *agent.Agent) (stop func()) {
	if !m.send("STATUS=starting") {
		return func() {}
	}
	watchdog, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		m.log.Warn("no watchdog", "err", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer m.send(sd.SdNotifyStopping, "STATUS=stopping")
		if m.awaitReady(ctx, a) {
			m.keepTold(ctx, a, watchdog/2)
		}
	}()
	return func() { cancel(); <-done }
}

// awaitReady waits until the agent does its work. An agent that cannot save does
// it too: to start it again would not mend the disk.
func (m *manager) awaitReady(ctx context.Context, a *agent.Agent) bool {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for a.Healthy() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	m.send(sd.SdNotifyReady, "STATUS="+statusOf(a))
	m.ready.Store(true)
	return true
}

// keepTold tells of the agent's state when it changes, and at each beat that the
// agent does its work. beat 0 is none.
func (m *manager) keepTold(ctx context.Context, a *agent.Agent, beat time.Duration) {
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	var beats <-chan time.Time
	if beat > 0 {
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		beats = ticker.C
	}
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-beats:
			if err := a.Healthy(); err != nil {
				m.log.Error("the watchdog is not told that we live", "err", err)
				continue
			}
			m.send(sd.SdNotifyWatchdog)
		case <-status.C:
			if now := statusOf(a); now != told {
				m.send("STATUS=" + now)
				told = now
			}
		}
	}
}

// statusOf is an agent's state in a line, for systemctl status.
func statusOf(a *agent.Agent) string {
	s := a.Status()
	line := fmt.Sprintf("watching %s, %s; %s open", count(s.Sites, "site"), count(s.Checks, "check"), count(s.Incidents, "incident"))
	if s.Sites == 0 {
		line = "waiting for a site to be configured"
	}
	if s.Stale {
		line += "; the configuration has errors, an older one is in force"
	}
	if err := a.Ready(); err != nil {
		line += "; not ready: " + err.Error()
	}
	return strings.ReplaceAll(line, "\n", ", ")
}
