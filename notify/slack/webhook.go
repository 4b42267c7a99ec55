package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// notifyWebhook posts m as a new message: the first time with everything, later
// with what changed. The receipt only remembers that there was a first time.
func (n *Notifier) notifyWebhook(ctx context.Context, hook string, m notify.Notification) (notify.Receipt, error) {
	msg := n.incident(m)
	if m.Receipt != nil {
		msg = n.change(m)
	}
	err := n.postWebhook(ctx, hook, &slackapi.WebhookMessage{
		Text: msg.text, Blocks: &slackapi.Blocks{BlockSet: msg.blocks}, Attachments: msg.attachments(),
	})
	if errors.Is(err, errShape) {
		n.log.Warn("slack refused the layout, sending plain text", "component", "notify/slack", "err", notify.Redact(err, secrets(hook)...))
		err = n.postWebhook(ctx, hook, &slackapi.WebhookMessage{Text: msg.plain})
		if errors.Is(err, errShape) {
			err = notify.Permanent(err)
		}
	}
	if err != nil {
		return m.Receipt, err
	}
	return notify.Receipt{"told": strconv.Itoa(m.Seq)}, nil
}

func (n *Notifier) postWebhook(ctx context.Context, hook string, msg *slackapi.WebhookMessage) error {
	const action = "post to the webhook"
	if notify.WebURL(hook) == "" {
		return notify.Misconfigured(errors.New("slack: webhook_url is not an http or https URL"))
	}
	if err := n.posts.Wait(ctx); err != nil {
		return waitError(ctx, action)
	}
	no := false
	msg.UnfurlLinks, msg.UnfurlMedia = &no, &no
	client, e := n.exchange()
	err := slackapi.PostWebhookCustomHTTPContext(ctx, hook, client, msg)
	var status slackapi.StatusCodeError
	switch {
	case e.broken != nil && (err == nil || e.status == http.StatusOK):
		return fmt.Errorf("slack: %s: %w", action, notify.TransportError(e.broken))
	case err == nil && !accepted(e.body):
		return badAnswer(action, e)
	case err == nil:
		return nil
	case errors.As(err, &status):
		return explainWebhook(action, e)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("slack: %s: %w", action, context.Canceled)
	}
	return fmt.Errorf("slack: %s: %w", action, notify.TransportError(err))
}

// accepted tells whether a 200 is the answer of a webhook: Slack's "ok", or the
// JSON that servers compatible with it send, but not a portal's page.
func accepted(body []byte) bool {
	body = bytes.TrimSpace(body)
	return string(body) == "ok" || len(body) > 0 && body[0] == '{' && json.Valid(body)
}

// explainWebhook reads the word with which a webhook says why it refused.
func explainWebhook(action string, e *exchange) error {
	code := strings.TrimSpace(string(e.body))
	if isThrottle(code) || isShape(code) || advice(code) != "" {
		// A webhook is bound to its channel: none is named in the configuration.
		return explainCode(action, code, "", e, "")
	}
	if e.status == http.StatusBadRequest {
		return fmt.Errorf("slack: %s: %w: HTTP status %d: %q", action, errShape, e.status, notify.Line(code, 80))
	}
	return explainStatus(action, e, newWebhook)
}

// waitError is for a wait for the channel's pace that was broken off: by the
// caller, or because its deadline comes before our turn.
func waitError(ctx context.Context, action string) error {
	err := ctx.Err()
	if err == nil {
		err = context.DeadlineExceeded
	}
	return fmt.Errorf("slack: %s: wait for our turn: %w", action, err)
}
