// Package webhook tells incidents to any HTTP server, in the payload with which
// Alertmanager does.
package webhook

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/alertmanager"
)

// SignatureHeader holds "sha256=" and the hex HMAC-SHA256 of the body.
const SignatureHeader = "X-Esawatch-Signature"

// Options say where to tell. The secrets are asked anew for each notification,
// so that a changed one is picked up.
type Options struct {
	URL     func() (string, error)
	Secret  func() (string, error) // the key of the signature; nil for none
	Headers map[string]string      // sent beside ours

	Timeout time.Duration // of one request; notify.DefaultTimeout when 0
	// Transport makes the connections; notify.Transport() when nil.
	Transport http.RoundTripper
}

// Notifier is a notify.Notifier for one webhook.
type Notifier struct {
	options Options
	client  *http.Client
}

var _ notify.Notifier = (*Notifier)(nil)

// New makes a Notifier. An error says which option is wrong.
func New(o Options) (*Notifier, error) {
	if o.URL == nil {
		return nil, errors.New("webhook: want a URL")
	}
	if o.Transport == nil {
		o.Transport = notify.Transport()
	}
	return &Notifier{
		options: o,
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

// Notify posts m: see notify.Notifier. The same m gives the same body, to the
// byte, so that a server can tell a repetition by its signature.
func (n *Notifier) Notify(ctx context.Context, m notify.Notification) (notify.Receipt, error) {
	target, err := notify.ReadSecret(n.options.URL, "url")
	if err != nil {
		return m.Receipt, fmt.Errorf("webhook: %w", err)
	}
	key, err := notify.ReadSecret(n.options.Secret, "secret")
	if err != nil {
		return m.Receipt, fmt.Errorf("webhook: %w", err)
	}
	body, receipt, err := payload(m)
	if err != nil {
		return m.Receipt, notify.Permanent(fmt.Errorf("webhook: %w", err))
	}
	if err := n.post(ctx, target, key, body); err != nil {
		return alertmanager.Doubt(m), fmt.Errorf("webhook: %w", notify.Redact(err, n.secrets(target, key)...))
	}
	return receipt, nil
}

func (n *Notifier) post(ctx context.Context, target, key string, body []byte) error {
	header := http.Header{"User-Agent": {"esawatch"}}
	for name, value := range n.options.Headers {
		header.Set(name, value)
	}
	if key != "" {
		header.Set(SignatureHeader, Sign([]byte(key), body))
	}
	answer, err := notify.Post(ctx, n.client, target, header, body, false)
	if err != nil {
		return err
	}
	return answer.Err(reason(answer), "check the URL and the credentials in headers")
}

// Sign is the value of SignatureHeader for a body.
func Sign(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// reason is what the server said beside a refusal, unless it is a page.
func reason(a notify.Answer) string {
	if strings.HasPrefix(a.ContentType, "text/html") {
		return ""
	}
	return string(a.Body)
}

// secrets is what must be in no error: the key, the URL and what the headers hold.
func (n *Notifier) secrets(target, key string) []string {
	all := append(notify.URLSecrets(target), key)
	for _, value := range n.options.Headers {
		for _, s := range []string{value, value[strings.LastIndexByte(value, ' ')+1:]} { // "Bearer TOKEN"
			if len(s) >= notify.ShortestSecret {
				all = append(all, s)
			}
		}
	}
	return all
}
