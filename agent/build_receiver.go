package agent

import (
	"fmt"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/alertmanager"
	"github.com/esawatch/esawatch/notify/console"
	"github.com/esawatch/esawatch/notify/email"
	"github.com/esawatch/esawatch/notify/groupbot"
	"github.com/esawatch/esawatch/notify/pagerduty"
	"github.com/esawatch/esawatch/notify/slack"
	"github.com/esawatch/esawatch/notify/webhook"
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
	case r.Webhook != nil:
		return webhook.New(webhook.Options{URL: getter(r.Webhook.URL), Secret: getter(r.Webhook.Secret), Headers: r.Webhook.Headers})
	case r.Alertmanager != nil:
		return alertmanager.New(alertmanager.Options{URLs: r.Alertmanager.URLs, Logger: opts.Log})
	case r.PagerDuty != nil:
		return pagerduty.New(pagerduty.Options{RoutingKey: getter(r.PagerDuty.RoutingKey), URL: r.PagerDuty.URL})
	case r.DingTalk != nil:
		return buildBot(groupbot.DingTalk, &r.DingTalk.Bot, getter(r.DingTalk.Secret))
	case r.Feishu != nil:
		return buildBot(groupbot.Feishu, &r.Feishu.Bot, getter(r.Feishu.Secret))
	case r.WeCom != nil:
		return buildBot(groupbot.WeCom, r.WeCom, nil)
	case r.Email != nil:
		return buildEmail(r.Email, opts)
	case r.Console != nil:
		return console.New(console.Options{Writer: opts.Console, Color: opts.Color, Width: opts.Width}), nil
	}
	return nil, fmt.Errorf("a receiver of no kind") // the configuration allows none
}

func buildSlack(s *config.Slack, opts BuildOptions) (notify.Notifier, error) {
	return slack.New(slack.Options{Token: getter(s.Token), WebhookURL: getter(s.WebhookURL),
		Channel: s.Channel, Mention: s.Mention, APIURL: s.APIURL, Logger: opts.Log})
}

func buildBot(service groupbot.Service, b *config.Bot, secret func() (string, error)) (notify.Notifier, error) {
	return groupbot.New(groupbot.Options{Service: service, WebhookURL: getter(b.WebhookURL), Secret: secret, Mention: b.Mention})
}

func buildEmail(e *config.Email, opts BuildOptions) (notify.Notifier, error) {
	o := email.Options{Smarthost: e.Smarthost, From: e.From, To: e.To, Username: e.Username,
		RequireTLS: e.RequireTLS, Logger: opts.Log}
	if e.Username != "" {
		o.Password = getter(e.Password)
	}
	return email.New(o)
}

// getter asks for a secret; nil for one that is not set.
func getter(s config.Secret) func() (string, error) {
	if !s.IsSet() {
		return nil
	}
	return s.Get
}

// texts are the values of a list of a string type.
func texts[T ~string](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}
