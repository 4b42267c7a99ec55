package agent

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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
		failed: func(err error) { t.Errorf("no heartbeat: %v", err) },
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
