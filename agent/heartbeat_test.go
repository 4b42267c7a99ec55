package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/outbox"
)

func TestHeartbeat(t *testing.T) {
	asked := make(chan struct{}, 10)
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		asked <- struct{}{}
	}))
	defer server.Close()
	var wrong error
	h := &heartbeat{
		url:    func() string { return server.URL + "/secret-path" },
		well:   func() error { return wrong },
		log:    slog.New(slog.DiscardHandler),
		client: http.Client{Timeout: 5 * time.Second},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.run(ctx) }()
	<-asked
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	status = http.StatusNotFound
	if err := h.beat(t.Context(), h.url()); err == nil || err.Error() != "agent.heartbeat_url: answered 404" {
		t.Errorf("error %v, want one that says 404", err)
	}
	<-asked
	wrong = errors.New("the scheduler has stood still")
	if err := h.beat(t.Context(), h.url()); !errors.Is(err, wrong) || len(asked) != 0 {
		t.Errorf("error %v and %d requests, want %v and none", err, len(asked), wrong)
	}
	wrong = nil
	server.Close()
	if err := h.beat(t.Context(), h.url()); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("error %v, want one without the address", err)
	}
}

// asked counts the requests of a heartbeat, which never leave the process.
type asked struct{ n atomic.Int64 }

func (a *asked) RoundTrip(*http.Request) (*http.Response, error) {
	a.n.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// TestHeartbeatStopsWithTheWork lives through an hour in which work stands still
// for a while: nobody is pinged then, and the log says so once.
func TestHeartbeatStopsWithTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var still atomic.Bool
		var log lockedBuffer
		var pings asked
		h := &heartbeat{
			url: func() string { return "http://heartbeat.invalid/" },
			well: func() error {
				if still.Load() {
					return errors.New("the scheduler has stood still")
				}
				return nil
			},
			log:    slog.New(slog.NewTextHandler(&log, nil)),
			client: http.Client{Transport: &pings},
			first:  heartbeatFirst,
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.run(ctx) }()
		spend := func(minutes int, want int64) {
			t.Helper()
			before := pings.n.Load()
			time.Sleep(time.Duration(minutes) * time.Minute)
			if got := pings.n.Load() - before; got != want {
				t.Errorf("%d pings in %d minutes, want %d", got, minutes, want)
			}
		}
		time.Sleep(30 * time.Second) // away from the moments of the pings
		spend(20, 20)
		still.Store(true)
		spend(20, 0)
		still.Store(false)
		spend(20, 20)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		text := log.String()
		if strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "the scheduler has stood still") ||
			strings.Count(text, "heartbeat heard again") != 1 {
			t.Errorf("the log should tell of one failure and its end:\n%s", text)
		}
	})
}

func TestNoticesGoOut(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		health outbox.Health
		want   bool
	}{
		"nothing owed":                          {outbox.Health{Failures: 3}, true},
		"owed for long, but nothing has failed": {outbox.Health{Oldest: now.Add(-time.Hour)}, true},
		"failed, but not for long":              {outbox.Health{Failures: 2, Oldest: now.Add(-4 * time.Minute)}, true},
		"failed for long":                       {outbox.Health{Failures: 2, Oldest: now.Add(-6 * time.Minute)}, false},
	} {
		test.health.Receiver = "oncall"
		if err := delivers([]outbox.Health{{Receiver: "screen"}, test.health}, now); (err == nil) != test.want {
			t.Errorf("%s: error %v", name, err)
		} else if err != nil && !strings.Contains(err.Error(), "oncall") {
			t.Errorf("%s: error %v does not say who", name, err)
		}
	}
}
