// Package alertmanager tells incidents to Prometheus Alertmanagers, an alert a
// check, and holds what else speaks their language: the labels, the annotations
// and the ends of alerts.
package alertmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/esawatch/esawatch/notify"
)

const (
	// DefaultInterval is how often an alert that fires is told again.
	DefaultInterval = time.Minute
	// lifetimes is for how many intervals an alert holds by itself: long enough
	// for a restart of ours, and as long as Alertmanager's own resolve_timeout.
	lifetimes = 5
	// maxBatch is how many alerts go into one request.
	maxBatch = 256
)

// Options say whom to tell.
type Options struct {
	// URLs are the Alertmanagers, without the path of the API. Those of a
	// cluster are listed one by one: they tell each other what was notified, but
	// not of alerts.
	URLs []string

	Interval time.Duration // between two tellings of the same; DefaultInterval when 0
	Timeout  time.Duration // of one request; notify.DefaultTimeout when 0
	// Transport makes the connections; notify.Transport() when nil.
	Transport http.RoundTripper
	// Logger hears of instances that do not take alerts; nil for none.
	Logger *slog.Logger
}

// Notifier is a notify.Resender for one Alertmanager or the members of a
// cluster.
type Notifier struct {
	interval  time.Duration
	client    *http.Client
	instances []*instance
	log       *slog.Logger
}

var _ notify.Resender = (*Notifier)(nil)

// New makes a Notifier. An error says which option is wrong.
func New(o Options) (*Notifier, error) {
	if len(o.URLs) == 0 {
		return nil, errors.New("alertmanager: want at least one URL")
	}
	if o.Transport == nil {
		o.Transport = notify.Transport()
	}
	n := &Notifier{
		interval: cmp.Or(o.Interval, DefaultInterval),
		client: &http.Client{
			Transport:     o.Transport,
			Timeout:       cmp.Or(o.Timeout, notify.DefaultTimeout),
			CheckRedirect: notify.NoRedirect,
		},
		log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
	}
	for i, s := range o.URLs {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || notify.WebURL(s) == "" {
			// Not quoted: there may be a password in it.
			return nil, fmt.Errorf("alertmanager: urls[%d] is not an http or https URL", i)
		}
		n.instances = append(n.instances, newInstance(s, u))
	}
	return n, nil
}

// Close closes idle connections.
func (n *Notifier) Close() error {
	n.client.CloseIdleConnections()
	return nil
}

// Notify tells m to every Alertmanager: see notify.Notifier. It is told when one
// of them has taken it; the others are told again with the next Notify, for
// which Resend asks.
func (n *Notifier) Notify(ctx context.Context, m notify.Notification) (notify.Receipt, error) {
	now := time.Now()
	alerts, told := Next(m)
	bodies, err := encode(alerts, now.Add(lifetimes*n.interval))
	if err != nil {
		return m.Receipt, notify.Permanent(fmt.Errorf("alertmanager: %w", err))
	}
	behind, err := n.tellAll(ctx, bodies)
	if err != nil {
		return Doubt(m), fmt.Errorf("alertmanager: %w", err)
	}
	if behind == 0 {
		told.Ended = nil
	}
	told.Ended = n.standing(told.Ended, now)
	return told.Receipt(), nil
}

// Resend implements notify.Resender. What fires is told again each interval.
// What has ended is told again for as long as an instance that has missed it may
// hold it for firing; by itself that forgets it after its lifetime.
func (n *Notifier) Resend(r notify.Receipt) time.Duration {
	t := Read(r)
	switch {
	case len(t.Firing) > 0:
		return n.interval
	case len(n.standing(t.Ended, time.Now())) > 0:
		return n.interval / 2
	}
	return 0
}

// standing is those of ended whose end matters still.
func (n *Notifier) standing(ended []Known, now time.Time) []Known {
	var still []Known
	for _, k := range ended {
		if now.Before(k.EndsAt.Add(lifetimes * n.interval)) {
			still = append(still, k)
		}
	}
	return still
}
