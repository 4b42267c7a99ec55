package agent

import (
	"fmt"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/console"
	"github.com/esawatch/esawatch/notify/slack"
)

func (b *builder) receivers() {
	for i := range b.plan.Config.Receivers {
		r := &b.plan.Config.Receivers[i]
		notifier, err := buildNotifier(r, b.opts)
		if err != nil {
			b.fail(r.Path()+"."+r.Kind(), err)
			continue
		}
		b.plan.Receivers = append(b.plan.Receivers, outbox.Receiver{
			Translate: b.translator(r.Lang),
			Name:      r.Name, Notifier: notifier, SendResolved: r.SendResolved, Lang: r.Lang,
			Match: outbox.Match{
				Severity: texts(r.Match.Severity), Fault: texts(r.Match.Fault),
				Site: r.Match.Site, Labels: r.Match.Labels,
			},
		})
	}
}

// translator words results in a language; nil for the one that they are in.
// The result of a check that has left the configuration stays as it is.
func (b *builder) translator(lang string) func(checks.Result) checks.Result {
	if lang == "en" {
		return nil
	}
	byName := b.checksByName()
	return func(r checks.Result) checks.Result {
		if c := byName[checks.FullName(r.Site, r.Check)]; c != nil {
			return c.In(lang, r)
		}
		return r
	}
}

func (b *builder) checksByName() map[string]*checks.Check {
	byName := make(map[string]*checks.Check, len(b.plan.Checks))
	for _, c := range b.plan.Checks {
		byName[c.FullName()] = c
	}
	return byName
}

// buildNotifier is the one place that knows every kind of receiver.
func buildNotifier(r *config.Receiver, opts BuildOptions) (notify.Notifier, error) {
	switch {
	case r.Slack != nil:
		return buildSlack(r.Slack, opts)
	case r.Console != nil:
		return console.New(console.Options{Writer: opts.Console, Color: opts.Color, Width: opts.Width}), nil
	}
	return nil, fmt.Errorf("receivers of kind %s cannot be used yet", r.Kind())
}

func buildSlack(s *config.Slack, opts BuildOptions) (notify.Notifier, error) {
	o := slack.Options{Channel: s.Channel, Mention: s.Mention, APIURL: s.APIURL, Logger: opts.Log}
	if s.Token.IsSet() {
		o.Token = s.Token.Get
	}
	if s.WebhookURL.IsSet() {
		o.WebhookURL = s.WebhookURL.Get
	}
	return slack.New(o)
}

// texts are the values of a list of a string type.
func texts[T ~string](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}
