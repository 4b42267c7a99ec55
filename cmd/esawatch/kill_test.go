package main

import (
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// moment is a point in an incident's life at which the power goes.
type moment struct {
	name  string
	fault notifytest.SlackFault // begins with the phase; the zero value is none
	come  func(h *home, d *daemon) bool
}

const (
	post   = "chat.postMessage"
	update = "chat.update"
)

// openings are moments while an incident begins, endings while one ends.
var (
	openings = []moment{
		{"one failure is seen", notifytest.SlackFault{}, logs("outcome=fail")},
		{"the incident waits for its group", notifytest.SlackFault{}, isOpen},
		{"the post is under way", notifytest.SlackFault{Method: post, Hang: true}, swallowed(post)},
		{"the post is done, its answer lost", notifytest.SlackFault{Method: post, Hang: true, After: true}, called(post, 1)},
		{"the post is done", notifytest.SlackFault{}, called(post, 1)},
		{"the post is noted", notifytest.SlackFault{}, logs("notification sent")},
	}
	endings = []moment{
		{"one pass is seen", notifytest.SlackFault{}, logs("outcome=pass")},
		{"the update is under way", notifytest.SlackFault{Method: update, Hang: true}, swallowed(update)},
		{"the update is done, its answer lost", notifytest.SlackFault{Method: update, Hang: true, After: true}, called(update, 1)},
		{"the update is done", notifytest.SlackFault{}, called(update, 1)},
		{"the reply is under way", notifytest.SlackFault{Method: post, Hang: true}, swallowed(post)},
		{"the reply is done, its answer lost", notifytest.SlackFault{Method: post, Hang: true, After: true}, called(post, 2)},
		{"the reply is done", notifytest.SlackFault{}, called(post, 2)},
		{"the end is noted", notifytest.SlackFault{}, logs("notification sent")},
	}
)

// logs is the moment at which the daemon has logged something.
func logs(part string) func(*home, *daemon) bool {
	return func(_ *home, d *daemon) bool { return d.log.has(part) }
}

// called is the moment at which Slack has done a call for the nth time,
// whether or not it answers; swallowed that at which it takes one and does nothing.
func called(method string, n int) func(*home, *daemon) bool {
	return func(h *home, _ *daemon) bool { return calls(h, method, "") >= n }
}

func swallowed(method string) func(*home, *daemon) bool {
	return func(h *home, _ *daemon) bool { return calls(h, method, "fault") > 0 }
}

func calls(h *home, method, failure string) (n int) {
	for _, c := range h.slack.Calls() {
		if c.Method == method && c.Error == failure {
			n++
		}
	}
	return n
}

// isOpen is the moment at which an incident is open.
func isOpen(_ *home, d *daemon) bool {
	return strings.Contains(d.metrics(), `esawatch_incident_open{site="shop",condition="521"`)
}

// TestKilledWhileAnIncidentBegins ends the daemon at one moment of an opening
// and starts another: the incident is told, and told once.
func TestKilledWhileAnIncidentBegins(t *testing.T) {
	t.Parallel()
	for _, m := range openings {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, homeSite, botReceiver)
			d := h.start()
			h.breakAndKill(d, m)

			d = h.start()
			told := d.untilTold(h, 1)[0]
			shows(t, told, "521 Web server is down")
			h.edge.Reset()
			d.untilOver(h, told.TS)
			d.untilAsked(h.edge, 3)
			toldOnce(t, h.slack, 1)
		})
	}
}

// TestKilledWhileAnIncidentEnds does the same at moments of the end.
func TestKilledWhileAnIncidentEnds(t *testing.T) {
	t.Parallel()
	for _, m := range endings {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, homeSite, botReceiver)
			h.edge.Set(edgetest.Status(521))
			d := h.start()
			d.untilTold(h, 1)
			d.untilMetric(queue, 0)
			d.kill()

			d = h.start()
			h.slack.Fail(m.faults()...)
			h.edge.Reset()
			d.until(m.name, func() bool { return m.come(h, d) })
			d.kill()
			h.slack.ClearFaults()

			d = h.start()
			d.untilOver(h, h.slack.Tops()[0].TS)
			d.untilAsked(h.edge, 3)
			toldOnce(t, h.slack, 1)
		})
	}
}

// TestEndsWhileNobodyWatches mends the site while the daemon is dead: the next
// one sees it and says so.
func TestEndsWhileNobodyWatches(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, botReceiver)
	h.breakAndKill(h.start(), openings[len(openings)-1])
	h.edge.Reset()
	d := h.start()
	d.untilOver(h, h.slack.Tops()[0].TS)
	d.untilAsked(h.edge, 3)
	toldOnce(t, h.slack, 1)
}

// TestKilledAgainAndAgain kills one daemon after another, each a little later
// in its life, through the whole of an incident.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	h := newHome(t, shopSite, botReceiver)
	h.edge.Set(edgetest.Status(521))
	live := func(life time.Duration) {
		d := h.start()
		time.Sleep(life)
		d.kill()
	}
	for i := range 12 {
		live(time.Duration(i) * 60 * time.Millisecond)
	}
	d := h.start()
	told := d.untilTold(h, 1)[0]
	d.kill()
	h.edge.Reset()
	for i := range 12 {
		live(time.Duration(i) * 60 * time.Millisecond)
	}
	d = h.start()
	d.untilOver(h, told.TS)
	d.untilAsked(h.edge, 6)
	toldOnce(t, h.slack, 1)
}

// TestKilledWithAWebhook kills the daemon while the webhook does not answer.
// What it has taken in by then cannot be known, so only a post that did not
// get through is told once.
func TestKilledWithAWebhook(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, webhookReceiver)
	h.breakAndKill(h.start(), moment{"the post is under way", notifytest.SlackFault{Method: "webhook", Hang: true}, swallowed("webhook")})
	d := h.start()
	d.untilTold(h, 1)
	h.edge.Reset()
	d.until("the end is told", func() bool { tops := h.slack.Tops(); return isOver(tops[len(tops)-1]) })
	d.untilAsked(h.edge, 3)
	if tops := h.slack.Tops(); len(tops) != 2 || isOver(tops[0]) {
		t.Errorf("%d messages, want the beginning and the end", len(tops))
	}
}

// breakAndKill breaks the site and kills the daemon at the moment.
func (h *home) breakAndKill(d *daemon, m moment) {
	h.t.Helper()
	h.slack.Fail(m.faults()...)
	h.edge.Set(edgetest.Status(521))
	d.until(m.name, func() bool { return m.come(h, d) })
	d.kill()
	h.slack.ClearFaults()
}

func (m moment) faults() []notifytest.SlackFault {
	if m.fault == (notifytest.SlackFault{}) {
		return nil
	}
	return []notifytest.SlackFault{m.fault}
}
