package notifytest

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	slackapi "github.com/slack-go/slack"
)

// client is slack-go against the stand-in, as a user of it would set it up.
func client(s *Slack) *slackapi.Client {
	return slackapi.New(SlackToken, slackapi.OptionAPIURL(s.APIURL()), slackapi.OptionHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
}

// refusal is the code with which Slack refused.
func refusal(err error) string {
	var r slackapi.SlackErrorResponse
	if errors.As(err, &r) {
		return r.Err
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestSlackRefusesWhatSlackRefuses(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	plain := func(n int) *slackapi.TextBlockObject {
		return &slackapi.TextBlockObject{Type: "plain_text", Text: text(n)}
	}
	mrkdwn := func(n int) *slackapi.TextBlockObject { return &slackapi.TextBlockObject{Type: "mrkdwn", Text: text(n)} }
	repeat := func(n int, b slackapi.Block) (all []slackapi.Block) {
		for range n {
			all = append(all, b)
		}
		return all
	}
	fields := func(n, length int) (all []*slackapi.TextBlockObject) {
		for range n {
			all = append(all, mrkdwn(length))
		}
		return all
	}
	for _, test := range []struct {
		name   string
		text   string
		blocks []slackapi.Block
		want   string
	}{
		{"fine", "x", repeat(50, slackapi.NewDividerBlock()), ""},
		{"too many blocks", "x", repeat(51, slackapi.NewDividerBlock()), "invalid_blocks"},
		{"no text", "", repeat(1, slackapi.NewDividerBlock()), "no_text"},
		{"longest section", "x", repeat(1, slackapi.NewSectionBlock(mrkdwn(3000), nil, nil)), ""},
		{"long section", "x", repeat(1, slackapi.NewSectionBlock(mrkdwn(3001), nil, nil)), "invalid_blocks"},
		{"empty section", "x", repeat(1, slackapi.NewSectionBlock(mrkdwn(0), nil, nil)), "invalid_blocks"},
		{"section of nothing", "x", repeat(1, slackapi.NewSectionBlock(nil, nil, nil)), "invalid_blocks"},
		{"many fields", "x", repeat(1, slackapi.NewSectionBlock(nil, fields(11, 1), nil)), "invalid_blocks"},
		{"long field", "x", repeat(1, slackapi.NewSectionBlock(nil, fields(1, 2001), nil)), "invalid_blocks"},
		{"long header", "x", repeat(1, slackapi.NewHeaderBlock(plain(151))), "invalid_blocks"},
		{"formatted header", "x", repeat(1, slackapi.NewHeaderBlock(mrkdwn(1))), "invalid_blocks"},
		{"empty rich text", "x", repeat(1, slackapi.NewRichTextBlock("", slackapi.NewRichTextSection(slackapi.NewRichTextSectionTextElement("", nil)))), "invalid_blocks"},
		{"too much in all", "x", repeat(5, slackapi.NewSectionBlock(mrkdwn(3000), nil, nil)), "msg_blocks_too_long"},
		{"long text", text(40001), nil, "msg_too_long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := StartSlack(t)
			_, _, err := client(s).PostMessageContext(t.Context(), SlackChannel, slackapi.MsgOptionText(test.text, false), slackapi.MsgOptionBlocks(test.blocks...))
			if got := refusal(err); got != test.want {
				t.Errorf("refusal %q, want %q", got, test.want)
			}
		})
	}
}

func TestSlackThreadsUpdatesAndSearches(t *testing.T) {
	s := StartSlack(t)
	api, ctx := client(s), t.Context()
	if _, err := api.AuthTestContext(ctx); err != nil {
		t.Fatal(err)
	}
	post := func(o ...slackapi.MsgOption) string {
		t.Helper()
		_, ts, err := api.PostMessageContext(ctx, SlackChannelID, append(o, slackapi.MsgOptionMetadata(slackapi.SlackMetadata{EventType: "e", EventPayload: map[string]any{"n": 1}}))...)
		if err != nil {
			t.Fatal(err)
		}
		return ts
	}
	first := post(slackapi.MsgOptionText("first", false))
	reply := post(slackapi.MsgOptionText("reply", false), slackapi.MsgOptionTS(first))
	loud := post(slackapi.MsgOptionText("loud", false), slackapi.MsgOptionTS(first), slackapi.MsgOptionBroadcast())
	if !(first < reply && reply < loud) {
		t.Errorf("ts do not grow: %s %s %s", first, reply, loud)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, SlackChannelID, first, slackapi.MsgOptionText("changed", false)); err != nil {
		t.Fatal(err)
	}
	if top := s.Tops()[0]; top.Text != "changed" || len(top.Edits) != 1 || top.Edits[0].Text != "first" || len(s.Replies(first)) != 2 {
		t.Errorf("after the update: %+v", top)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, SlackChannelID, "1.000001", slackapi.MsgOptionText("x", false)); refusal(err) != "message_not_found" {
		t.Errorf("update of nothing: %v", err)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, SlackChannel, first, slackapi.MsgOptionText("x", false)); refusal(err) != "channel_not_found" {
		t.Errorf("update by the channel's name: %v", err)
	}
	history, err := api.GetConversationHistoryContext(ctx, &slackapi.GetConversationHistoryParameters{ChannelID: SlackChannelID, IncludeAllMetadata: true})
	if err != nil || len(history.Messages) != 2 || history.Messages[0].Text != "loud" || history.Messages[1].Metadata.EventType != "e" {
		t.Errorf("history %+v, %v", history, err)
	}
	later, err := api.GetConversationHistoryContext(ctx, &slackapi.GetConversationHistoryParameters{ChannelID: SlackChannelID, Oldest: loud})
	if err != nil || len(later.Messages) != 1 {
		t.Errorf("history since the last: %+v, %v", later, err)
	}
	replies, _, _, err := api.GetConversationRepliesContext(ctx, &slackapi.GetConversationRepliesParameters{ChannelID: SlackChannelID, Timestamp: first})
	if err != nil || len(replies) != 3 || replies[0].Text != "changed" {
		t.Errorf("replies %+v, %v", replies, err)
	}
	s.Delete(first)
	if len(s.Tops()) != 0 {
		t.Error("the deleted message is still there")
	}
}

func TestSlackHistoryHasPages(t *testing.T) {
	s := StartSlack(t)
	api := client(s)
	for i := range 5 {
		if _, _, err := api.PostMessageContext(t.Context(), SlackChannel, slackapi.MsgOptionText(strconv.Itoa(i), false)); err != nil {
			t.Fatal(err)
		}
	}
	query := &slackapi.GetConversationHistoryParameters{ChannelID: SlackChannelID, Limit: 2}
	var texts []string
	for {
		page, err := api.GetConversationHistoryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			texts = append(texts, m.Text)
		}
		if query.Cursor = page.ResponseMetaData.NextCursor; query.Cursor == "" {
			break
		}
	}
	if got := strings.Join(texts, ""); got != "43210" {
		t.Errorf("pages hold %q", got)
	}
}

func TestSlackTokenAndUnknowns(t *testing.T) {
	s := StartSlack(t)
	if _, err := slackapi.New("xoxb-wrong", slackapi.OptionAPIURL(s.APIURL())).AuthTestContext(t.Context()); refusal(err) != "invalid_auth" {
		t.Errorf("wrong token: %v", err)
	}
	if _, _, err := client(s).PostMessageContext(t.Context(), "#nowhere", slackapi.MsgOptionText("x", false)); refusal(err) != "channel_not_found" {
		t.Errorf("unknown channel: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSlackGoesDownAndComesBack(t *testing.T) {
	s := StartSlack(t)
	address := s.APIURL()
	api := client(s)
	s.Down()
	var refused *net.OpError
	if _, err := api.AuthTestContext(t.Context()); !errors.As(err, &refused) {
		t.Errorf("while it is down: %v", err)
	}
	if err := s.Up(); err != nil {
		t.Fatal(err)
	}
	if _, err := api.AuthTestContext(t.Context()); err != nil || s.APIURL() != address {
		t.Errorf("after it came back at %s: %v", s.APIURL(), err)
	}
}

func TestSlackFaultsAreUsedUpInOrder(t *testing.T) {
	s := StartSlack(t)
	s.Fail(SlackFault{Method: "chat.update", Error: "is_archived"},
		SlackFault{Times: 2, Error: "ratelimited", RetryAfter: "9"}, SlackFault{Status: 500}, SlackFault{Reset: true, After: true, Method: "chat.postMessage"})
	api := client(s)
	var got []string
	for range 5 {
		_, _, err := api.PostMessageContext(t.Context(), SlackChannel, slackapi.MsgOptionText("x", false))
		var limited *slackapi.RateLimitedError
		var status slackapi.StatusCodeError
		var broken *url.Error
		switch {
		case errors.As(err, &limited):
			got = append(got, limited.RetryAfter.String())
		case errors.As(err, &status):
			got = append(got, strconv.Itoa(status.Code))
		case errors.As(err, &broken):
			got = append(got, "broken")
		default:
			got = append(got, refusal(err))
		}
	}
	if want := "9s 9s 500 broken "; strings.Join(got, " ") != want {
		t.Errorf("answers %q, want %q", got, want)
	}
	if n := len(s.Messages()); n != 2 {
		t.Errorf("%d messages, want the one whose answer was lost and the last", n)
	}
	if _, _, _, err := api.UpdateMessageContext(t.Context(), SlackChannelID, "1.0", slackapi.MsgOptionText("x", false)); refusal(err) != "is_archived" {
		t.Errorf("the fault of another method: %v", err)
	}
}

func TestSlackWebhook(t *testing.T) {
	s := StartSlack(t)
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if err := slackapi.PostWebhookCustomHTTPContext(t.Context(), s.WebhookURL(), web, &slackapi.WebhookMessage{Text: "hello"}); err != nil {
		t.Fatal(err)
	}
	var status slackapi.StatusCodeError
	if err := slackapi.PostWebhookCustomHTTPContext(t.Context(), s.WebhookURL()+"x", web, &slackapi.WebhookMessage{Text: "hello"}); !errors.As(err, &status) || status.Code != 404 {
		t.Errorf("another webhook: %v", err)
	}
	if m := s.Messages(); len(m) != 1 || !m[0].Webhook || m[0].Text != "hello" || m[0].Rendered() != "hello" {
		t.Errorf("messages %+v", m)
	}
	if raw, err := json.Marshal(s.Calls()); err != nil || strings.Count(string(raw), "webhook") != 2 {
		t.Errorf("calls %s, %v", raw, err)
	}
}
