package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

const twoSites = `
sites:
  - name: shop
    url: ${EDGE}
    checks:
      - {name: home, path: /}
      - {name: login, path: /login}
  - name: blog
    url: ${EDGE}
    checks:
      - {name: home, path: /blog}
`

// TestSlackIsAwayForAWhile lets much happen while Slack cannot be reached: an
// incident grows and ends, another begins, a third comes and goes. All of it is
// told afterwards, each story in its order.
func TestSlackIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	h := newHome(t, twoSites, botReceiver)
	d := h.start()
	h.edge.SetPath("/", edgetest.Status(521))
	first := d.untilTold(h, 1)[0]
	d.untilMetric(queue, 0)

	h.slack.Down()
	h.edge.SetPath("/login", edgetest.Status(525))
	d.untilOpen("shop", "525")
	h.edge.SetPath("/blog", edgetest.Status(522))
	d.untilOpen("blog", "522")
	h.edge.Reset()
	d.untilWell("shop")
	d.untilWell("blog")
	h.edge.SetPath("/", edgetest.Status(594))
	d.untilOpen("shop", "594")
	d.untilLogged("notification failed", "attempt=2")
	d.untilMetric(queue, 3) // the outbox looks a moment after the incident is open
	if err := h.slack.Up(); err != nil {
		t.Fatal(err)
	}

	d.until("three incidents are told", func() bool { return len(h.slack.Tops()) == 3 })
	d.untilOver(h, first.TS)
	d.untilMetric(queue, 0)
	toldOnce(t, h.slack, 3)
	thread := ""
	for _, reply := range h.slack.Replies(first.TS) {
		thread += reply.Rendered() + "\n"
	}
	inOrder(t, thread, "login: 525 SSL handshake failed", "recovered", "shop is well again")
	for _, top := range h.slack.Tops() {
		id, _ := mark(t, top)
		switch {
		case strings.HasPrefix(id, "blog-"):
			shows(t, top, "🟢 RESOLVED: blog", "522 Connection timed out")
		case top.TS == first.TS:
			shows(t, top, "🟢 RESOLVED: shop", "521 Web server is down", "525 SSL handshake failed")
		default:
			shows(t, top, "🔴 CRITICAL: shop", "594")
		}
	}
	if failed, _ := d.metric(`esawatch_notifications_total{outcome="failed",receiver="oncall"}`); failed < 2 {
		t.Errorf("%v failed attempts are counted, want at least 2", failed)
	}
}

// TestWebhookIsBrokenInManyWays has the webhook fail in ways whose errors may
// quote its address, which is a secret; the end of the test looks for it.
func TestWebhookIsBrokenInManyWays(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, webhookReceiver)
	h.slack.Fail(notifytest.SlackFault{Status: 500}, notifytest.SlackFault{Reset: true},
		notifytest.SlackFault{Error: "ratelimited", RetryAfter: "1"},
		// Taken for a message whose form is refused, which is a warning of its own.
		notifytest.SlackFault{Error: "cannot post to " + notifytest.SlackWebhookPath})
	h.edge.Set(edgetest.Status(521))
	d := h.start()
	d.untilTold(h, 1)
	h.slack.Down()
	h.edge.Reset()
	d.untilLogged("notification failed", "refused")
	if err := h.slack.Up(); err != nil {
		t.Fatal(err)
	}
	d.until("the end is told", func() bool { tops := h.slack.Tops(); return isOver(tops[len(tops)-1]) })
	if !d.log.hasLine("slack refused the layout", "cannot post") {
		t.Error("the log does not say that the layout was refused")
	}
	for _, part := range []string{"500", "ratelimited"} {
		if !d.log.hasLine("notification failed", part) {
			t.Errorf("no line of the log says that an attempt failed with %q", part)
		}
	}
	if tops := h.slack.Tops(); len(tops) != 2 {
		t.Errorf("%d messages, want 2", len(tops))
	}
}

// TestRefusedTokenHoldsUpNobody has Slack refuse the token: the log says so and
// what to do, the other receiver is told in time, and a mended token makes up
// for it after a reload.
func TestRefusedTokenHoldsUpNobody(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, strings.TrimSuffix(botReceiver, "\n")+"\n  - {name: screen, console: {}}\n")
	const good = "xoxb-the-new-one-of-this-test"
	h.slack.SetToken(good)
	d := h.start()
	d.untilAsked(h.edge, 1)

	flipped := time.Now()
	h.edge.Set(edgetest.Status(521))
	d.until("the console is told", func() bool { return d.out.has("shop is failing") })
	inTime(t, time.Since(flipped))
	if !d.out.has("521 Web server is down") || !d.out.has("What to do") {
		t.Errorf("the console does not say what broke: %s", d.out)
	}
	d.untilLogged("level=ERROR", "receiver=oncall", "invalid_auth", "token")
	h.edge.Reset()
	d.until("the console is told the end", func() bool { return d.out.has("RESOLVED") })
	if n := len(h.slack.Tops()); n != 0 {
		t.Errorf("Slack took %d messages with a token that it refuses", n)
	}

	h.write("slack-token", good)
	d.signal(syscall.SIGHUP)
	d.untilTold(h, 1)
	d.untilMetric(queue, 0)
	toldOnce(t, h.slack, 1)
	shows(t, h.slack.Tops()[0], "🟢 RESOLVED: shop", "521")
	if n := strings.Count(d.out.String(), "shop is failing"); n != 1 {
		t.Errorf("the console was told %d times, want once", n)
	}
	if d.log.has(good) || d.out.has(good) {
		t.Error("the new token is in the log or on the console")
	}
}

// TestServerRepeatsTheToken has a server answer with the token that it was
// sent, as a proxy on the way may do; the end of the test looks for it.
func TestServerRepeatsTheToken(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, botReceiver)
	h.slack.Fail(notifytest.SlackFault{Error: "what is " + notifytest.SlackToken})
	h.edge.Set(edgetest.Status(521))
	d := h.start()
	d.untilLogged("notification failed", "what is")
	d.untilTold(h, 1)
}

// untilOpen waits until the site has an open incident with the condition.
func (d *daemon) untilOpen(site, condition string) {
	d.t.Helper()
	d.untilEvery(25*time.Millisecond, site+" fires for "+condition, func() bool {
		for line := range strings.Lines(d.metrics()) {
			if strings.HasPrefix(line, `esawatch_incident_open{site="`+site+`",condition="`+condition+`",`) && strings.HasSuffix(line, "\"} 1\n") {
				return true
			}
		}
		return false
	})
}

// untilWell waits until the site has no open incident.
func (d *daemon) untilWell(site string) {
	d.t.Helper()
	d.untilMetric(`esawatch_incident_open{condition="",fault="",severity="",site="`+site+`"}`, 0)
}

// inOrder tests that a text holds others one after another.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("%q does not come in its place in %q, in %s", part, parts, text)
			return
		}
		rest = after
	}
}
