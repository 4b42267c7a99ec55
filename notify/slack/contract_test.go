package slack

import (
	"net/http"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

func newTestNotifier(t *testing.T, timeout time.Duration, o Options) notify.Notifier {
	o.Timeout, o.Interval, o.Mention = timeout, time.Nanosecond, "@here"
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestContractBot(t *testing.T) {
	notifytest.Run(t, notifytest.Kind{
		New: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
			return newTestNotifier(t, timeout, Options{
				Token:   func() (string, error) { return notifytest.SlackToken, nil },
				Channel: notifytest.SlackChannel, APIURL: url + "/api",
			})
		},
		Server:  func() http.Handler { return notifytest.NewSlack() },
		Secrets: []string{notifytest.SlackToken},
	})
}

func TestContractWebhook(t *testing.T) {
	notifytest.Run(t, notifytest.Kind{
		New: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
			return newTestNotifier(t, timeout, Options{
				WebhookURL: func() (string, error) { return url + notifytest.SlackWebhookPath, nil },
			})
		},
		Server:  func() http.Handler { return notifytest.NewSlack() },
		Secrets: []string{notifytest.SlackWebhookPath, "webhook-test-only-secret"},
	})
}
