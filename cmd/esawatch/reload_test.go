package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/esawatch/esawatch/checks/edgetest"
)

const (
	reloadOK     = "esawatch_config_last_reload_successful"
	blogSite     = "sites: [{name: blog, url: '${EDGE}', checks: [{name: home, path: /blog}]}]\n"
	brokenSite   = "sites: [{name: blog, url: '${EDGE}', checks: [{name: home, timeout: 10}]}]\n"
	brokenReason = "sites[blog].checks[home].timeout"
)

// TestReload gives a running daemon a bad file, a good one and so on, by the
// signal and over HTTP.
func TestReload(t *testing.T) {
	t.Parallel()
	bySignal := func(d *daemon, _ bool) { d.signal(syscall.SIGHUP) }
	overHTTP := func(d *daemon, good bool) {
		d.t.Helper()
		status, _, body := d.page("POST", "/-/reload", nil)
		switch {
		case good && status != http.StatusOK:
			d.t.Errorf("the reload answers %d %q, want 200", status, body)
		case !good && (status != http.StatusInternalServerError || !strings.Contains(body, brokenReason)):
			d.t.Errorf("the reload answers %d %q, want 500 and what is wrong", status, body)
		}
	}
	for name, reload := range map[string]func(d *daemon, good bool){"SIGHUP": bySignal, "POST": overHTTP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, shopSite, botReceiver)
			d := h.start()
			h.edge.Set(edgetest.Status(521))
			top := d.untilTold(h, 1)[0]
			if ok, _ := d.metric(reloadOK); ok != 1 {
				t.Errorf("%s is %v after the start, want 1", reloadOK, ok)
			}

			// A bad file: all stays as it is, and the fault is named.
			h.write("10.yaml", brokenSite)
			reload(d, false)
			d.untilMetric(reloadOK, 0)
			d.untilLogged("level=ERROR", "the old one stays in force", "10.yaml:1", brokenReason)
			d.untilAsked(h.edge, 4)
			if !hasSeries(d.metrics(), "shop", "home") || hasSeries(d.metrics(), "blog", "home") {
				t.Error("the bad file has changed what is watched")
			}

			// A good file: the new site is watched; the old one is gone, from the
			// metrics too, and its incident is closed, though nobody saw it end.
			h.write("10.yaml", blogSite)
			reload(d, true)
			d.untilMetric(reloadOK, 1)
			d.untilOpen("blog", "521")
			if body := d.metrics(); strings.Contains(body, `site="shop"`) || !hasSeries(body, "blog", "home") {
				t.Errorf("after the reload /metrics still has the old site or lacks the new one")
			}
			d.until("the old incident is closed", func() bool {
				return !strings.Contains(h.slack.Tops()[0].Rendered(), "CRITICAL")
			})
			if got := h.slack.Tops()[0]; got.TS != top.TS || isOver(got) && strings.Contains(got.Rendered(), "🟢") {
				t.Errorf("an incident whose checks are gone is told as if they had recovered: %s", got.Rendered())
			}
			d.untilTold(h, 2)

			// The incident that goes on survives one more reload untold.
			h.write("20.yaml", botReceiver+"# changed\n")
			reload(d, true)
			d.untilAsked(h.edge, 3)
			d.untilMetric(queue, 0)
			toldOnce(t, h.slack, 2)
		})
	}
}

func hasSeries(metrics, site, check string) bool {
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "probe_success{") && strings.Contains(line, `site="`+site+`"`) && strings.Contains(line, `check="`+check+`"`) {
			return true
		}
	}
	return false
}
