package stack_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStack holds each part to what its name says.
func TestStack(t *testing.T) {
	s := stack.Start(t, stack.Options{Locations: []string{"fra-1", "sin-1"}, Alertmanager: true})
	for site, condition := range map[string]string{
		stack.Broken: "522", stack.Down: "521", stack.Degraded: "stale", stack.Slow: "slow", stack.Expiring: "tls_expiring",
		stack.Expired: "tls_expired", stack.Challenge: "challenge", stack.Bypassing: "not_via_esa",
	} {
		for _, agent := range s.Agents {
			s.Until(t, `esawatch_check_failures_total{site="`+site+`",condition="`+condition+`",location="`+agent.Location+`"} > 1`, 20*time.Second, nil)
		}
	}
	s.Until(t, `sum(probe_success{site="shop"})`, 10*time.Second, stack.Is(4))
	s.Until(t, `sum(esawatch_origin_success{site="blog"})`, 10*time.Second, stack.Is(2))
	s.Until(t, `sum(esawatch_origin_success{site="wiki"})`, 10*time.Second, stack.Is(0))
	s.Until(t, `sum(esawatch_notifications_total{receiver="hook",outcome="sent"}) > 8`, 20*time.Second, nil)
	s.Until(t, `min(esawatch_notification_queue_length{receiver="broken"}) > 4`, 20*time.Second, nil)
	s.Until(t, `sum(esawatch_notifications_total{receiver="broken",outcome="failed"}) > 0`, 20*time.Second, nil)
	s.Until(t, `sum(esawatch_notifications_total{receiver="refusing",outcome="dropped"}) > 0`, 20*time.Second, nil)

	s.Site(stack.Broken).Set(stack.Answers())
	s.Until(t, `count(esawatch_incident_open{site="blog",condition=""})`, 20*time.Second, stack.Is(2))
	s.Canary().Set(stack.Aborts())
	s.Until(t, `max(esawatch_agent_online)`, 20*time.Second, stack.Is(0))
	s.Agents[1].Kill()
	s.Until(t, `sum(up{job="esawatch"})`, 10*time.Second, stack.Is(1))
	if m := s.QueryRange(t, `sum(up)`, 3*time.Second); len(m) != 1 || len(m[0].Values) == 0 {
		t.Errorf("sum(up) over three seconds is %v", m)
	}
}
