// Package slack tells incidents to a Slack channel. With a bot token each
// incident is one message, updated in place, its history in the thread. An
// incoming webhook can neither update nor reply, so with one every change is a
// message of its own.
package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/esawatch/esawatch/notify"
)

// DefaultAPIURL is where Slack's Web API is.
const DefaultAPIURL = "https://slack.com/api/"

// interval is the pace that Slack allows for messages to one channel.
const interval = time.Second

// Options say where to tell. Exactly one of Token and WebhookURL is set; both
// are asked anew for each notification, so that a changed secret is picked up.
type Options struct {
	Token      func() (string, error) // of a bot, with the scope chat:write
	WebhookURL func() (string, error)
	Channel    string // name ("#oncall") or ID; with a token only
	Mention    string // whom the first message and a rise to critical call; "" for nobody

	APIURL   string        // DefaultAPIURL when ""
	Timeout  time.Duration // of one request; notify.DefaultTimeout when 0
	Interval time.Duration // between two messages; one second when 0
	// Transport makes the connections; notify.Transport() when nil.
	Transport http.RoundTripper
	// Logger hears of a message that Slack took only in its short form; nil for none.
	Logger *slog.Logger
}

// Notifier is a notify.Notifier for one Slack channel.
type Notifier struct {
	options Options
	mention string // as Slack wants it
	client  *http.Client
	posts   *rate.Limiter
	updates *rate.Limiter // which Slack counts apart from new messages
	log     *slog.Logger
}

var _ notify.Notifier = (*Notifier)(nil)

// New makes a Notifier. An error says which option is wrong.
func New(o Options) (*Notifier, error) {
	if (o.Token == nil) == (o.WebhookURL == nil) {
		return nil, errors.New("slack: want either a token or a webhook URL")
	}
	if o.Token != nil && o.Channel == "" {
		return nil, errors.New("slack: a token needs a channel")
	}
	mention, err := parseMention(o.Mention)
	if err != nil {
		return nil, err
	}
	o.APIURL = cmp.Or(o.APIURL, DefaultAPIURL)
	if u, err := url.Parse(o.APIURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("slack: api_url %q is not a URL", o.APIURL)
	}
	// slack-go puts the method right behind it.
	if !strings.HasSuffix(o.APIURL, "/") {
		o.APIURL += "/"
	}
	if o.Transport == nil {
		o.Transport = notify.Transport()
	}
	pace := rate.Every(cmp.Or(o.Interval, interval))
	return &Notifier{
		options: o,
		mention: mention,
		client: &http.Client{
			Transport:     o.Transport,
			Timeout:       cmp.Or(o.Timeout, notify.DefaultTimeout),
			CheckRedirect: notify.NoRedirect,
		},
		posts:   rate.NewLimiter(pace, 1),
		updates: rate.NewLimiter(pace, 1),
		log:     cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
	}, nil
}

// Close closes idle connections.
func (n *Notifier) Close() error {
	n.client.CloseIdleConnections()
	return nil
}

// Notify tells m: see notify.Notifier. With a token the receipt is worth keeping
// beside an error too: it says which part of the story is already told.
func (n *Notifier) Notify(ctx context.Context, m notify.Notification) (notify.Receipt, error) {
	source, tell := n.options.Token, n.notifyBot
	if n.options.WebhookURL != nil {
		source, tell = n.options.WebhookURL, n.notifyWebhook
	}
	secret, err := source()
	if err != nil {
		return m.Receipt, notify.Misconfigured(fmt.Errorf("slack: read the secret: %w", err))
	}
	secret = strings.TrimSpace(secret)
	if secret == "" {
		return m.Receipt, notify.Misconfigured(errors.New("slack: the token or webhook URL is empty"))
	}
	receipt, err := tell(ctx, secret, m)
	return receipt, notify.Redact(err, secrets(secret)...)
}

// secrets is what must not be seen of a secret: itself and, of a webhook's URL,
// its path, which an error may hold without the host.
func secrets(secret string) []string {
	all := []string{secret}
	if u, err := url.Parse(secret); err == nil && len(u.Path) > 1 {
		all = append(all, strings.TrimPrefix(u.Path, "/"))
		if last := u.Path[strings.LastIndex(u.Path, "/")+1:]; len(last) >= 8 {
			all = append(all, last)
		}
	}
	return all
}
