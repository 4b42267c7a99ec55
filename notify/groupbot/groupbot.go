// Package groupbot tells incidents to the custom bots of chat groups: of DingTalk,
// Feishu (Lark) and WeCom. Such a bot takes a message and forgets it, so that each
// change is a new one.
package groupbot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Options say where to tell. The secrets are asked anew for each notification,
// so that a changed one is picked up.
type Options struct {
	Service    Service
	WebhookURL func() (string, error)
	Secret     func() (string, error) // signs what is sent; nil where the bot asks for no signature
	// Mention is who is called when something is new: one or several, separated by
	// spaces, of "all", phone numbers and user IDs.
	Mention string

	Timeout time.Duration // of one request; notify.DefaultTimeout when 0
	// Transport makes the connections; notify.Transport() when nil.
	Transport http.RoundTripper
	Location  *time.Location // of the times shown; time.Local when nil
}

// Notifier is a notify.Notifier for one bot.
type Notifier struct {
	options  Options
	dialect  dialect
	mention  mention
	location *time.Location
	client   *http.Client
}

var _ notify.Notifier = (*Notifier)(nil)

// New makes a Notifier. An error says which option is wrong.
func New(o Options) (*Notifier, error) {
	d, ok := dialects[o.Service]
	switch {
	case !ok:
		return nil, fmt.Errorf("no chat service %q", o.Service)
	case o.WebhookURL == nil:
		return nil, fmt.Errorf("%s: want a webhook URL", o.Service)
	case o.Secret != nil && d.sign == nil:
		return nil, fmt.Errorf("%s: its bots know no signature", o.Service)
	}
	who, err := d.parseMention(o.Mention)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Service, err)
	}
	if o.Transport == nil {
		o.Transport = notify.Transport()
	}
	return &Notifier{
		options: o, dialect: d, mention: who,
		location: cmp.Or(o.Location, time.Local),
		client: &http.Client{
			Transport:     o.Transport,
			Timeout:       cmp.Or(o.Timeout, notify.DefaultTimeout),
			CheckRedirect: notify.NoRedirect,
		},
	}, nil
}

// Close closes idle connections.
func (n *Notifier) Close() error {
	n.client.CloseIdleConnections()
	return nil
}

// Notify posts m: see notify.Notifier. The receipt remembers which conditions were
// explained. Nothing tells whether a message whose answer was lost has arrived: it
// is sent again.
func (n *Notifier) Notify(ctx context.Context, m notify.Notification) (notify.Receipt, error) {
	target, err := notify.ReadSecret(n.options.WebhookURL, "webhook_url")
	if err != nil {
		return m.Receipt, fmt.Errorf("%s: %w", n.options.Service, err)
	}
	key, err := notify.ReadSecret(n.options.Secret, "secret")
	if err != nil {
		return m.Receipt, fmt.Errorf("%s: %w", n.options.Service, err)
	}
	for _, limit := range []int{n.dialect.limit, n.dialect.limit / 4} {
		text, explained := n.render(m, limit)
		if callsFor(m) {
			text.mention = n.mention
		}
		err = n.post(ctx, target, key, text)
		if err == nil {
			return notify.Receipt{"explained": strings.Join(explained, " ")}, nil
		}
		if !notify.IsPermanent(err) {
			break // else it may be too long after all
		}
	}
	return m.Receipt, fmt.Errorf("%s: %w", n.options.Service, err)
}

// post sends a message and judges the answer. The services say in its body whether
// they took the message, mostly with status 200.
func (n *Notifier) post(ctx context.Context, target, key string, m message) error {
	u, err := url.Parse(target)
	if err != nil {
		return notify.Misconfigured(errors.New("webhook_url is not a URL"))
	}
	payload := n.dialect.body(m)
	if key != "" {
		n.dialect.sign(payload, u, key, time.Now())
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // three bytes for one would make it too long
	if err := encoder.Encode(payload); err != nil {
		return notify.Permanent(err)
	}
	header := http.Header{"User-Agent": {"esawatch"}, "Content-Type": {"application/json; charset=utf-8"}}
	answer, err := notify.Post(ctx, n.client, u.String(), header, body.Bytes(), true)
	if err == nil {
		err = n.dialect.judge(answer)
	}
	secrets := append(notify.URLSecrets(target), notify.URLSecrets(u.String())...)
	return notify.Redact(err, append(secrets, key)...)
}

// callsFor tells whether m is what people are to be called for: a new incident, or
// one that has become critical.
func callsFor(m notify.Notification) bool {
	rose := slices.ContainsFunc(m.Events, func(e notify.Event) bool { return e.Kind == "severity" })
	return m.Firing && (m.Receipt == nil || rose && m.Severity == "critical")
}
