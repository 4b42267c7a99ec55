package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// Every message carries metadata that names its incident, so that one whose
// posting was cut off can be found again.
const (
	metadataType = "esawatch_incident"
	kindRoot     = "root"
	kindReply    = "reply"
)

// Bounds of a search: how far the clocks may be apart, and how much is read.
const (
	clockSlack = 2 * time.Minute
	pageSize   = 100
	maxPages   = 5
)

// metadata marks a message of an incident: what it is, and the Seq it told when
// it was posted. An update keeps that Seq.
func metadata(incident, kind string, seq int) slackapi.MsgOption {
	return slackapi.MsgOptionMetadata(slackapi.SlackMetadata{
		EventType:    metadataType,
		EventPayload: map[string]any{"incident": incident, "kind": kind, "seq": seq},
	})
}

// marked reads metadata back: the Seq, and whether it is of this incident and kind.
func marked(m slackapi.Message, incident, kind string) (seq int, ok bool) {
	p := m.Metadata.EventPayload
	if m.Metadata.EventType != metadataType || p["incident"] != incident || p["kind"] != kind {
		return 0, false
	}
	number, ok := p["seq"].(float64)
	return int(number), ok
}

// findRoot looks for a message of m's incident that an earlier attempt may have
// posted. A thread without ts means that there is none, or that we may not look:
// then the message is posted again, since doubled is better than lost.
func (b *bot) findRoot(ctx context.Context, m notify.Notification) (thread, error) {
	t := thread{to: b.options.Channel}
	channel, err := b.channelID(ctx)
	if err != nil || channel == "" {
		return t, mayNotLook(err)
	}
	query := &slackapi.GetConversationHistoryParameters{ChannelID: channel, Oldest: oldest(m), Limit: pageSize, IncludeAllMetadata: true}
	for range maxPages {
		page, err := b.api.GetConversationHistoryContext(ctx, query)
		if err := explain("search the channel", err, b.last, b.Notifier); err != nil {
			return t, mayNotLook(err)
		}
		for _, msg := range page.Messages { // newest first
			if seq, ok := marked(msg, m.ID, kindRoot); ok {
				t.channel, t.ts, t.root, t.replied = channel, msg.Timestamp, seq, seq
				return t, nil
			}
		}
		if query.Cursor = page.ResponseMetaData.NextCursor; query.Cursor == "" {
			break
		}
	}
	return t, nil
}

// findReplies is the highest Seq that the thread t tells already.
func (b *bot) findReplies(ctx context.Context, m notify.Notification, t thread) (int, error) {
	query := &slackapi.GetConversationRepliesParameters{ChannelID: t.channel, Timestamp: t.ts, Oldest: oldest(m), Limit: pageSize, IncludeAllMetadata: true}
	replied := t.replied
	for range maxPages {
		messages, _, next, err := b.api.GetConversationRepliesContext(ctx, query)
		if err := explain("search the thread", err, b.last, b.Notifier); err != nil {
			return replied, mayNotLook(err)
		}
		for _, msg := range messages {
			if seq, ok := marked(msg, m.ID, kindReply); ok {
				replied = max(replied, seq)
			}
		}
		if query.Cursor = next; next == "" {
			break
		}
	}
	return replied, nil
}

// channelID is the ID of the configured channel, which a search needs and
// posting does not. It is "" when the bot is in no channel of that name.
func (b *bot) channelID(ctx context.Context) (string, error) {
	name := b.options.Channel
	if isChannelID(name) {
		return name, nil
	}
	query := &slackapi.GetConversationsForUserParameters{Types: []string{"public_channel", "private_channel"}, Limit: 200, ExcludeArchived: true}
	for range maxPages {
		channels, next, err := b.api.GetConversationsForUserContext(ctx, query)
		if err := explain("list the channels", err, b.last, b.Notifier); err != nil {
			return "", err
		}
		for _, c := range channels {
			if c.Name == strings.TrimPrefix(name, "#") {
				return c.ID, nil
			}
		}
		if query.Cursor = next; next == "" {
			break
		}
	}
	return "", nil
}

// isChannelID tells a channel's ID from its name, which has no capitals.
func isChannelID(s string) bool {
	return len(s) >= 8 && strings.ContainsAny(s[:1], "CGD") && strings.ToUpper(s) == s && !strings.ContainsAny(s, "-_")
}

// oldest is the ts from which on a cut-off attempt may have posted.
func oldest(m notify.Notification) string {
	if m.DoubtfulSince.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.000000", m.DoubtfulSince.Add(-clockSlack).Unix())
}

// mayNotLook drops errors that say that this bot cannot search: then there is
// nothing to wait for. Others pass, and the search is tried again.
func mayNotLook(err error) error {
	if err == nil || notify.IsMisconfigured(err) || errors.Is(err, errGone) || errors.Is(err, errShape) || strings.Contains(err.Error(), "unknown_method") {
		return nil
	}
	return err
}
