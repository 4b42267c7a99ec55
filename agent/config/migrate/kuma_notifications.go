package migrate

import (
	"strings"
)

// notification is the name of the receiver that a notification has become; ""
// when it cannot, which is noted once.
func (k *kuma) notification(id string, m at) string {
	if name, known := k.told[id]; known {
		return name
	}
	k.told[id] = ""
	n, known := k.notifications[id]
	if !known {
		m.note("its notification "+quoted(id)+" is not carried over: it is not in this file", "add the receiver, or export the notifications too: see esawatch import uptime-kuma --help")
		return ""
	}
	n = n.named(n.str("name"))
	if active := n.column("active"); !active.missing() && !n.yes("active") {
		n.note("is not carried over: it is not active", "")
		return ""
	}
	settings := n
	if n.has("config") {
		settings = k.embedded(n.key("config"))
	}
	if r := k.kind(n, settings, n.str("name")); r != nil {
		k.told[id] = r.name
	}
	return k.told[id]
}

// kind makes the receiver of a notification, nil when esawatch has none like it.
func (k *kuma) kind(n, s at, name string) *receiver {
	if !s.is(mapping) {
		return nil
	}
	kind := s.str("type")
	switch strings.ToLower(kind) {
	case "slack":
		return k.slack(n, s, name)
	case "webhook":
		return k.webhook(n, s, name)
	case "pagerduty":
		return k.pagerduty(n, s, name)
	case "dingding":
		return k.dingtalk(n, s, name)
	case "feishu":
		return k.bot(n, name, "feishu", s.key("feishuWebHookUrl"), "")
	case "wecom":
		return k.bot(n, name, "wecom", s.key("weComBotKey"), "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=")
	case "smtp":
		return k.smtp(n, s, name)
	case "alertmanager":
		url := literal(s.str("alertmanagerURL"))
		if url == "" || k.check("receivers.alertmanager.urls", url) != nil {
			n.note("is not carried over: it has no address of an Alertmanager", "")
			return nil
		}
		return k.receiver(name, "alertmanager", newBlock().set("urls", []text{url}))
	}
	n.note("is not carried over: esawatch has no receiver of the kind "+quoted(kind), "use one of slack, dingtalk, feishu, wecom, webhook, alertmanager, pagerduty, email; a webhook speaks as Alertmanager does")
	return nil
}

func (k *kuma) slack(n, s at, name string) *receiver {
	url := s.key("slackwebhookURL")
	if url.text() == "" {
		n.note("is not carried over: it has no webhook", "")
		return nil
	}
	b := newBlock().set("webhook_url", k.secret(url, name+"_webhook_url", url.text()))
	if s.yes("slackchannelnotify") || s.yes("slackchannelmention") {
		b.set("mention", text("<!channel>"))
	}
	if s.str("slackchannel") != "" {
		n.note("its channel is not carried over: an incoming webhook has one of its own", "a bot token takes any channel")
	}
	return k.receiver(name, "slack", b, "With a bot token and a channel instead, an incident is one message, updated in place.")
}

func (k *kuma) dingtalk(n, s at, name string) *receiver {
	r := k.bot(n, name, "dingtalk", s.key("webHookUrl"), "")
	if r == nil {
		return nil
	}
	if key := s.key("secretKey"); key.text() != "" {
		r.settings.set("secret", k.secret(key, name+"_secret", key.text()))
	}
	switch s.str("mentioning") {
	case "everyone":
		r.settings.set("mention", text("all"))
	case "", "nobody":
	default:
		n.note("whom it mentions is not carried over", "mention takes phone numbers and user IDs")
	}
	return r
}

// bot is the bot of a chat group, whose address is its key behind front.
func (k *kuma) bot(n at, name, kind string, key at, front string) *receiver {
	if key.text() == "" {
		n.note("is not carried over: it has no webhook", "")
		return nil
	}
	var comments []string
	if front != "" {
		comments = []string{"The whole address, " + front + " and the key behind it."}
	}
	return k.receiver(name, kind, newBlock().set("webhook_url", k.secret(key, name+"_webhook_url", front+key.text())), comments...)
}

func (k *kuma) webhook(n, s at, name string) *receiver {
	url := s.key("webhookURL")
	if url.text() == "" {
		n.note("is not carried over: it has no URL", "")
		return nil
	}
	b, headers := newBlock().set("url", k.secret(url, name+"_webhook_url", url.text())), newBlock()
	for _, h := range k.embedded(s.key("webhookAdditionalHeaders")).fewPairs() {
		k.webhookHeader(headers, h.at, name, h.name, h.text())
	}
	n.note("is carried over as a webhook, whose payload is Alertmanager's, by POST", "see that what listens there understands it")
	return k.receiver(name, "webhook", b.set("headers", headers))
}

func (k *kuma) pagerduty(n, s at, name string) *receiver {
	key := s.key("pagerdutyIntegrationKey")
	if key.text() == "" {
		n.note("is not carried over: it has no integration key", "")
		return nil
	}
	b := newBlock().set("routing_key", k.secret(key, name+"_routing_key", key.text()))
	if url := literal(s.str("pagerdutyIntegrationUrl")); url != "" && url != "https://events.pagerduty.com/v2/enqueue" {
		if k.check("receivers.pagerduty.url", url) != nil {
			n.note("its URL is not carried over: it is none", "")
		} else {
			b.set("url", url)
		}
	}
	r := k.receiver(name, "pagerduty", b)
	if resolve := s.key("pagerdutyAutoResolve"); !resolve.missing() {
		r.resolved = resolve.text() == "resolve"
	}
	return r
}

func (k *kuma) smtp(n, s at, name string) *receiver {
	var to []text
	for _, key := range []string{"smtpTo", "smtpCC", "smtpBCC"} {
		for part := range strings.SplitSeq(s.str(key), ",") {
			if t := literal(strings.TrimSpace(part)); t != "" {
				to = append(to, t)
			}
		}
	}
	if s.yes("smtpIgnoreTLSError") {
		n.note("its ignoring of TLS errors is not carried over: the mail server's certificate is verified", "")
	}
	for _, key := range []string{"customSubject", "customBody", "smtpDkimDomain"} {
		if s.str(key) != "" {
			n.note(key+" is not carried over: esawatch words its mails itself", "")
		}
	}
	return k.mail(n, name, literal(s.str("smtpHost")+":"+s.str("smtpPort")), literal(s.str("smtpFrom")), to,
		literal(s.str("smtpUsername")), s.key("smtpPassword"), func(block) {})
}
