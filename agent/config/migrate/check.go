package migrate

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks/assert"
)

// check is one request in the making. What an importer knows of it is set here;
// build judges it and makes its YAML.
type check struct {
	at      at     // where it stands in the source
	title   string // as the source calls it
	address address

	schedule text
	timeout  time.Duration // 0 = as it is by default

	method  text
	headers []header
	body    text
	file    text // of the body

	basic  *basic
	bearer text
	tokenF text // a file that holds the bearer token
	oauth2 *oauth2

	tls             block
	proxy           text
	ipFamily        text
	httpVersion     text
	noRedirects     bool
	maxRedirects    int // 0 = as it is by default
	maxBodyBytes    text
	expect          expect
	failures        int // 0 = as it is by default
	confirmInterval text
	resolveAfter    int // 0 = as it is by default
	labels          []label
	receivers       []string
	disabled        bool
	comments        []string

	name string
	block
}

type header struct {
	name  string
	value text
}

type label struct {
	name  string
	value text
}

type basic struct{ user, password, file text }

type oauth2 struct {
	tokenURL, clientID, secret, file text
	scopes                           []text
}

// expect is what the answer has to be.
type expect struct {
	status                                           []text
	contains, notContains, matches, notMatches, expr []text
	headers                                          []header
	json                                             []jsonRule
	maxDuration, certValidFor                        text
}

type jsonRule struct {
	path  string
	value *yaml.Node
}

// add takes a check into the draft, unless its address will not do.
func (d *draft) add(c *check) {
	s := d.siteOf(c.address)
	other := "check"
	path, _, _ := strings.Cut(string(c.address.path), "?")
	switch {
	case path == "/":
		other = "home"
	case !strings.Contains(path, "$"):
		other = nameOf(path, other)
	}
	c.name = s.names.unique(nameOf(c.title, other), "-")
	if c.title != "" && c.title != c.name {
		c.comments = append([]string{c.title}, c.comments...)
	}
	c.build()
	s.checks = append(s.checks, c)
}

// build makes the YAML of all but name and address.
func (c *check) build() {
	c.block = newBlock()
	c.times()
	c.request()
	c.way()
	c.set("expect", c.expectation())
	confirm := newBlock()
	if c.failures > 0 {
		confirm.set("failures", min(c.failures, 1000))
		if c.confirmInterval != "" && c.keeps("confirm.interval", c.confirmInterval) {
			confirm.set("interval", c.confirmInterval)
		}
	}
	c.set("confirm", confirm.flow())
	if c.resolveAfter > 0 {
		c.set("resolve_after", min(c.resolveAfter, 1000))
	}
	c.set("labels", c.labelled())
	var receivers []text
	for _, r := range c.receivers {
		if !slices.Contains(receivers, text(r)) {
			receivers = append(receivers, text(r))
		}
	}
	c.set("receivers", receivers)
	if c.disabled {
		c.set("enabled", false)
	}
}

// keeps tells whether a value may stand at a key, and notes why not.
func (c *check) keeps(key string, t text) bool {
	err := c.at.draft.check("sites.checks."+key, t)
	if err != nil {
		c.at.note(key+" is not carried over: "+why(err), "")
	}
	return err == nil
}

// times are the schedule and the timeout, which has to fit into it.
func (c *check) times() {
	if c.schedule != "" && !c.keeps("schedule", c.schedule) {
		c.schedule = ""
	}
	if c.schedule == "" {
		c.schedule = "30s"
	}
	every := time.Duration(0) // unknown: a variable
	if s, ok := c.schedule.plain(); ok {
		if schedule, err := config.ParseSchedule(s); err == nil {
			every = schedule.Every
		}
	}
	timeout := c.timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	if every > 0 && timeout > every {
		if c.timeout > 0 {
			c.at.note("the timeout of "+string(duration(timeout))+" is cut to the period, "+string(duration(every))+": a run has to end before the next begins", "run it less often to wait longer")
		}
		timeout = every
	}
	c.set("schedule", c.schedule)
	c.set("timeout", timeout)
}

