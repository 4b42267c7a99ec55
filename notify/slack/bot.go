package slack

import (
	"context"
	"errors"
	"slices"

	slackapi "github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"github.com/esawatch/esawatch/notify"
)

// bot is a Notifier for the time of one notification, with its token.
type bot struct {
	*Notifier
	api  *slackapi.Client
	last *exchange // the call that was made last

	token string // so that it can be kept out of the log
}

func (n *Notifier) bot(token string) *bot {
	client, e := n.exchange()
	return &bot{n, slackapi.New(token, slackapi.OptionHTTPClient(client), slackapi.OptionAPIURL(n.options.APIURL)), e, token}
}

// notifyBot brings the incident's message up to date, then tells in its thread
// what is new. Every step that is done is in the receipt, so that another
// attempt goes on from there.
func (n *Notifier) notifyBot(ctx context.Context, token string, m notify.Notification) (notify.Receipt, error) {
	b := n.bot(token)
	t, err := b.bringUp(ctx, m, threadOf(m.Receipt, n.options.Channel))
	if err != nil {
		return t.receipt(), err
	}
	if m.Doubtful && t.replied < m.Seq {
		if t.replied, err = b.findReplies(ctx, m, t); err != nil {
			return t.receipt(), err
		}
	}
	events := slices.DeleteFunc(slices.Clone(m.Events), func(e notify.Event) bool { return e.Seq <= t.replied })
	if len(events) > 0 {
		if err := b.reply(ctx, m, t, events); err != nil {
			return t.receipt(), err
		}
	}
	t.replied = max(t.replied, m.Seq)
	return t.receipt(), nil
}

// bringUp makes the incident's message show m: it updates the one there is, or
// posts one. The thread it returns beside an error is what is known to be there.
func (b *bot) bringUp(ctx context.Context, m notify.Notification, t thread) (thread, error) {
	if t.ts != "" {
		err := b.update(ctx, m, t)
		if !errors.Is(err, errGone) {
			return t, err
		}
		t = thread{to: t.to} // someone deleted it
	}
	if m.Doubtful {
		found, err := b.findRoot(ctx, m)
		if err != nil {
			return t, err
		}
		if found.ts != "" {
			err := b.update(ctx, m, found)
			if !errors.Is(err, errGone) {
				return found, err
			}
		}
	}
	return b.post(ctx, m)
}

// post posts the incident's message. It tells everything up to m.Seq, so the
// thread begins with what comes after.
func (b *bot) post(ctx context.Context, m notify.Notification) (thread, error) {
	t := thread{to: b.options.Channel, root: m.Seq, replied: m.Seq}
	err := b.send(ctx, "post the message", b.posts, b.incident(m), func(o ...slackapi.MsgOption) (_ string, err error) {
		t.channel, t.ts, err = b.api.PostMessageContext(ctx, t.to, append(o, metadata(m.ID, kindRoot, m.Seq))...)
		return t.ts, err
	})
	if err != nil {
		return thread{to: t.to}, err
	}
	return t, nil
}

// update brings the incident's message up to date. That pings nobody.
func (b *bot) update(ctx context.Context, m notify.Notification, t thread) error {
	return b.send(ctx, "update the message", b.updates, b.incident(m), func(o ...slackapi.MsgOption) (string, error) {
		_, ts, _, err := b.api.UpdateMessageContext(ctx, t.channel, t.ts, append(o, metadata(m.ID, kindRoot, t.root))...)
		return ts, err
	})
}

// reply tells events in the thread. What somebody should look up for, a
// critical rise or reminder, is shown in the channel too.
func (b *bot) reply(ctx context.Context, m notify.Notification, t thread, events []notify.Event) error {
	return b.send(ctx, "reply in the thread", b.posts, b.history(m, events), func(o ...slackapi.MsgOption) (string, error) {
		o = append(o, slackapi.MsgOptionTS(t.ts), metadata(m.ID, kindReply, m.Seq))
		if loud(m, events) {
			o = append(o, slackapi.MsgOptionBroadcast())
		}
		_, ts, err := b.api.PostMessageContext(ctx, t.channel, o...)
		return ts, err
	})
}

// loud tells whether events are worth the whole channel's attention.
func loud(m notify.Notification, events []notify.Event) bool {
	return m.Firing && m.Severity == "critical" && slices.ContainsFunc(events, func(e notify.Event) bool {
		return e.Kind == "severity" || e.Kind == "reminder"
	})
}

// send makes a call within the channel's pace. A message whose form Slack does
// not take is tried once more as plain text, which is better than silence.
func (b *bot) send(ctx context.Context, action string, pace *rate.Limiter, msg message, call func(...slackapi.MsgOption) (ts string, err error)) error {
	attempt := func(o ...slackapi.MsgOption) error {
		if err := pace.Wait(ctx); err != nil {
			return waitError(ctx, action)
		}
		o = append(o, slackapi.MsgOptionDisableLinkUnfurl(), slackapi.MsgOptionDisableMediaUnfurl())
		ts, err := call(o...)
		if err == nil && ts == "" {
			return badAnswer(action, b.last) // JSON, but not Slack's
		}
		return explain(action, err, b.last, b.Notifier)
	}
	err := attempt(
		slackapi.MsgOptionText(msg.text, false),
		slackapi.MsgOptionBlocks(msg.blocks...),
		slackapi.MsgOptionAttachments(msg.attachments()...))
	if !errors.Is(err, errShape) {
		return err
	}
	b.log.Warn("slack refused the layout, sending plain text", "component", "notify/slack", "err", notify.Redact(err, b.token))
	err = attempt(
		slackapi.MsgOptionText(msg.plain, false),
		slackapi.MsgOptionBlocks(),
		slackapi.MsgOptionAttachments([]slackapi.Attachment{}...))
	if errors.Is(err, errShape) {
		return notify.Permanent(err)
	}
	return err
}
