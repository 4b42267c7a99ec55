package slack

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

func startWebhook(t *testing.T) (*notifytest.Slack, *Notifier) {
	t.Helper()
	var s *notifytest.Slack
	s, n := newBot(t, func(o *Options) {
		o.Token, o.Channel = nil, ""
		o.WebhookURL = func() (string, error) { return s.WebhookURL() + "\n", nil }
	})
	return s, n
}

func TestWebhookPostsAMessageAChange(t *testing.T) {
	s, n := startWebhook(t)
	var receipt notify.Receipt
	story := notifytest.Story()
	for _, m := range story {
		m.Receipt = receipt
		receipt = tell(t, n, m)
	}
	messages := s.Messages()
	if len(messages) != len(story) {
		t.Fatalf("%d messages, want %d", len(messages), len(story))
	}
	for i, want := range []struct {
		text             string
		mentions, advice bool
	}{
		{"🟠 WARNING: shop is failing", true, true},
		{"➕ home: Slow answer", false, true},
		{"🔀 login: Slow answer is now 522", false, true},
		{"🔺 severity is now critical", true, true},
		{"⏰ still failing after 4 h", true, false},
		{"✅ home recovered", false, false},
		{"🟢 RESOLVED: shop, after 4 h 19 min", false, false},
	} {
		got := messages[i].Rendered()
		if !strings.Contains(got, want.text) {
			t.Errorf("message %d does not say %q:\n%s", i, want.text, got)
		}
		// A reminder of something critical is loud, but calls nobody.
		if mentions := strings.Contains(got, "<!here>"); mentions != (want.mentions && i != 4) {
			t.Errorf("message %d mentions: %v", i, mentions)
		}
		if advice := strings.Contains(got, "What to do"); advice != want.advice {
			t.Errorf("message %d says what to do: %v", i, advice)
		}
	}
}

func TestErrorsOfTheWebhook(t *testing.T) {
	for _, test := range []struct {
		fault  notifytest.SlackFault
		reason notify.Reason
		says   string
	}{
		{notifytest.SlackFault{Error: "no_service"}, notify.ReasonMisconfigured, "create a new incoming webhook"},
		{notifytest.SlackFault{Error: "channel_is_archived"}, notify.ReasonMisconfigured, "unarchive"},
		{notifytest.SlackFault{Error: "action_prohibited"}, notify.ReasonMisconfigured, "admin"},
		{notifytest.SlackFault{Error: "invalid_payload", Times: 2}, notify.ReasonRefused, "invalid_payload"},
		{notifytest.SlackFault{Error: "some_new_word", Times: 2}, notify.ReasonRefused, "some_new_word"},
		{notifytest.SlackFault{Error: "rollup_error"}, notify.ReasonServer, "500"},
		{notifytest.SlackFault{Error: "rate_limited", RetryAfter: "3"}, notify.ReasonThrottled, "rate_limited"},
		{notifytest.SlackFault{Status: 404}, notify.ReasonMisconfigured, "404"},
	} {
		t.Run(test.says, func(t *testing.T) {
			s, n := startWebhook(t)
			s.Fail(test.fault)
			receipt, err := n.Notify(t.Context(), notifytest.Story()[0])
			if err == nil || notify.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, reason %q; want %q, %q", err, notify.ReasonOf(err), test.says, test.reason)
			}
			if receipt != nil {
				t.Errorf("receipt %v for what was not told", receipt)
			}
			if test.fault.RetryAfter != "" && notify.RetryDelay(err) != 3*time.Second {
				t.Errorf("pause %v", notify.RetryDelay(err))
			}
			s.ClearFaults()
			tell(t, n, notifytest.Story()[0])
		})
	}
}

func TestWebhookURLIsNeverShown(t *testing.T) {
	const secret = "s3cr3t-webhook-path"
	for _, hook := range []string{
		"https://hooks.invalid/services/T0/B0/" + secret, "https://hooks.invalid:" + secret + "/x", "https://%zz/" + secret,
		"http://[::1/" + secret, "ftp://hooks.invalid/" + secret, secret, "http://127.0.0.1:1/services/" + secret,
	} {
		n, err := New(Options{WebhookURL: func() (string, error) { return hook, nil }, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.Notify(t.Context(), notifytest.Story()[0])
		_ = n.Close()
		if err == nil {
			t.Fatalf("%q: no error", hook)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), secret) {
				t.Errorf("%q is in the error %v", secret, e)
			}
			var u *url.Error
			if errors.As(e, &u) {
				t.Errorf("%v wraps a *url.Error, which holds the URL", e)
			}
		}
	}
}
