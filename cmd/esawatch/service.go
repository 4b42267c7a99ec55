package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
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
			var wg sync.WaitGroup
			// Apart, for the state has to wait while a reload is under way, and
			// a beat must not.
			wg.Go(func() { m.beat(ctx, a, watchdog/2) })
			m.tellStatus(ctx, a)
			wg.Wait()
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

// tellStatus tells of the agent's state when it changes.
func (m *manager) tellStatus(ctx context.Context, a *agent.Agent) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for told := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := statusOf(a); now != told {
			m.send("STATUS=" + now)
			told = now
		}
	}
}

// beat tells the watchdog again and again that the agent does its work, as long
// as it does. every 0 is for no watchdog.
func (m *manager) beat(ctx context.Context, a *agent.Agent, every time.Duration) {
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.Healthy(); err != nil {
			m.log.Error("the watchdog is not told that we live", "err", err)
			continue
		}
		m.send(sd.SdNotifyWatchdog)
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
