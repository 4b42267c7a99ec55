package groupbot

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// manyConditions is a notification that is too long for each service.
func manyConditions(lang string) notify.Notification {
	at := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	m := notify.Notification{ID: "shop-1", Site: "shop", Firing: true, Severity: "critical", Since: at, OpenedAt: at, At: at,
		IncidentURL: "https://watch.example.com/incidents/shop-1", Lang: lang}
	for i := range 6 {
		a := notify.Alert{Check: fmt.Sprintf("check-%d", i), Firing: true, Since: at, Condition: fmt.Sprint(520 + i), Title: "标题",
			Fault: "origin", Owner: "源站团队", Severity: "critical", Summary: strings.Repeat("说明", 100), Verdict: strings.Repeat("判断", 60)}
		for step := range 7 {
			a.Steps = append(a.Steps, fmt.Sprintf("%d: `openssl s_client -connect a.example.com:443 </dev/null 2>&1 | grep -E '<x>&\"'`%s", step, strings.Repeat("步骤", 40)))
		}
		for line := range 12 {
			a.Evidence = append(a.Evidence, fmt.Sprintf("body %d: %s", line, strings.Repeat("<\"", 120)))
		}
		m.Alerts = append(m.Alerts, a)
	}
	return m
}

// TestLongMessage: all that fails and the page are there, however short the message
// has to be, and what was cut off is explained with the next one.
func TestLongMessage(t *testing.T) {
	for _, s := range services {
		b := &bot{service: s}
		server := httptest.NewServer(b)
		n := newTestNotifier(t, s, server.URL, "", time.Minute)
		m := manyConditions("zh")
		for range 6 {
			receipt, err := n.Notify(t.Context(), m)
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			text := b.took[len(b.took)-1]
			for _, a := range m.Alerts {
				if !strings.Contains(text, a.Check) {
					t.Errorf("%s: nothing of %s in\n%s", s, a.Check, text)
				}
			}
			if !strings.Contains(text, m.IncidentURL) {
				t.Errorf("%s: no link in\n%s", s, text)
			}
			for _, condition := range strings.Fields(receipt["explained"]) {
				told := func(text string) bool {
					_, rest, found := strings.Cut(text, condition+" 标题，检查项 check-"+condition[2:]+"\n说明")
					return found && (s == WeCom || strings.Contains(rest, "7. 6: `openssl")) // one alone is too long there
				}
				if !slices.ContainsFunc(b.took, told) {
					t.Errorf("%s: %s counts as explained, and is not", s, condition)
				}
			}
			m.Receipt = receipt
		}
		server.Close()
		if got := m.Receipt["explained"]; got != "520 521 522 523 524 525" {
			t.Errorf("%s: after six messages %q is explained", s, got)
		}
	}
}

func TestMention(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "{false [] []}"}, {"all", "{true [] []}"}, {"@所有人", "{true [] []}"},
		{"13800138000,13900139000", "{false [13800138000 13900139000] []}"}, {"@u1， u2", "{false [] [u1 u2]}"},
		{"<@u1>", "error"}, {"张三", "error"},
	} {
		d := dialects[DingTalk]
		m, err := d.parseMention(tt.text)
		got := fmt.Sprint(m)
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

// TestEventsLeaveRoom: however much has happened, what is new is explained.
func TestEventsLeaveRoom(t *testing.T) {
	m := manyConditions("zh")
	m.Alerts = m.Alerts[:2]
	m.Receipt = notify.Receipt{"explained": "520"}
	for i := range 12 {
		m.Events = append(m.Events, notify.Event{Seq: i, At: m.At, Kind: "changed", Text: strings.Repeat("事件", 200)})
	}
	n := newTestNotifier(t, WeCom, "https://chat.invalid", "", time.Minute)
	for _, limit := range []int{2048, 12000} {
		msg, explained := n.render(m, limit)
		text := msg.text()
		if !strings.Contains(text, "✗ 521") || !strings.Contains(text, "说明") || strings.Join(explained, " ") != "520 521" || len(text) > limit {
			t.Errorf("%d bytes of %d, %q is explained:\n%s", len(text), limit, explained, text)
		}
	}
	if msg, explained := n.render(m, 400); strings.Join(explained, " ") != "520" {
		t.Errorf("%q counts as explained, and is not:\n%s", explained, msg.text())
	}
}
