package slack

import (
	"net/http"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

const testTimeout = 500 * time.Millisecond

func newTestNotifier(t *testing.T, o Options) notify.Notifier {
	o.Timeout, o.Interval, o.Mention = testTimeout, time.Nanosecond, "@here"
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestContractBot(t *testing.T) {
	notifytest.Run(t, notifytest.Kind{
		New: func(t *testing.T, url string) notify.Notifier {
			return newTestNotifier(t, Options{
				Token:   func() (string, error) { return notifytest.SlackToken, nil },
				Channel: notifytest.SlackChannel, APIURL: url + "/api",
			})
		},
		Server:  func() http.Handler { return notifytest.NewSlack() },
		Timeout: testTimeout,
		Secrets: []string{notifytest.SlackToken},
	})
}

func TestContractWebhook(t *testing.T) {
	notifytest.Run(t, notifytest.Kind{
		New: func(t *testing.T, url string) notify.Notifier {
			return newTestNotifier(t, Options{
				WebhookURL: func() (string, error) { return url + notifytest.SlackWebhookPath, nil },
			})
		},
		Server:  func() http.Handler { return notifytest.NewSlack() },
		Timeout: testTimeout,
		Secrets: []string{notifytest.SlackWebhookPath, "webhook-test-only-secret"},
	})
}
