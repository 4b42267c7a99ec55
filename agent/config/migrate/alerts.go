package migrate

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// alert is one alert of an endpoint, with its provider's default-alert below it.
type alert struct{ own, base at }

func (a alert) flag(name string) (v, given bool) {
	v, given = a.base.flag(name)
	if own, ok := a.own.flag(name); ok {
		return own, true
	}
	return v, given
}

func (a alert) number(name string, other int) int {
	if n, ok := a.own.number(name); ok && n > 0 {
		return n
	}
	if n, ok := a.base.number(name); ok && n > 0 {
		return n
	}
	return other
}

func (a alert) str(name string) string {
	if s := a.own.str(name); s != "" {
		return s
	}
	return a.base.str(name)
}

// alerts says who is told of a check, and after how many failures.
func (g *gatus) alerts(c *check, e at) {
	var failures, successes []int
	for _, own := range e.key("alerts").few() {
		kind := own.str("type")
		own = own.named(kind)
		provider := g.alerting.key(kind)
		a := alert{own, provider.key("default-alert")}
		if enabled, given := a.flag("enabled"); given && !enabled {
			continue
		}
		failures = append(failures, a.number("failure-threshold", 3))
		successes = append(successes, a.number("success-threshold", 2))
		if words := a.str("description"); words != "" {
			c.comments = append(c.comments, "alert: "+words)
		}
		resolved, _ := a.flag("send-on-resolved")
		if interval := a.str("minimum-reminder-interval"); interval != "" && interval != "0" {
			own.note("minimum-reminder-interval is not carried over: reminders are the same for all", "set alerting.repeat_interval")
		}
		if r := g.provider(own, kind, provider, e.str("group")); r != nil {
			c.receivers = append(c.receivers, r.name)
			r.resolved = r.resolved || resolved
		}
		own.unread(map[string]string{"provider-override": "a receiver has one set of settings: make another receiver, and name it in the check's receivers"})
	}
	c.failures, c.resolveAfter = 3, 2
	if len(failures) > 0 {
		c.failures, c.resolveAfter = slices.Min(failures), slices.Max(successes)
		if slices.Max(failures) != c.failures || slices.Min(successes) != c.resolveAfter {
			e.key("alerts").note("their different thresholds are not carried over: all receivers are told at once, after "+itoa(c.failures)+" failures and "+itoa(c.resolveAfter)+" passes", "")
		}
	}
	if c.failures == 1 {
		c.confirmInterval = ""
	}
	if len(c.receivers) == 0 {
		c.receivers = []string{g.console()}
	}
}

// provider is the receiver of an alerting provider for a group, nil when
// esawatch has no such kind or it is not configured.
func (g *gatus) provider(own at, kind string, provider at, group string) *receiver {
	makers := map[string]func(name string, p, o at) *receiver{"slack": g.slack, "pagerduty": g.pagerduty, "email": g.email, "custom": g.custom}
	maker := makers[kind]
	if maker == nil {
		own.note("is not carried over: esawatch has no receiver of the kind "+quoted(kind), "use one of slack, webhook, alertmanager, pagerduty, email; a webhook speaks as Alertmanager does")
		return nil
	}
	if !provider.is(mapping) {
		own.note("is not carried over: alerting."+kind+" is not configured", "")
		return nil
	}
	name, override := kind, at{nil, provider.file, provider.line, provider.path, g.draft}
	for _, o := range provider.key("overrides").few() {
		if group != "" && o.str("group") == group {
			name, override = kind+"-"+group, o
		}
	}
	if r, made := g.used[name]; made {
		return r
	}
	r := maker(name, provider, override)
	if r != nil {
		r.resolved = false // until an alert wants it
	}
	g.used[name] = r
	provider.unread(map[string]string{"default-alert": "", "overrides": "", "group": ""})
	override.unread(map[string]string{"group": ""})
	return r
}

// either is a key of the override, or else of the provider.
func either(o, p at, name string) at {
	if o.has(name) {
		p.key(name) // is read, too
		return o.key(name)
	}
	return p.key(name)
}

func (g *gatus) slack(name string, p, o at) *receiver {
	url := either(o, p, "webhook-url")
	if url.text() == "" {
		p.note("is not carried over: it has no webhook-url", "")
		return nil
	}
	p.key("title")
	return g.receiver(name, "slack", newBlock().set("webhook_url", g.secret(url, name+"_webhook_url", url.text())),
		"With a bot token and a channel instead, an incident is one message, updated in place.")
}

func (g *gatus) pagerduty(name string, p, o at) *receiver {
	key := either(o, p, "integration-key")
	if key.text() == "" {
		p.note("is not carried over: it has no integration-key", "")
		return nil
	}
	return g.receiver(name, "pagerduty", newBlock().set("routing_key", g.secret(key, name+"_routing_key", key.text())))
}

