package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify"
)

// defaultPause is the pause after a 429 that does not name one.
const defaultPause = 30 * time.Second

var (
	// errGone: the message that was to be updated is not there any more.
	errGone = errors.New("slack: the message is gone")
	// errShape: Slack does not take a message of this form, whoever sends it.
	errShape = errors.New("slack does not take the message")
)

// What Slack's error codes mean for us. The advice is a sentence of what to do.
const (
	newToken   = "create a bot token (xoxb-…) with the scope chat:write and set it as token"
	newWebhook = "create a new incoming webhook and set its URL as webhook_url"
	findRoom   = "check the channel's name, and invite the app to it with /invite"
	askAdmin   = "ask a workspace admin to allow the app to post there"
)

// advice is what to do about errors that only the operator can mend.
func advice(code string) string {
	switch code {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type", "no_permission":
		return newToken
	case "invalid_token", "no_service", "no_service_id", "no_team", "no_active_hooks", "user_not_found":
		return newWebhook
	case "missing_scope":
		return "add the missing scope to the app and install it again"
	case "channel_not_found", "not_in_channel", "method_not_supported_for_channel_type":
		return findRoom
	case "is_archived", "channel_is_archived":
		return "unarchive the channel or choose another one"
	case "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel", "restricted_action_non_threadable_channel",
		"posting_to_general_channel_denied", "action_prohibited", "access_denied", "ekm_access_denied", "accesslimited", "enterprise_is_restricted",
		"team_access_not_granted", "org_login_required", "team_disabled", "two_factor_setup_required":
		return askAdmin
	}
	return ""
}

// isGone tells whether code means that a message cannot be updated (any more).
func isGone(code string) bool {
	return slices.Contains([]string{"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}, code)
}

// isShape tells whether code is about the form of the message.
func isShape(code string) bool {
	return slices.Contains([]string{"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text", "too_many_attachments",
		"invalid_attachments", "invalid_payload", "invalid_arguments", "metadata_too_large", "invalid_metadata_format", "invalid_metadata_schema",
		"missing_text_or_fallback_or_attachments", "markdown_text_conflict", "cannot_parse_attachment"}, code)
}

// isThrottle tells whether code asks to come back later.
func isThrottle(code string) bool {
	return slices.Contains([]string{"ratelimited", "rate_limited", "message_limit_exceeded"}, code)
}

// explain turns what a call of the Web API came back with into an error of
// notify's kinds: action is what was tried.
func explain(action string, err error, e *exchange, n *Notifier) error {
	var refused slackapi.SlackErrorResponse
	var status slackapi.StatusCodeError
	switch {
	case err == nil:
		return nil
	case e.broken != nil:
		return fmt.Errorf("slack: %s: %w", action, notify.TransportError(e.broken))
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("slack: %s: %w", action, context.Canceled)
	case errors.As(err, &refused):
		return explainCode(action, notify.Line(refused.Err, 80), notify.Line(refused.Needed, 80), e, n.options.Channel)
	case errors.As(err, &status):
		return explainStatus(action, e, "check api_url")
	case e.status == http.StatusOK:
		// The answer came whole, so it is the answer that is wrong.
		return badAnswer(action, e)
	}
	return fmt.Errorf("slack: %s: %w", action, notify.TransportError(err))
}

// explainCode is for an answer that names its error.
func explainCode(action, code, needed string, e *exchange, channel string) error {
	text := fmt.Sprintf("slack: %s: %s", action, code)
	if channel != "" && (strings.Contains(code, "channel") || strings.Contains(code, "archived")) {
		text += fmt.Sprintf(" (%q)", channel)
	}
	if needed != "" {
		text += " (needs " + needed + ")"
	}
	switch {
	case isThrottle(code):
		return notify.RetryAfter(errors.New(text), cmp.Or(e.retryAfter, defaultPause))
	case isGone(code):
		return fmt.Errorf("%w: %s", errGone, code)
	case isShape(code):
		return fmt.Errorf("slack: %s: %w: %s", action, errShape, code)
	case advice(code) != "":
		return notify.Misconfigured(errors.New(text + ": " + advice(code)))
	}
	// internal_error, fatal_error, service_unavailable and what is not known:
	// it may pass.
	return notify.Because(notify.ReasonServer, errors.New(text))
}

// explainStatus is for an answer that has only its HTTP status.
func explainStatus(action string, e *exchange, hint string) error {
	err := fmt.Errorf("slack: %s: HTTP status %d", action, e.status)
	switch {
	case e.status == http.StatusTooManyRequests:
		return notify.RetryAfter(err, cmp.Or(e.retryAfter, defaultPause))
	case e.status >= 500 && e.retryAfter > 0:
		return notify.RetryAfter(notify.Because(notify.ReasonServer, err), e.retryAfter)
	case e.status >= 500:
		return notify.Because(notify.ReasonServer, err)
	case e.status == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("slack: %s: %w: HTTP status %d", action, errShape, e.status)
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden, e.status == http.StatusNotFound, e.status == http.StatusGone:
		return notify.Misconfigured(fmt.Errorf("%w: %s", err, hint))
	}
	// A redirect, or a status that Slack does not use.
	return notify.Because(notify.ReasonAnswer, fmt.Errorf("%w: this is not Slack", err))
}

// badAnswer is for a 200 that is not Slack's.
func badAnswer(action string, e *exchange) error {
	return notify.Because(notify.ReasonAnswer, fmt.Errorf("slack: %s: not an answer of Slack: %q", action, notify.Line(string(e.body), 80)))
}
