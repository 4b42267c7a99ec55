package migrate

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// times are the period, the timeout and how a failure is confirmed.
func (k *kuma) times(c *check, m at) {
	every := 60 * time.Second
	if n, ok := m.count("interval"); ok && n > 0 {
		every = min(time.Duration(n)*time.Second, longest)
	}
	c.schedule = duration(every)
	c.timeout = max(every*8/10, time.Second) // as it was before version 1.23
	if n, ok := m.count("timeout"); ok && n > 0 {
		c.timeout = time.Duration(n) * time.Second
	}
	c.failures = 1
	if n, ok := m.count("maxretries"); ok && n > 0 {
		c.failures = n + 1
		retry := every
		if s, ok := m.count("retryInterval"); ok && s > 0 {
			retry = time.Duration(s) * time.Second
		}
		c.confirmInterval = duration(retry)
	}
	if n, ok := m.count("resendInterval"); ok && n > 0 {
		m.column("resendInterval").note("is not carried over: reminders are the same for all", "set alerting.repeat_interval")
	}
}

// embedded is a column that holds JSON as text, as a place of its own; nothing
// when there is none or it cannot be read.
func (k *kuma) embedded(a at) at {
	none := at{nil, a.file, a.line, a.path, k.draft}
	if a.missing() || a.kind != scalar {
		return a // an API gives the JSON itself
	}
	if strings.TrimSpace(a.value.text) == "" {
		return none
	}
	v, err := parseJSON(Source{a.file, []byte(a.value.text)})
	if err != nil {
		a.note("is not carried over: it is not JSON", "")
		return none
	}
	relocate(v, a.line)
	return at{v, a.file, a.line, a.path, k.draft}
}

// relocate gives everything in v the line of the text that held it.
func relocate(v *value, line int) {
	v.line = line
	for _, item := range v.items {
		relocate(item, line)
	}
	for _, e := range v.keys {
		e.line = line
		relocate(e.value, line)
	}
}

// request is what is sent.
func (k *kuma) request(c *check, m at, name string) {
	c.method = literal(strings.ToUpper(m.str("method")))
	for _, p := range k.embedded(m.column("headers")).fewPairs() {
		if basic, token, ok := k.authorization(p.at, p.name, p.text(), name); ok {
			c.basic, c.bearer = basic, token
			continue
		}
		c.headers = append(c.headers, header{p.name, k.headerValue(p.at, name, p.name, p.text())})
	}
	body := m.key("body")
	if body.missing() || body.text() == "" {
		return
	}
	c.body = k.body(body, name, body.text())
	encoding := m.column("httpBodyEncoding").text()
	kinds := map[string]text{"": "application/json", "json": "application/json", "xml": "text/xml; charset=utf-8", "form": "application/x-www-form-urlencoded"}
	if !slices.ContainsFunc(c.headers, func(h header) bool { return strings.EqualFold(h.name, "Content-Type") }) && kinds[encoding] != "" {
		c.headers = append(c.headers, header{"Content-Type", kinds[encoding]})
	}
}

// authentication is what a monitor gives in place of a header.
func (k *kuma) authentication(c *check, m at, name string) {
	c.basic = c.address.basic
	user, password := m.column("basic_auth_user"), m.column("basic_auth_pass")
	switch method := m.column("authMethod"); method.text() {
	case "", "basic":
		if user.text() != "" {
			c.basic = &basic{user: literal(user.text()), password: k.secret(password, name+"_password", password.text())}
		}
	case "oauth2-cc":
		id, secret := m.column("oauth_client_id"), m.column("oauth_client_secret")
		c.oauth2 = &oauth2{tokenURL: literal(m.column("oauth_token_url").text()), clientID: literal(id.text()),
			secret: k.secret(secret, name+"_client_secret", secret.text()), scopes: literals(strings.Fields(m.column("oauth_scopes").text()))}
	case "mtls":
		method.note("is not carried over: certificate and key stand in the monitor", "put them into files, and name these in tls.cert_file and tls.key_file")
	default:
		method.note("is not carried over: esawatch does not authenticate by "+quoted(method.text()), "the check asks without")
	}
}

// way is how the request gets there.
func (k *kuma) way(c *check, m at, name string) {
	c.tls = newBlock()
	if m.yes("ignoreTls") {
		c.tls.set("insecure_skip_verify", true)
	}
	if n, ok := m.count("maxredirects"); ok {
		c.noRedirects, c.maxRedirects = n == 0, n
	}
	c.ipFamily = map[string]text{"ipv4": "4", "ipv6": "6"}[m.column("ipFamily").text()]
	id := m.column("proxyId")
	if id.text() == "" {
		return
	}
	p, known := k.proxies[id.text()]
	if !known {
		id.note("is not carried over: the proxy is not in this file", "add proxy_url to the check")
		return
	}
	if p.column("active").missing() || p.yes("active") {
		c.proxy = k.proxyOf(p)
	}
}