// request is method, headers, body and authentication.
func (c *check) request() {
	if c.method != "" && c.method != "GET" && c.keeps("method", c.method) {
		c.set("method", c.method)
	}
	hasAuth := c.basic != nil || c.bearer != "" || c.tokenF != "" || c.oauth2 != nil
	headers := newBlock()
	for _, h := range c.headers {
		if c.takes(h, headers, hasAuth) {
			headers.set(http.CanonicalHeaderKey(h.name), orEmpty(h.value))
		}
	}
	c.set("headers", headers)
	switch {
	case (c.body != "" || c.file != "") && c.method == "HEAD":
		c.at.note("the body is not carried over: a HEAD request carries none", "")
	case c.body != "":
		if c.keeps("body", c.body) {
			c.set("body", c.body)
		}
	case c.file != "" && c.keeps("body_file", c.file):
		c.at.draft.needFile(c.file, c.at)
		c.set("body_file", c.file)
	}
	c.set("auth", c.auth())
}

// takes tells whether a header may be sent, and notes why not.
func (c *check) takes(h header, have block, hasAuth bool) bool {
	name := http.CanonicalHeaderKey(h.name)
	err := c.at.draft.keys.CheckKey("sites.checks.headers", h.name)
	if err == nil {
		err = c.at.draft.check("sites.checks.headers", h.value)
	}
	problem := ""
	switch {
	case err != nil:
		problem = why(err)
	case have.get(name) != nil:
		problem = "it is given twice"
	case slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Trailer"}, name):
		problem = "it follows from the body"
	case slices.Contains([]string{"Connection", "Upgrade", "Proxy-Connection", "Keep-Alive"}, name):
		problem = "it follows from http_version and connection"
	case name == "Host" && c.at.draft.check("sites.origin.host", h.value) != nil, name == "Host" && h.value == "":
		problem = "it is no host"
	case name == "Authorization" && hasAuth:
		problem = "the check authenticates in another way too"
	}
	if problem != "" {
		c.at.note("the header "+quoted(h.name)+" is not carried over: "+problem, "")
	}
	return problem == ""
}

// orEmpty is a text that is written even when it is empty.
func orEmpty(t text) *yaml.Node {
	if n := node(t); n != nil {
		return n
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle}
}

func (c *check) auth() block {
	b := newBlock()
	ways := 0
	for _, has := range []bool{c.basic != nil, c.bearer != "" || c.tokenF != "", c.oauth2 != nil} {
		if has {
			ways++
		}
	}
	if ways > 1 {
		c.at.note("of several ways to authenticate one is carried over: basic before bearer before oauth2", "")
	}
	switch {
	case c.basic != nil:
		if c.basic.password == "" && c.basic.file == "" {
			c.at.note("basic authentication is not carried over: it has no password", "add auth.basic by hand")
			return b
		}
		if c.keeps("auth.basic.username", c.basic.user) {
			b.set("basic", newBlock().set("username", c.basic.user).set("password", c.basic.password).set("password_file", c.fileOf(c.basic.file)).flow())
		}
	case c.bearer != "" || c.tokenF != "":
		b.set("bearer", newBlock().set("token", c.bearer).set("token_file", c.fileOf(c.tokenF)).flow())
	case c.oauth2 != nil:
		o := c.oauth2
		if !c.keeps("auth.oauth2.token_url", o.tokenURL) || !c.keeps("auth.oauth2.client_id", o.clientID) || o.secret == "" && o.file == "" {
			c.at.note("oauth2 is not carried over: it needs a token URL, a client and its secret", "add auth.oauth2 by hand")
			return b
		}
		o.scopes = slices.DeleteFunc(o.scopes, func(t text) bool { return c.at.draft.check("sites.checks.auth.oauth2.scopes", t) != nil })
		b.set("oauth2", newBlock().set("token_url", o.tokenURL).set("client_id", o.clientID).set("client_secret", o.secret).
			set("client_secret_file", c.fileOf(o.file)).set("scopes", o.scopes))
	}
	return b
}

// fileOf notes that a file has to be there.
func (c *check) fileOf(path text) text {
	if path != "" {
		c.at.draft.needFile(path, c.at)
	}
	return path
}

// way is how the request gets there.
func (c *check) way() {
	if c.tls.Node != nil {
		c.set("tls", c.tls)
	}
	if c.proxy != "" && !c.keeps("proxy_url", c.proxy) {
		c.proxy = ""
	}
	c.set("proxy_url", c.proxy)
	if c.ipFamily != "" && !c.address.ip {
		c.set("ip_family", bare(c.ipFamily))
	}
	switch {
	case c.httpVersion == "3" && (!c.address.secure || c.proxy != ""):
		c.at.note("HTTP/3 is not carried over: it needs an https URL and no proxy", "")
	case c.httpVersion != "":
		c.set("http_version", bare(c.httpVersion))
	}
	switch {
	case c.noRedirects:
		c.set("follow_redirects", false)
	case c.maxRedirects > 0 && c.maxRedirects != 10:
		c.set("max_redirects", min(c.maxRedirects, 100))
	}
	if c.maxBodyBytes != "" && c.keeps("max_body_bytes", c.maxBodyBytes) {
		c.set("max_body_bytes", c.maxBodyBytes)
	}
}

