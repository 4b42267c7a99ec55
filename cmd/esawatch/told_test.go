package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// TestIncidentIsOneMessage follows an incident from the first failure to the
// end, as Slack shows it.
func TestIncidentIsOneMessage(t *testing.T) {
	t.Parallel()
	h := newHome(t, shopSite, botReceiver)
	d := h.start()
	d.untilAsked(h.edge, 2)

	flipped := time.Now()
	h.edge.SetPath("/", edgetest.Status(521))
	first := d.untilTold(h, 1)[0]
	inTime(t, first.PostedAt.Sub(flipped))
	shows(t, first, "🔴 CRITICAL: shop", "521 Web server is down", "home", "origin team", "What to do", "ESA request id")

	if link := "http://" + d.addr + "/incidents/"; !strings.Contains(first.Rendered(), link) {
		t.Errorf("there is no link to %s in %s", link, first.Rendered())
	}

	h.edge.SetPath("/login", edgetest.Status(521))
	d.until("the second check has joined", func() bool { return strings.Contains(h.slack.Tops()[0].Rendered(), "login") })
	d.until("its joining is told in the thread", func() bool { return len(h.slack.Replies(first.TS)) == 1 })
	shows(t, h.slack.Replies(first.TS)[0], "login: 521 Web server is down")

	h.edge.Reset()
	d.untilOver(h, first.TS)
	d.untilAsked(h.edge, 6)
	toldOnce(t, h.slack, 1)
	last := h.slack.Tops()[0]
	if last.TS != first.TS || !strings.Contains(string(last.Attachments), "#2eb67d") {
		t.Errorf("the message of the end is %s, not green or not %s: %s", last.TS, first.TS, last.Attachments)
	}
	shows(t, last, "🟢 RESOLVED: shop", "home", "login")
	for _, call := range h.slack.Calls() {
		if call.Error != "" {
			t.Errorf("Slack refused %s: %s", call.Method, call.Error)
		}
	}
}

// TestWebhookHasAMessageAChange is the same through an incoming webhook, which
// can neither update nor reply.
func TestWebhookHasAMessageAChange(t *testing.T) {
	t.Parallel()
	h := newHome(t, shopSite, webhookReceiver)
	d := h.start()
	d.untilAsked(h.edge, 2)

	flipped := time.Now()
	h.edge.SetPath("/", edgetest.Status(521))
	first := d.untilTold(h, 1)[0]
	inTime(t, first.PostedAt.Sub(flipped))
	shows(t, first, "🔴 CRITICAL: shop", "521 Web server is down", "home", "What to do")

	h.edge.SetPath("/login", edgetest.Status(525))
	shows(t, d.untilTold(h, 2)[1], "login", "525 SSL handshake failed")

	h.edge.Reset()
	d.until("the end is told", func() bool { tops := h.slack.Tops(); return isOver(tops[len(tops)-1]) })
	d.untilAsked(h.edge, 6)
	tops := h.slack.Tops()
	for i, m := range tops {
		if !m.Webhook || len(m.Edits) > 0 || len(h.slack.Replies(m.TS)) > 0 {
			t.Errorf("message %d did not come through the webhook: %+v", i, m)
		}
		if again := slices.IndexFunc(tops[:i], func(o notifytest.SlackMessage) bool { return o.Rendered() == m.Rendered() }); again >= 0 {
			t.Errorf("messages %d and %d are the same: %s", again, i, m.Rendered())
		}
		if isOver(m) != (i == len(tops)-1) {
			t.Errorf("message %d of %d says RESOLVED: %v", i+1, len(tops), isOver(m))
		}
	}
	// The first, the joining, perhaps that one check is well, and the end.
	if len(tops) < 3 || len(tops) > 4 {
		t.Errorf("%d messages, want 3 or 4", len(tops))
	}
}

// inTime holds the promise of how soon an outage is told.
func inTime(t *testing.T, took time.Duration) {
	t.Helper()
	limit := confirmation + groupWait + 2*time.Second
	t.Logf("from the flip of the status to the message: %v (at most %v), with checks each %v", took.Round(time.Millisecond), limit, period)
	const crowded = 10 * time.Second // as the machine may be
	if took > limit+crowded {
		t.Errorf("told after %v, want at most %v and, on a crowded machine, %v more", took, limit, crowded)
	}
}

// untilTold waits until Slack has at least n messages and returns them.
func (d *daemon) untilTold(h *home, n int) []notifytest.SlackMessage {
	d.t.Helper()
	d.until("Slack is told", func() bool { return len(h.slack.Tops()) >= n })
	return h.slack.Tops()
}

// untilOver waits until the message ts says that its incident is over, and its
// thread too.
func (d *daemon) untilOver(h *home, ts string) {
	d.t.Helper()
	d.until("the incident is told to be over", func() bool {
		return slices.ContainsFunc(h.slack.Tops(), func(m notifytest.SlackMessage) bool { return m.TS == ts && isOver(m) }) &&
			slices.ContainsFunc(h.slack.Replies(ts), isOver)
	})
}

// isOver tells whether a message says that its incident is over.
func isOver(m notifytest.SlackMessage) bool { return strings.Contains(m.Rendered(), "🟢 RESOLVED") }

// shows tests for texts in a message.
func shows(t *testing.T, m notifytest.SlackMessage, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(m.Rendered(), text) {
			t.Errorf("the message does not show %q: %s", text, m.Rendered())
		}
	}
}

// toldOnce tests that Slack holds one message for each of a number of
// incidents, and that each thread tells everything once and in order.
func toldOnce(t *testing.T, slack *notifytest.Slack, incidents int) {
	t.Helper()
	tops := slack.Tops()
	if len(tops) != incidents {
		t.Errorf("%d messages, want %d", len(tops), incidents)
	}
	known := map[string]bool{}
	for _, top := range tops {
		id, seq := mark(t, top)
		if known[id] {
			t.Errorf("incident %s has a second message", id)
		}
		known[id] = true
		ends := 0
		for _, reply := range slack.Replies(top.TS) {
			of, next := mark(t, reply)
			if of != id || next <= seq {
				t.Errorf("in the thread of %s, after event %d comes event %d of %s: %s", id, seq, next, of, reply.Rendered())
			}
			seq = next
			ends += strings.Count(reply.Rendered(), "RESOLVED")
		}
		if ends > 1 {
			t.Errorf("the end of %s is told %d times", id, ends)
		}
	}
}

// mark is how esawatch marks its messages: the incident, and the last event
// that the message told when it was posted.
func mark(t *testing.T, m notifytest.SlackMessage) (incident string, seq int) {
	t.Helper()
	var metadata struct {
		Payload struct {
			Incident string `json:"incident"`
			Seq      int    `json:"seq"`
		} `json:"event_payload"`
	}
	if err := json.Unmarshal(m.Metadata, &metadata); err != nil || metadata.Payload.Incident == "" || metadata.Payload.Seq == 0 {
		t.Fatalf("message without a mark: %s, %v", m.Metadata, err)
	}
	return metadata.Payload.Incident, metadata.Payload.Seq
}