func (g *gatus) email(name string, p, o at) *receiver {
	host, port := g.variable(p.key("host"), either(o, p, "host").text()), either(o, p, "port").text()
	smarthost := host + ":" + g.text(port)
	from := g.text(either(o, p, "from").text())
	var to []text
	for part := range strings.SplitSeq(either(o, p, "to").text(), ",") {
		if t := g.text(strings.TrimSpace(part)); t != "" {
			to = append(to, t)
		}
	}
	return g.mail(p, name, smarthost, from, to, g.text(either(o, p, "username").text()), either(o, p, "password"), func(b block) {
		if skip, _ := p.key("client").flag("insecure"); skip {
			p.key("client").note("insecure is not carried over: the mail server's certificate is verified", "")
		}
	})
}

// mail is a receiver by SMTP.
func (d *draft) mail(p at, name string, smarthost, from text, to []text, user text, password at, more func(block)) *receiver {
	for key, t := range map[string]text{"smarthost": smarthost, "from": from} {
		if err := d.check("receivers.email."+key, t); err != nil {
			p.note("is not carried over: "+key+": "+why(err), "add the receiver by hand")
			return nil
		}
	}
	to = slices.DeleteFunc(to, func(t text) bool { return d.check("receivers.email.to", t) != nil })
	if len(to) == 0 {
		p.note("is not carried over: it is sent to nobody", "")
		return nil
	}
	b := newBlock().set("smarthost", smarthost).set("from", from).set("to", to)
	if secret := d.secret(password, name+"_password", password.text()); secret != "" {
		if user == "" {
			user = from // as Gatus does
		}
		if err := d.check("receivers.email.username", user); err != nil {
			p.note("is not carried over: username: "+why(err), "add the receiver by hand")
			return nil
		}
		b.set("username", user).set("password", secret)
	}
	for _, t := range append([]text{smarthost, from, user}, to...) {
		for _, v := range t.variables() {
			d.needVariable(v, p)
		}
	}
	more(b)
	return d.receiver(name, "email", b)
}

func (g *gatus) custom(name string, p, o at) *receiver {
	url := either(o, p, "url")
	if url.text() == "" {
		p.note("is not carried over: it has no url", "")
		return nil
	}
	b := newBlock().set("url", g.secret(url, name+"_webhook_url", url.text()))
	headers := newBlock()
	for _, h := range p.key("headers").fewPairs() {
		if !strings.EqualFold(h.name, "Content-Type") {
			g.webhookHeader(headers, h.at, name, h.name, h.text())
		}
	}
	b.set("headers", headers)
	p.note("is carried over as a webhook, whose payload is Alertmanager's: method, body and placeholders are not", "see that what listens there understands it")
	for _, key := range []string{"method", "body", "placeholders", "client"} {
		p.key(key)
	}
	return g.receiver(name, "webhook", b)
}

// webhookHeader adds a header to a webhook's, unless it will not do.
func (d *draft) webhookHeader(headers block, a at, owner, name, value string) {
	name = http.CanonicalHeaderKey(name)
	t := d.headerValue(a, owner, name, value)
	if name == "Authorization" {
		t = d.secret(a, owner+"_authorization", value)
	}
	const key = "receivers.webhook.headers"
	if d.keys.CheckKey(key, name) != nil || d.check(key, t) != nil || headers.get(name) != nil {
		a.note("is not carried over: it is no header", "")
		return
	}
	headers.set(name, orEmpty(t))
}

// weekdays as cron numbers them.
var weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

var clockTime = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])$`)

// window adds a maintenance, and tells whether it could.
func (g *gatus) window(a at, name string, match block) bool {
	if !a.is(mapping) {
		return false
	}
	if enabled, given := a.flag("enabled"); given && !enabled {
		return false
	}
	start := clockTime.FindStringSubmatch(a.str("start"))
	length, ok := a.period("duration")
	if start == nil || !ok {
		a.note("is not carried over: it needs a start such as 23:00, and a duration", "")
		return false
	}
	days := "*"
	if every := a.key("every").texts(); len(every) > 0 {
		var numbers []string
		for _, day := range every {
			i := slices.Index(weekdays, day)
			if i < 0 {
				a.key("every").note("is not carried over: "+quoted(day)+" is no day", "")
				return false
			}
			numbers = append(numbers, strconv.Itoa(i))
		}
		days = strings.Join(numbers, ",")
	}
	hour, _ := strconv.Atoi(start[1])
	minute, _ := strconv.Atoi(start[2])
	b := newBlock().set("name", text(name)).set("match", match)
	b.set("schedule", text(strconv.Itoa(minute)+" "+strconv.Itoa(hour)+" * * "+days)).set("duration", length)
	if zone := a.str("timezone"); zone != "" {
		if err := g.check("maintenance.timezone", literal(zone)); err != nil {
			a.key("timezone").note("is not carried over: "+why(err), "")
			return false
		}
		b.set("timezone", literal(zone))
	}
	a.unread(nil)
	g.maintenance = append(g.maintenance, &window{name: name, settings: b})
	return true
}

// ownWindow adds a maintenance of one check: it bears a label that the window
// selects.
func (g *gatus) ownWindow(c *check, a at, name string) {
	g.windows++
	id := "maintenance_" + itoa(g.windows)
	if g.window(a, nameOf(name, "maintenance")+"-"+itoa(g.windows), newBlock().set("labels", newBlock().set(id, text("yes"))).flow()) {
		c.labels = append(c.labels, label{id, "yes"})
	}
}
