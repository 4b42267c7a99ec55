package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/esawatch/esawatch/agent/outbox"
)

const (
	heartbeatEvery   = time.Minute
	heartbeatFirst   = 5 * time.Second // after the start, when the scheduler's clock ticks
	heartbeatTimeout = 10 * time.Second
	// owedPatience is how long a receiver may go untold, in vain, before notices
	// count as not going out.
	owedPatience = 5 * time.Minute
)

// heartbeat asks agent.heartbeat_url each minute while checks run and notices
// go out: a dead man's switch, whose keeper alerts when it is not asked.
type heartbeat struct {
	url    func() string // "" = none
	well   func() error
	log    *slog.Logger
	client http.Client
	first  time.Duration

	failure string // of the last beat; "" when it was heard
}

func (a *Agent) newHeartbeat() *heartbeat {
	return &heartbeat{
		url:    func() string { return a.current().Config.Agent.HeartbeatURL },
		well:   a.deliversAndRuns,
		log:    a.log,
		client: http.Client{Timeout: heartbeatTimeout},
		first:  heartbeatFirst,
	}
}

// deliversAndRuns tells whether checks run and what is owed goes out.
func (a *Agent) deliversAndRuns() error {
	if err := a.Healthy(); err != nil {
		return err
	}
	if a.Status().Checks == 0 {
		return errors.New("no check is configured")
	}
	return delivers(a.health(), time.Now())
}

// delivers tells whether what is owed to receivers goes out.
func delivers(receivers []outbox.Health, now time.Time) error {
	for _, h := range receivers {
		if h.Failures > 0 && !h.Oldest.IsZero() && now.Sub(h.Oldest) > owedPatience {
			return fmt.Errorf("receiver %q was not told for more than %v", h.Receiver, owedPatience)
		}
	}
	return nil
}

// run beats until ctx is done.
func (h *heartbeat) run(ctx context.Context) error {
	defer h.client.CloseIdleConnections()
	timer := time.NewTimer(h.first)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(heartbeatEvery)
		url := h.url()
		if url == "" {
			continue
		}
		if err := h.beat(ctx, url); ctx.Err() == nil {
			h.say(err)
		}
	}
}

// say logs what keeps heartbeats from being heard, once, and its end.
func (h *heartbeat) say(err error) {
	was := h.failure
	h.failure = ""
	if err != nil {
		h.failure = err.Error()
	}
	switch {
	case h.failure == was:
	case err != nil:
		h.log.Warn("no heartbeat", "err", err)
	default:
		h.log.Info("heartbeat heard again")
	}
}

// beat asks url once. Its address may be a secret, as with healthchecks.io, and
// is in no error.
func (h *heartbeat) beat(ctx context.Context, url string) error {
	if err := h.well(); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return errors.New("agent.heartbeat_url cannot be asked")
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("agent.heartbeat_url: %w", errors.Unwrap(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be kept
	if resp.StatusCode >= 300 {
		return fmt.Errorf("agent.heartbeat_url: answered %d", resp.StatusCode)
	}
	return nil
}
