package slack

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// newBot makes a stand-in and a Notifier for it that does not wait between messages.
func newBot(t *testing.T, change ...func(*Options)) (*notifytest.Slack, *Notifier) {
	t.Helper()
	s := notifytest.StartSlack(t)
	o := Options{
		Token:   func() (string, error) { return notifytest.SlackToken, nil },
		Channel: notifytest.SlackChannel, APIURL: s.APIURL(), Mention: "@here",
		Timeout: 20 * time.Second, Interval: time.Nanosecond,
	}
	for _, f := range change {
		f(&o)
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return s, n
}

// tell sends m and fails the test on an error.
func tell(t *testing.T, n *Notifier, m notify.Notification) notify.Receipt {
	t.Helper()
	r, err := n.Notify(t.Context(), m)
	if err != nil {
		t.Fatalf("notify seq %d: %v", m.Seq, err)
	}
	return r
}

// seqs are the Seq in the metadata of messages.
func seqs(messages []notifytest.SlackMessage) []int {
	var all []int
	for _, m := range messages {
		var metadata struct {
			Payload struct{ Seq int } `json:"event_payload"`
		}
		_ = json.Unmarshal(m.Metadata, &metadata)
		all = append(all, metadata.Payload.Seq)
	}
	return all
}

// One message an incident, updated in place, its history in the thread.
func TestAlertmanager2165EachChangeIsAnotherMessage(t *testing.T) {
	s, n := newBot(t)
	var receipt notify.Receipt
	for _, m := range notifytest.Story() {
		m.Receipt = receipt
		receipt = tell(t, n, m)
	}
	tops := s.Tops()
	if len(tops) != 1 {
		t.Fatalf("%d messages, want 1", len(tops))
	}
	top := tops[0]
	if len(top.Edits) != 6 {
		t.Errorf("%d edits, want 6", len(top.Edits))
	}
	for _, want := range []string{"🟢 RESOLVED: shop, after 4 h 19 min", "522 Connection timed out"} {
		if !strings.Contains(top.Rendered(), want) {
			t.Errorf("message does not say %q:\n%s", want, top.Rendered())
		}
	}
	if !strings.Contains(string(top.Attachments), "#2eb67d") {
		t.Errorf("resolved message is not green: %s", top.Attachments)
	}
	if strings.Contains(top.Rendered(), "<!here>") {
		t.Error("resolved message still mentions")
	}
	if !strings.Contains(top.Edits[0].Rendered(), "<!here>") {
		t.Error("first message does not mention")
	}
	replies := s.Replies(top.TS)
	if got, want := seqs(replies), []int{2, 3, 4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("replies tell %v, want %v", got, want)
	}
	for i, want := range []struct {
		text      string
		broadcast bool
	}{
		{"➕ home: Slow answer", false},
		{"🔀 login: Slow answer is now 522", false},
		{"🔺 severity is now critical", true},
		{"⏰ still failing after 4 h", true},
		{"✅ home recovered", false},
		{"🟢 RESOLVED, after 4 h 19 min", false},
	} {
		if got := replies[i]; !strings.Contains(got.Rendered(), want.text) || got.Broadcast != want.broadcast {
			t.Errorf("reply %d: broadcast %v, %q; want broadcast %v, %q", i, got.Broadcast, got.Rendered(), want.broadcast, want.text)
		}
		if mentions := strings.Contains(replies[i].Rendered(), "<!here>"); mentions != (i == 2) {
			t.Errorf("reply %d mentions: %v", i, mentions)
		}
	}
}

func TestEverySampleIsTaken(t *testing.T) {
	for _, sample := range notifytest.Samples() {
		t.Run(sample.Name, func(t *testing.T) {
			s, n := newBot(t)
			m := sample.Notification
			m.Receipt = tell(t, n, m)
			for i := range m.Events {
				m.Events[i].Seq += 100
			}
			m.Seq += 100
			tell(t, n, m)
			if got := len(s.Messages()); got != 2 {
				t.Errorf("%d messages, want the message and a reply", got)
			}
			for _, c := range s.Calls() {
				if c.Error != "" {
					t.Errorf("%s: %s", c.Method, c.Error)
				}
			}
		})
	}
}

func TestDeletedMessageIsPostedAnew(t *testing.T) {
	s, n := newBot(t)
	story := notifytest.Story()
	receipt := tell(t, n, story[0])
	first := s.Tops()[0].TS
	s.Delete(first)
	story[1].Receipt = receipt
	receipt = tell(t, n, story[1])
	tops := s.Tops()
	if len(tops) != 1 || tops[0].TS == first || receipt["ts"] != tops[0].TS {
		t.Fatalf("messages %v, receipt %v", tops, receipt)
	}
	if got := s.Replies(tops[0].TS); len(got) != 0 {
		t.Errorf("the new message tells everything, yet there are replies: %v", got)
	}
}

func TestNewChannelInTheConfigurationBeginsANewThread(t *testing.T) {
	s, n := newBot(t)
	s.AddChannel("#other")
	story := notifytest.Story()
	story[1].Receipt = tell(t, n, story[0])
	n.options.Channel = "#other"
	tell(t, n, story[1])
	tops := s.Tops()
	if len(tops) != 2 || tops[0].Channel == tops[1].Channel {
		t.Fatalf("want a message in each channel, got %v", tops)
	}
}

func TestReplyThatFailedIsMadeUpForWithoutDoubling(t *testing.T) {
	s, n := newBot(t)
	story := notifytest.Story()
	receipt := tell(t, n, story[0])
	s.Fail(notifytest.SlackFault{Method: "chat.postMessage", Status: 500})
	m := story[1]
	m.Receipt = receipt
	receipt, err := n.Notify(t.Context(), m)
	if notify.ReasonOf(err) != notify.ReasonServer {
		t.Fatalf("error %v, reason %q", err, notify.ReasonOf(err))
	}
	if receipt["ts"] == "" || receipt["replied"] != "1" {
		t.Fatalf("receipt beside the error is %v", receipt)
	}
	m.Receipt = receipt
	m.Receipt = tell(t, n, m)
	tell(t, n, m)
	if got := seqs(s.Replies(receipt["ts"])); !slices.Equal(got, []int{2}) {
		t.Errorf("replies %v, want [2]", got)
	}
}

// TestMessageIsFoundAgain: the post got through, the answer did not, and the
// process that would have kept the receipt is gone.
func TestMessageIsFoundAgain(t *testing.T) {
	for _, channel := range []string{notifytest.SlackChannel, notifytest.SlackChannelID} {
		t.Run(channel, func(t *testing.T) {
			s, n := newBot(t, func(o *Options) { o.Channel = channel })
			m := notifytest.Story()[0]
			other := m
			other.ID = "another-incident"
			tell(t, n, other)
			s.Fail(notifytest.SlackFault{Method: "chat.postMessage", Reset: true, After: true})
			if _, err := n.Notify(t.Context(), m); err == nil {
				t.Fatal("want an error")
			}
			next := notifytest.Story()[1]
			next.Doubtful, next.DoubtfulSince = true, time.Now()
			receipt := tell(t, n, next)
			if got := len(s.Tops()); got != 2 {
				t.Fatalf("%d messages, want one of each incident", got)
			}
			if got := seqs(s.Replies(receipt["ts"])); !slices.Equal(got, []int{2}) {
				t.Errorf("replies %v, want what the first message did not tell: [2]", got)
			}
		})
	}
}

func TestReplyIsFoundAgain(t *testing.T) {
	s, n := newBot(t)
	story := notifytest.Story()
	receipt := tell(t, n, story[0])
	s.Fail(notifytest.SlackFault{Method: "chat.postMessage", Reset: true, After: true})
	story[1].Receipt = receipt
	if _, err := n.Notify(t.Context(), story[1]); err == nil {
		t.Fatal("want an error")
	}
	m := story[2]
	m.Events = append(slices.Clone(story[1].Events), m.Events...)
	m.Receipt, m.Doubtful, m.DoubtfulSince = receipt, true, time.Now()
	tell(t, n, m)
	replies := s.Replies(receipt["ts"])
	if got := seqs(replies); !slices.Equal(got, []int{2, 3}) {
		t.Fatalf("replies %v, want [2 3]", got)
	}
	if strings.Contains(replies[1].Rendered(), "home: Slow answer") {
		t.Errorf("what the lost reply told is told again: %q", replies[1].Rendered())
	}
}

func TestWithoutTheScopeToLookItIsDoubledRatherThanLost(t *testing.T) {
	s, n := newBot(t)
	m := notifytest.Story()[0]
	tell(t, n, m)
	for _, method := range []string{"users.conversations", "conversations.history", "conversations.replies"} {
		s.Fail(notifytest.SlackFault{Method: method, Times: -1, Error: "missing_scope", Needed: "channels:history"})
	}
	m.Doubtful, m.DoubtfulSince = true, time.Now()
	tell(t, n, m)
	if got := len(s.Tops()); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}

func TestSearchWaitsForSlackInsteadOfDoubling(t *testing.T) {
	s, n := newBot(t)
	m := notifytest.Story()[0]
	tell(t, n, m)
	s.Fail(notifytest.SlackFault{Method: "conversations.history", Error: "ratelimited", RetryAfter: "60"})
	m.Doubtful, m.DoubtfulSince = true, time.Now()
	_, err := n.Notify(t.Context(), m)
	if notify.RetryDelay(err) != time.Minute {
		t.Fatalf("error %v, delay %v", err, notify.RetryDelay(err))
	}
	tell(t, n, m)
	if got := len(s.Tops()); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}

func TestErrorsOfTheAPI(t *testing.T) {
	const (
		misconfigured = "misconfigured"
		throttled     = "throttled"
		refused       = "refused"
		later         = "server_error"
	)
	for _, test := range []struct{ code, reason, says string }{
		{"invalid_auth", misconfigured, "create a bot token"},
		{"token_revoked", misconfigured, "create a bot token"},
		{"account_inactive", misconfigured, "create a bot token"},
		{"not_authed", misconfigured, "create a bot token"},
		{"channel_not_found", misconfigured, `"#oncall"`},
		{"not_in_channel", misconfigured, "/invite"},
		{"is_archived", misconfigured, "unarchive"},
		{"missing_scope", misconfigured, "chat:write"},
		{"restricted_action", misconfigured, "admin"},
		{"ratelimited", throttled, "429"},
		{"rate_limited", throttled, "rate_limited"},
		{"invalid_blocks", refused, "invalid_blocks"},
		{"msg_too_long", refused, "msg_too_long"},
		{"msg_blocks_too_long", refused, "msg_blocks_too_long"},
		{"internal_error", later, "internal_error"},
		{"never_heard_of_it", later, "never_heard_of_it"},
	} {
		t.Run(test.code, func(t *testing.T) {
			s, n := newBot(t)
			fault := notifytest.SlackFault{Times: 2, Error: test.code}
			if test.code == "missing_scope" {
				fault.Needed = "chat:write"
			}
			s.Fail(fault)
			_, err := n.Notify(t.Context(), notifytest.Story()[0])
			if err == nil || string(notify.ReasonOf(err)) != test.reason || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, reason %q; want %q and reason %q", err, notify.ReasonOf(err), test.says, test.reason)
			}
			if notify.IsPermanent(err) != (test.reason == refused) {
				t.Errorf("permanent: %v", notify.IsPermanent(err))
			}
			if test.reason == throttled && notify.RetryDelay(err) != defaultPause {
				t.Errorf("pause %v, want %v", notify.RetryDelay(err), defaultPause)
			}
			s.ClearFaults()
			tell(t, n, notifytest.Story()[0])
		})
	}
}

