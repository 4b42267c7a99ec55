package main

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

const hangingSites = `
defaults: {schedule: 30s, timeout: 30s}
sites:
  - name: shop
    url: ${EDGE}
    checks:
      - {name: home, path: /, schedule: 1s, timeout: 1s}
      - {name: slow, path: /slow, schedule: 10s, timeout: 10s}
`

// TestStopsInTime sends SIGTERM while a check and a receiver hang: the daemon
// ends within its time, well, and the next one makes up for what was cut off.
func TestStopsInTime(t *testing.T) {
	t.Parallel()
	h := newHome(t, hangingSites, botReceiver, "agent: {shutdown_timeout: 2s}\n")
	h.slack.Fail(notifytest.SlackFault{Method: post, Hang: true, Times: -1})
	h.edge.SetPath("/", edgetest.Status(521))
	d := h.start()
	d.until("Slack hangs", func() bool { return swallowed(post)(h, d) })
	h.edge.SetPath("/slow", edgetest.SlowOrigin(time.Minute))
	looks := 0 // in a row that saw a check run: the other one is through at once
	d.untilEvery(20*time.Millisecond, "a check hangs", func() bool {
		looks++
		if running, _ := d.metric("esawatch_checks_running"); running == 0 {
			looks = 0
		}
		return looks > 5
	})
	began := time.Now()
	d.signal(syscall.SIGTERM)
	code := d.exit()
	took := time.Since(began)
	t.Logf("it stopped after %v, with agent.shutdown_timeout: 2s", took.Round(time.Millisecond))
	if code != 0 || took > 7*time.Second {
		t.Errorf("exit code %d after %v, want 0 after 2s", code, took)
	}
	if !d.log.hasLine("msg=stopped") {
		t.Error("it does not say that it has stopped")
	}
	if d.log.hasLine("check=slow", "outcome=fail") {
		t.Error("a check that was cut off is taken for a failure of the site")
	}

	h.slack.ClearFaults()
	d = h.start()
	d.untilTold(h, 1)
	d.untilMetric(queue, 0)
	toldOnce(t, h.slack, 1)
}

// TestSecondSignalEndsAtOnce does not want to wait for the clean stop.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, botReceiver, "agent: {shutdown_timeout: 10m}\n")
	h.slack.Fail(notifytest.SlackFault{Method: post, Hang: true, Times: -1})
	h.edge.Set(edgetest.Status(521))
	d := h.start()
	d.until("Slack hangs", func() bool { return swallowed(post)(h, d) })
	began := time.Now()
	for ended := false; !ended; {
		_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may just have ended
		select {
		case <-d.done:
			ended = true
		case <-time.After(20 * time.Millisecond):
			if time.Since(began) > 30*time.Second {
				t.Fatal("it goes on after many signals")
			}
		}
	}
	if status, ok := d.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the signal", d.cmd.ProcessState)
	}
}

// TestInterruptStops is what Ctrl-C does.
func TestInterruptStops(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, consoleReceiver)
	d := h.start()
	d.signal(syscall.SIGINT)
	if code := d.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// TestAlertmanager2222TwoReplicasTwoAlerts starts a second daemon on the state
// of a first: it says who is there, and the first goes on.
func TestAlertmanager2222TwoReplicasTwoAlerts(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, consoleReceiver)
	first := h.start()
	second := h.launch()
	if code := second.exit(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	want := fmt.Sprintf("pid %d", first.cmd.Process.Pid)
	if text := second.log.String(); !strings.Contains(text, "data_dir") || !strings.Contains(text, want) || strings.Count(text, "\n") != 1 {
		t.Errorf("it says %q, want one line with data_dir and %q", text, want)
	}
	first.untilAsked(h.edge, 2)
}

// TestPortIsInUse starts a daemon where somebody else listens.
func TestPortIsInUse(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	h := newHome(t, homeSite, consoleReceiver, "web: {listen: '"+other.Addr().String()+"'}\n")
	d := h.launch()
	if code := d.exit(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if text := d.log.String(); !strings.Contains(text, "web.listen") || !strings.Contains(text, "address already in use") || strings.Count(text, "\n") != 1 {
		t.Errorf("it says %q, want one line with web.listen and the reason", text)
	}
	if h.edge.Requests() > 0 {
		t.Error("it has run checks")
	}
}
