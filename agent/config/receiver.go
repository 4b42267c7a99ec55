package config

import (
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Receiver is where notifications go. Exactly one kind is not nil.
type Receiver struct {
	Name         string `yaml:"name" rule:"name"`
	Match        Match  `yaml:"match"`
	SendResolved bool   `yaml:"send_resolved"`
	Lang         string `yaml:"lang" rule:"enum:en|zh"`

	Slack        *Slack        `yaml:"slack"`
	Webhook      *Webhook      `yaml:"webhook"`
	Alertmanager *Alertmanager `yaml:"alertmanager"`
	PagerDuty    *PagerDuty    `yaml:"pagerduty"`
	Email        *Email        `yaml:"email"`
	Console      *Console      `yaml:"console"`

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
	Severity []catalog.Severity `yaml:"severity" rule:"enum:info|warning|critical"`
	Fault    []catalog.Fault    `yaml:"fault" rule:"fault"`
	Site     []string           `yaml:"site" rule:"site"`
	Labels   map[string]string  `yaml:"labels" rule:"line" key:"label"`
}

// Slack is a Slack workspace: Token and Channel (one message an incident,
// updated in place), or WebhookURL (a message a change). Exactly one of Token
// and WebhookURL is set.
type Slack struct {
	Token      Secret `yaml:"token"`
	Channel    string `yaml:"channel" rule:"line"`
	WebhookURL Secret `yaml:"webhook_url" rule:"url"`
	Mention    string `yaml:"mention" rule:"line"` // put in front of a critical message; "" = nobody
	APIURL     string `yaml:"api_url" rule:"url"`  // ends in a slash
}

// Webhook is a POST of the Alertmanager webhook payload.
type Webhook struct {
	URL     Secret            `yaml:"url" rule:"url"`
	Headers map[string]string `yaml:"headers" rule:"line" key:"header"`
	Secret  Secret            `yaml:"secret"` // not set = no signature
}

// Alertmanager is one or more Alertmanagers, all of which are told.
type Alertmanager struct {
	URLs []string `yaml:"urls" rule:"base_url"` // no trailing slash
}

// PagerDuty is a PagerDuty service, spoken to by Events API v2.
type PagerDuty struct {
	RoutingKey Secret `yaml:"routing_key"`
	URL        string `yaml:"url" rule:"url?"` // "" = PagerDuty's own
}

// Email is mail through an SMTP server.
type Email struct {
	Smarthost  string   `yaml:"smarthost" rule:"hostport"`
	From       string   `yaml:"from" rule:"mail"`
	To         []string `yaml:"to" rule:"mail"`
	Username   string   `yaml:"username" rule:"line"` // "" = no authentication
	Password   Secret   `yaml:"password"`
	RequireTLS bool     `yaml:"require_tls"`
}

// Console is this program's standard output.
type Console struct{}

// Maintenance is a time in which nothing is told: either one span, from Start to
// End, or one that comes again: Schedule, Duration and Timezone.
type Maintenance struct {
	Name     string        `yaml:"name" rule:"name"`
	Match    Match         `yaml:"match"`
	Schedule string        `yaml:"schedule" rule:"cron?"` // five fields; "" = one span
	Duration time.Duration `yaml:"duration" rule:"positive"`
	Timezone string        `yaml:"timezone" rule:"timezone?"` // "" = UTC
	Start    time.Time     `yaml:"start"`
	End      time.Time     `yaml:"end"`

	Pos Pos `yaml:"-"`
}

// Path is where the maintenance stands in the configuration.
func (m Maintenance) Path() string { return "maintenance[" + m.Name + "]" }

// CatalogOverride is the operator's own words on a condition. What is empty is
// left as the catalog has it.
type CatalogOverride struct {
	Condition   catalog.Condition `yaml:"condition" rule:"condition"`
	Match       Match             `yaml:"match"`
	Severity    catalog.Severity  `yaml:"severity" rule:"enum?:info|warning|critical"`
	Owner       string            `yaml:"owner" rule:"line"`
	RunbookURL  string            `yaml:"runbook_url" rule:"url?"`
	StepsBefore []string          `yaml:"steps_before" rule:"text"` // in front of the built-in ones
	Steps       []string          `yaml:"steps" rule:"text"`        // in place of the built-in ones
	StepsAfter  []string          `yaml:"steps_after" rule:"text"`  // behind the built-in ones

	Path string `yaml:"-"` // where it stands in the configuration, "catalog[0]"
	Pos  Pos    `yaml:"-"`
}