func (k *kuma) proxyOf(p at) text {
	protocol := p.str("protocol")
	if protocol == "socks" || protocol == "socks5h" {
		protocol = "socks5"
	}
	address := literal(p.str("host") + ":" + p.str("port"))
	if !p.yes("auth") {
		return literal(protocol) + "://" + address
	}
	password := p.key("password")
	password.path += " (percent-encoded)"
	return literal(protocol) + "://" + literal(url.PathEscape(p.str("username"))) + ":" + k.secret(password, "proxy_"+p.str("host")+"_password", p.str("password")) + "@" + address
}

// answer is what the answer has to be.
func (k *kuma) answer(c *check, m at, kind string) {
	var codes []text
	accepted := k.embedded(m.column("accepted_statuscodes", "acceptedStatuscodes", "accepted_statuscodes_json"))
	for _, s := range accepted.texts() {
		from, to, isRange := strings.Cut(s, "-")
		if isRange && len(from) == 3 && len(to) == 3 && from[1:] == "00" && to[1:] == "99" && from[0] == to[0] {
			s = from[:1] + "xx"
		}
		codes = append(codes, literal(s))
	}
	if len(codes) == 0 {
		codes = []text{"2xx"}
	}
	c.expect.status = codes
	switch kind {
	case "keyword":
		word := literal(m.str("keyword"))
		if m.yes("invertKeyword") {
			c.expect.notContains = append(c.expect.notContains, word)
		} else {
			c.expect.contains = append(c.expect.contains, word)
		}
	case "json-query":
		k.query(c, m)
	}
}

// jsonataPath is what a JSONata expression has in common with a path: a.b[0].
var jsonataPath = regexp.MustCompile(`^\$?\.?[A-Za-z_][A-Za-z0-9_]*(\[[0-9]{1,9}\]|\.[A-Za-z_][A-Za-z0-9_]*){0,20}$`)

// query is the expectation of a monitor of type json-query.
func (k *kuma) query(c *check, m at) {
	path, want := m.column("jsonPath"), m.column("expectedValue").text()
	operator := m.column("jsonPathOperator").text()
	if operator == "" {
		operator = "=="
	}
	var steps bodyPath
	switch p := strings.TrimSpace(path.text()); {
	case p == "$" || p == "":
	case jsonataPath.MatchString(p):
		steps, _ = bodySteps("[BODY]." + strings.TrimPrefix(strings.TrimPrefix(p, "$"), "."))
	default:
		path.note("is not carried over: it is an expression in JSONata", "write it as expect.json (JSONPath) or expect.expr")
		return
	}
	value := "string(" + steps.expr() + ")"
	switch operator {
	case "==":
		if jsonInteger.MatchString(want) || jsonDecimal.MatchString(want) || want == "true" || want == "false" || len(steps) == 0 {
			c.expect.expr = append(c.expect.expr, literal(value+" == "+exprText(want))) // a number or its text
			return
		}
		c.expect.json = append(c.expect.json, jsonRule{steps.jsonPath(), orEmpty(literal(want))})
	case "!=":
		c.expect.expr = append(c.expect.expr, literal(value+" != "+exprText(want)))
	case "contains":
		c.expect.expr = append(c.expect.expr, literal(value+" contains "+exprText(want)))
	case "<", "<=", ">", ">=":
		n, err := strconv.ParseFloat(want, 64)
		if err != nil {
			m.column("expectedValue").note("is not carried over: it is no number", "")
			return
		}
		c.expect.expr = append(c.expect.expr, literal("float("+steps.expr()+") "+operator+" "+number(n)))
	default:
		m.column("jsonPathOperator").note("is not carried over: esawatch knows no "+quoted(operator), "")
	}
}

// labels are the group and the tags.
func (k *kuma) labels(c *check, m at) {
	if parent := k.names[m.str("parent")]; parent != "" {
		c.labels = append(c.labels, label{"group", literal(parent)})
	}
	for _, t := range m.key("tags").few() {
		if t.is(mapping) {
			c.labels = append(c.labels, tagLabel(t))
		}
	}
	c.labels = append(c.labels, k.tags[m.str("id")]...)
}

// tagLabel is a tag as a label; most tags have no value.
func tagLabel(t at) label {
	name := labelName(t.str("name"))
	if name == "" {
		return label{"tag", literal(t.str("name"))}
	}
	value := t.str("value")
	if value == "" {
		value = "yes"
	}
	return label{labelOf(name), literal(value)}
}

// receiversOf says who is told.
func (k *kuma) receiversOf(c *check, m at) {
	ids := map[string]bool{}
	list := m.column("notificationIDList", "notificationIdList")
	switch {
	case list.missing():
	case list.kind == mapping:
		for _, p := range list.fewPairs() {
			ids[p.name] = p.text() != "false"
		}
	default:
		for _, id := range list.texts() {
			ids[id] = true
		}
	}
	for _, id := range k.linked[m.str("id")] {
		ids[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if !ids[id] {
			continue
		}
		if name := k.notification(id, m); name != "" {
			c.receivers = append(c.receivers, name)
		}
	}
	if len(c.receivers) == 0 {
		c.receivers = []string{k.console()}
	}
}
