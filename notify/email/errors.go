package email

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/esawatch/esawatch/notify"
)

// policyPause is the pause after a server put us off by its policy: greylisting,
// or too many mails.
const policyPause = time.Minute

// fatalSetup makes a 5xx an error that the operator can mend, by advice.
func fatalSetup(advice string) func(error) error {
	return func(err error) error { return notify.Misconfigured(fmt.Errorf("%w: %s", err, advice)) }
}

// explain turns what went wrong at a step of the protocol into an error of
// notify's kinds. fatal says what a 5xx means there.
func explain(ctx context.Context, step string, err error, fatal func(error) error) error {
	var refused *textproto.Error
	var broken textproto.ProtocolError
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", step, ctx.Err())
	case errors.As(err, &network) && network.Timeout():
		// The connection's clock and the context's go off at the same time.
		return fmt.Errorf("%s: %w", step, context.DeadlineExceeded)
	case errors.As(err, &refused):
		said := fmt.Errorf("%s: %d %q", step, refused.Code, notify.Line(refused.Msg, 200))
		switch {
		case refused.Code >= 500 && refused.Code < 600:
			return fatal(said)
		case refused.Code == 421 || refused.Code >= 400 && refused.Code < 500 && strings.HasPrefix(refused.Msg, "4.7."):
			return notify.RetryAfter(said, policyPause)
		case refused.Code >= 400 && refused.Code < 500:
			return notify.Because(notify.ReasonServer, said)
		}
		return notify.Because(notify.ReasonAnswer, said)
	case errors.As(err, &broken):
		return notify.Because(notify.ReasonAnswer, fmt.Errorf("%s: not an answer of a mail server: %q", step, notify.Line(broken.Error(), 100)))
	case errors.Is(err, smtp.ErrUnencrypted), errors.Is(err, smtp.ErrWrongHostname):
		return fatal(fmt.Errorf("%s: %w", step, err))
	}
	return fmt.Errorf("%s: %w", step, transportError(ctx, err))
}

// transportError is for a connection that broke, with its reason.
func transportError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return notify.TransportError(err)
}

// clean takes the password out of an error, in each form in which a server can
// echo it.
func (n *Notifier) clean(err error, password string) error {
	if password == "" {
		return err
	}
	encode := base64.StdEncoding.EncodeToString
	return notify.Redact(err, encode([]byte("\x00"+n.options.Username+"\x00"+password)), encode([]byte(password)), password)
}