func TestRefusedLayoutIsToldInPlainText(t *testing.T) {
	s, n := newBot(t)
	m := notifytest.TwelveChecks()
	s.Fail(notifytest.SlackFault{Error: "invalid_blocks"})
	m.Receipt = tell(t, n, m)
	top := s.Tops()[0]
	if string(top.Blocks) != "[]" || !strings.Contains(top.Text, "522 Connection timed out") || !strings.Contains(top.Text, "1. Compare") {
		t.Errorf("blocks %s, text %q", top.Blocks, top.Text)
	}
	// The next change is laid out again.
	tell(t, n, m)
	if top := s.Tops()[0]; !strings.Contains(top.Rendered(), "CRITICAL: shop is failing") {
		t.Errorf("updated message is %q", top.Rendered())
	}
}

func TestTokenIsReadAnewAndNeverShown(t *testing.T) {
	token := "xoxb-old-and-secret-token"
	s, n := newBot(t, func(o *Options) { o.Token = func() (string, error) { return token + "\n", nil } })
	_, err := n.Notify(t.Context(), notifytest.Story()[0])
	if !notify.IsMisconfigured(err) || strings.Contains(err.Error(), token) {
		t.Fatalf("error %v", err)
	}
	token = notifytest.SlackToken
	tell(t, n, notifytest.Story()[0])
	token = ""
	if _, err := n.Notify(t.Context(), notifytest.Story()[0]); !notify.IsMisconfigured(err) {
		t.Errorf("empty token: %v", err)
	}
	n.options.Token = func() (string, error) { return "", errors.New("open /etc/esawatch/token: no such file") }
	if _, err := n.Notify(t.Context(), notifytest.Story()[0]); !notify.IsMisconfigured(err) {
		t.Errorf("unreadable token: %v", err)
	}
	if got := len(s.Tops()); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}

func TestPaceIsOneMessageASecond(t *testing.T) {
	s, n := newBot(t, func(o *Options) { o.Interval = 100 * time.Millisecond })
	m := notifytest.Story()[0]
	begin := time.Now()
	for _, id := range []string{"a", "b", "c", "d"} {
		m.ID = id
		tell(t, n, m)
	}
	// The first may have been late, so the time counts from before it.
	if took := s.Tops()[3].PostedAt.Sub(begin); took < 300*time.Millisecond {
		t.Errorf("four messages within %v, want at least 300 ms", took)
	}
	// A turn that comes after the deadline is not waited for.
	n.posts.SetBurst(0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := n.Notify(ctx, m); notify.ReasonOf(err) != notify.ReasonTimeout {
		t.Errorf("error %v, reason %q", err, notify.ReasonOf(err))
	}
}
