package slack

import (
	"strings"
	"testing"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// What users of other monitors complain of, each as a test with the complaint
// as its name. Number 2165 of Alertmanager is in bot_test.go.

// Who is woken at night must not have to look elsewhere for what to do.
func TestUptimeKuma3065TheNotificationHoldsNoRemedy(t *testing.T) {
	shown(t, notifytest.TwelveChecks(), func(a notify.Alert) []string {
		return append([]string{a.Summary, a.Owner, a.RunbookURL, a.DocURL, a.CatalogURL}, a.Steps...)
	})
}

// The notification shows what was wanted and what came.
func TestGatus19TheNotificationDoesNotSayWhatHappened(t *testing.T) {
	shown(t, notifytest.Story()[0], func(a notify.Alert) []string {
		parts := []string{a.Title, a.Verdict, a.Check}
		for _, e := range a.Evidence { // a table of names and values
			name, value, _ := strings.Cut(e, ": ")
			parts = append(parts, name, value)
		}
		return parts
	})
}

// shown tells m and tests that the message shows what its first alert has to say.
func shown(t *testing.T, m notify.Notification, parts func(notify.Alert) []string) {
	t.Helper()
	s, n := newBot(t)
	tell(t, n, m)
	text := s.Tops()[0].Rendered()
	for _, part := range parts(m.Alerts[0]) {
		if part == "" {
			t.Error("the sample lacks a part that the test is about")
		}
		if !strings.Contains(text, part) {
			t.Errorf("the message does not show %q:\n%s", part, text)
		}
	}
}
