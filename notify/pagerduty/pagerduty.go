// Package pagerduty tells incidents to a PagerDuty service by its Events API
// v2: one alert an incident, triggered, changed and resolved under one key.
package pagerduty

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// DefaultURL is where events go.
const DefaultURL = "https://events.pagerduty.com/v2/enqueue"

// Options say where to tell.
type Options struct {
	// RoutingKey of an integration "Events API v2", asked anew for each
	// notification, so that a changed one is picked up.
	RoutingKey func() (string, error)

	URL     string        // DefaultURL when ""; the EU has its own
	Timeout time.Duration // of one request; notify.DefaultTimeout when 0
	// Transport makes the connections; notify.Transport() when nil.
	Transport http.RoundTripper
}

// Notifier is a notify.Notifier for one PagerDuty service.
type Notifier struct {
	options Options
	client  *http.Client
}

var _ notify.Notifier = (*Notifier)(nil)

// New makes a Notifier. An error says which option is wrong.
func New(o Options) (*Notifier, error) {
	if o.RoutingKey == nil {
		return nil, errors.New("pagerduty: want a routing key")
	}
	o.URL = cmp.Or(o.URL, DefaultURL)
	if notify.WebURL(o.URL) == "" {
		return nil, fmt.Errorf("pagerduty: url %q is not an http or https URL", o.URL)
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

// Notify tells m: see notify.Notifier. Nobody is woken for what is over: an incident
// that ended before PagerDuty heard of it is only resolved, of which PagerDuty takes
// no notice unless a trigger came through whose answer was lost.
func (n *Notifier) Notify(ctx context.Context, m notify.Notification) (notify.Receipt, error) {
	key, err := n.options.RoutingKey()
	if err != nil {
		return m.Receipt, notify.Misconfigured(fmt.Errorf("pagerduty: read routing_key: %w", err))
	}
	if key = strings.TrimSpace(key); key == "" {
		return m.Receipt, notify.Misconfigured(errors.New("pagerduty: routing_key is empty"))
	}
	e := eventOf(m)
	if err := n.send(ctx, key, e); err != nil {
		return m.Receipt, fmt.Errorf("pagerduty: %s: %w", e.Action, err)
	}
	return m.Receipt, nil
}

// send posts one event. No error of it holds the routing key.
func (n *Notifier) send(ctx context.Context, key string, e event) error {
	e.RoutingKey = key
	body, err := json.Marshal(e)
	if err != nil {
		return notify.Permanent(fmt.Errorf("encode: %w", err))
	}
	answer, err := notify.Post(ctx, n.client, n.options.URL, http.Header{"User-Agent": {"esawatch"}}, body, true)
	if err == nil {
		err = judge(answer)
	}
	return notify.Redact(err, key)
}

// said is PagerDuty's answer, to an event that it takes and to one that it does
// not.
type said struct {
	Status  string   `json:"status"`
	Message string   `json:"message"`
	Errors  []string `json:"errors"`
}

// judge turns an answer into an error of notify's kinds, nil for PagerDuty's own
// "accepted".
func judge(a notify.Answer) error {
	var s said
	broken := json.Unmarshal(a.Body, &s)
	if a.OK() {
		if a.Status != http.StatusAccepted || broken != nil || s.Status != "success" {
			return notify.Because(notify.ReasonAnswer,
				fmt.Errorf("HTTP status %d: not an answer of PagerDuty: %q", a.Status, notify.Line(string(a.Body), 80)))
		}
		return nil
	}
	why := strings.Join(s.Errors[:min(3, len(s.Errors))], "; ")
	if s.Message != "" && why != "" {
		why = s.Message + ": " + why
	}
	why = cmp.Or(why, s.Message)
	if a.Status == http.StatusBadRequest && badKey(s) {
		err := fmt.Errorf("HTTP status %d: %q", a.Status, notify.Line(why, 200))
		return notify.Misconfigured(fmt.Errorf("%w: set routing_key to the key of an integration \"Events API v2\"", err))
	}
	return a.Err(why, "check routing_key and url")
}

// badKey tells whether it is the routing key that is refused, not the event.
func badKey(s said) bool {
	text := strings.ToLower(s.Status + " " + s.Message + " " + strings.Join(s.Errors, " "))
	return strings.Contains(text, "routing_key") || strings.Contains(text, "routing key") || strings.Contains(text, "invalid key")
}