// expectation is what the answer has to be, without what cannot be said.
func (c *check) expectation() block {
	c.withoutBody()
	e, b := &c.expect, newBlock()
	kept := func(key string, all []text) []text {
		return slices.DeleteFunc(all, func(t text) bool { return !c.keeps("expect."+key, t) })
	}
	if len(e.status) != 1 || e.status[0] != "2xx" {
		b.set("status", kept("status", e.status))
	}
	b.set("body_contains", kept("body_contains", e.contains))
	b.set("body_not_contains", kept("body_not_contains", e.notContains))
	b.set("body_matches", kept("body_matches", e.matches))
	b.set("body_not_matches", kept("body_not_matches", e.notMatches))
	headers := newBlock()
	for _, h := range e.headers {
		name := http.CanonicalHeaderKey(h.name)
		err := c.at.draft.keys.CheckKey("sites.checks.expect.headers", h.name)
		if err != nil || headers.get(name) != nil {
			c.at.note("the expectation of the header "+quoted(h.name)+" is not carried over: it is given twice, or is no header", "")
			continue
		}
		if c.keeps("expect.headers", h.value) {
			headers.set(name, orEmpty(h.value))
		}
	}
	b.set("headers", headers)
	rules := newBlock()
	for _, r := range e.json {
		if err := c.at.draft.keys.CheckKey("sites.checks.expect.json", r.path); err != nil || rules.get(r.path) != nil {
			c.at.note("the expectation of "+quoted(r.path)+" is not carried over: it is given twice, or is no JSONPath", "")
			continue
		}
		rules.set(r.path, r.value)
	}
	b.set("json", rules)
	b.set("expr", kept("expr", e.expr))
	if e.maxDuration != "" && c.keeps("expect.max_duration", e.maxDuration) {
		b.set("max_duration", e.maxDuration).comment("slower is degraded: a warning")
	}
	if e.certValidFor != "" && c.keeps("expect.cert_valid_for", e.certValidFor) {
		b.set("cert_valid_for", e.certValidFor)
	}
	return b
}

// withoutBody leaves out what a check with HEAD expects of the body, which is never
// sent.
func (c *check) withoutBody() {
	if c.method != "HEAD" {
		return
	}
	e := &c.expect
	var left []string
	drop := func(key string, list *[]text, about func(text) bool) {
		rest := slices.DeleteFunc(slices.Clone(*list), about)
		if len(rest) < len(*list) {
			left = append(left, key)
		}
		*list = rest
	}
	all := func(text) bool { return true }
	drop("body_contains", &e.contains, all)
	drop("body_not_contains", &e.notContains, all)
	drop("body_matches", &e.matches, all)
	drop("body_not_matches", &e.notMatches, all)
	if len(e.json) > 0 {
		left, e.json = append(left, "json"), nil
	}
	drop("expr", &e.expr, func(t text) bool { s, plain := t.plain(); return !plain || assert.ReadsBody(s) })
	if len(left) > 0 {
		c.at.note("what it expects of the body ("+strings.Join(left, ", ")+") is not carried over: the answer to HEAD has none", "use GET, and add it by hand")
	}
}

// labelled are the labels, each name once.
func (c *check) labelled() block {
	b := newBlock()
	for _, l := range c.labels {
		err := c.at.draft.keys.CheckKey("sites.checks.labels", l.name)
		if err == nil {
			err = c.at.draft.check("sites.checks.labels", l.value)
		}
		switch {
		case err != nil:
			c.at.note("the label "+quoted(l.name)+" is not carried over: "+why(err), "")
		case b.get(l.name) == nil:
			b.set(l.name, orEmpty(l.value))
		}
	}
	if len(b.Content) <= 8 { // four of them
		b.flow()
	}
	return b
}

// labelName makes the name of a label of any words.
func labelName(words string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, words)
	name = strings.Trim(name, "_")
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name[:min(len(name), 63)]
}
