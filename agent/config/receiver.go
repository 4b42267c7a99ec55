package config

import (
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Receiver is where notifications go. Exactly one kind is not nil.
type Receiver struct {
	Name         string `yaml:"name" rule:"name" doc:"its name in logs and metrics, and in the lists receivers: 1 to 63 of A-Z a-z 0-9 . _ -"`
	Match        Match  `yaml:"match" doc:"which alerts it is told of, where neither site nor check names its receivers; every part that is given has to fit"`
	SendResolved bool   `yaml:"send_resolved" doc:"tell the end too"`
	Lang         string `yaml:"lang" rule:"enum:en|zh" doc:"the language of its messages"`

	Slack        *Slack        `yaml:"slack" doc:"Slack, with a bot token and a channel (one message an incident, updated in place) or an incoming webhook (a message a change)"`
	Webhook      *Webhook      `yaml:"webhook" doc:"a POST of the Alertmanager webhook payload"`
	Alertmanager *Alertmanager `yaml:"alertmanager" doc:"one or more Alertmanagers, all of which are told"`
	PagerDuty    *PagerDuty    `yaml:"pagerduty" doc:"PagerDuty, by Events API v2"`
	DingTalk     *SignedBot    `yaml:"dingtalk" doc:"a custom bot of a DingTalk group"`
	Feishu       *SignedBot    `yaml:"feishu" doc:"a custom bot of a Feishu or Lark group"`
	WeCom        *Bot          `yaml:"wecom" doc:"a bot of a WeCom group"`
	Email        *Email        `yaml:"email" doc:"mail through an SMTP server"`
	Console      *Console      `yaml:"console" doc:"this program's standard output"`

	Pos Pos `yaml:"-"`
}

// Path is where the receiver stands in the configuration, "receivers[oncall]".
func (r Receiver) Path() string { return "receivers[" + r.Name + "]" }

// Kind is the key of the receiver's kind: "slack", "webhook", …
func (r Receiver) Kind() string {
	switch {
	case r.Slack != nil:
		return "slack"
	case r.Webhook != nil:
		return "webhook"
	case r.Alertmanager != nil:
		return "alertmanager"
	case r.PagerDuty != nil:
		return "pagerduty"
	case r.DingTalk != nil:
		return "dingtalk"
	case r.Feishu != nil:
		return "feishu"
	case r.WeCom != nil:
		return "wecom"
	case r.Email != nil:
		return "email"
	case r.Console != nil:
		return "console"
	}
	return ""
}

// Match selects alerts. Every part that is given has to fit; within a list one
// is enough. The zero Match fits everything.
type Match struct {
	Severity []catalog.Severity `yaml:"severity" rule:"enum:info|warning|critical" doc:"alerts of one of these severities"`
	Fault    []catalog.Fault    `yaml:"fault" rule:"fault" doc:"alerts whose fault lies in one of these domains"`
	Site     []string           `yaml:"site" rule:"site" doc:"alerts of one of these sites"`
	Labels   map[string]string  `yaml:"labels" rule:"line" key:"label" doc:"alerts with labels of exactly these values"`
}

// Slack is a Slack workspace: Token and Channel (one message an incident,
// updated in place), or WebhookURL (a message a change). Exactly one of Token
// and WebhookURL is set.
type Slack struct {
	Token      Secret `yaml:"token" doc:"a bot token with the scope chat:write"`
	Channel    string `yaml:"channel" rule:"line" doc:"where a bot writes"`
	WebhookURL Secret `yaml:"webhook_url" rule:"url" doc:"an incoming webhook"`
	Mention    string `yaml:"mention" rule:"line" doc:"put in front of what is new, such as <!here> or <@U012345>; empty = nobody"`
	APIURL     string `yaml:"api_url" rule:"url" doc:"where the Slack API is; ends in a slash"`
}

// Webhook is a POST of the Alertmanager webhook payload.
type Webhook struct {
	URL     Secret            `yaml:"url" rule:"url" doc:"where it is sent"`
	Headers map[string]string `yaml:"headers" rule:"line" key:"header" doc:"the headers of the request: name to value"`
	Secret  Secret            `yaml:"secret" doc:"signs the payload in X-Esawatch-Signature; left out = no signature"`
}

// Alertmanager is one or more Alertmanagers, all of which are told.
type Alertmanager struct {
	URLs []string `yaml:"urls" rule:"base_url" doc:"addresses such as http://alertmanager:9093"`
}

// PagerDuty is a PagerDuty service, spoken to by Events API v2.
type PagerDuty struct {
	RoutingKey Secret `yaml:"routing_key" doc:"the integration key of the service"`
	URL        string `yaml:"url" rule:"url?" doc:"where events are sent; empty = PagerDuty's own"`
}

// Bot is the custom bot of a chat group.
type Bot struct {
	WebhookURL Secret `yaml:"webhook_url" rule:"url" doc:"the bot's webhook address, which is a secret"`
	Mention    string `yaml:"mention" rule:"line" doc:"who is called when an incident is new or becomes critical: all, phone numbers (not on Feishu) and user IDs, with spaces between; empty = nobody"`
}

// SignedBot is a Bot that may want to see a signature.
type SignedBot struct {
	Bot    `yaml:",inline"`
	Secret Secret `yaml:"secret" doc:"the key of the signature, if the bot's security settings ask for one"`
}

// Email is mail through an SMTP server.
type Email struct {
	Smarthost  string   `yaml:"smarthost" rule:"hostport" doc:"HOST:PORT of the SMTP server"`
	From       string   `yaml:"from" rule:"mail" doc:"the sender"`
	To         []string `yaml:"to" rule:"mail" doc:"whom it is sent to"`
	Username   string   `yaml:"username" rule:"line" doc:"the user of SMTP authentication, with password; empty = none"`
	Password   Secret   `yaml:"password" doc:"the password of SMTP authentication"`
	RequireTLS bool     `yaml:"require_tls" doc:"send nothing over a connection without TLS"`
}

// Console is this program's standard output.
type Console struct{}

// Maintenance is a time in which nothing is told: either one span, from Start to
// End, or one that comes again: Schedule, Duration and Timezone.
type Maintenance struct {
	Name     string        `yaml:"name" rule:"name" doc:"its name: 1 to 63 of A-Z a-z 0-9 . _ -"`
	Match    Match         `yaml:"match" doc:"which alerts are held back, as a receiver's; empty = all"`
	Schedule string        `yaml:"schedule" rule:"cron?" doc:"when it begins, again and again: a cron line of five fields; with duration"`
	Duration time.Duration `yaml:"duration" rule:"positive" doc:"how long it lasts each time"`
	Timezone string        `yaml:"timezone" rule:"timezone?" doc:"the time zone of the schedule; empty = UTC"`
	Start    time.Time     `yaml:"start" doc:"when it begins, once; with end"`
	End      time.Time     `yaml:"end" doc:"when it ends"`

	Pos Pos `yaml:"-"`
}

// Path is where the maintenance stands in the configuration.
func (m Maintenance) Path() string { return "maintenance[" + m.Name + "]" }

// CatalogOverride is the operator's own words on a condition. What is empty is
// left as the catalog has it.
type CatalogOverride struct {
	Condition   catalog.Condition `yaml:"condition" rule:"condition" doc:"a status code, or a name that esawatch catalog lists"`
	Match       Match             `yaml:"match" doc:"which alerts it is about, as a receiver's; empty = all"`
	Severity    catalog.Severity  `yaml:"severity" rule:"enum?:info|warning|critical" doc:"the severity of the condition; empty = as built in"`
	Owner       string            `yaml:"owner" rule:"line" doc:"who looks after it; empty = as built in"`
	RunbookURL  string            `yaml:"runbook_url" rule:"url?" doc:"your own page; empty = none"`
	StepsBefore []string          `yaml:"steps_before" rule:"text" doc:"what to do before the built-in steps"`
	Steps       []string          `yaml:"steps" rule:"text" doc:"what to do in place of the built-in steps"`
	StepsAfter  []string          `yaml:"steps_after" rule:"text" doc:"what to do after the built-in steps"`

	Path string `yaml:"-"` // where it stands in the configuration, "catalog[0]"
	Pos  Pos    `yaml:"-"`
}
