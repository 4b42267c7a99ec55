package migrate

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What Gatus does where its file says nothing.
const (
	gatusInterval = time.Minute
	gatusTimeout  = 10 * time.Second
)

// Gatus imports a configuration of Gatus: each endpoint that is asked over HTTP
// becomes a check, each alerting provider that it names a receiver.
//
// It fails with an *Error when the source cannot be read or nothing is left of
// it. The result is then nil, or has the notes only.
func Gatus(src Source) (*Result, error) {
	tree, err := parseYAML(src)
	if err != nil {
		return nil, err
	}
	d := newDraft("gatus", src)
	d.text = gatusText
	g := &gatus{draft: d, root: d.root(tree, src.Name), used: map[string]*receiver{}}
	if !g.root.is(mapping) || !g.root.has("endpoints") && !g.root.has("services") {
		what := "has no endpoints: this is no configuration of Gatus"
		if g.root.has("apiVersion") && g.root.has("kind") {
			what = "is an object of Kubernetes: give what its data has as config.yaml, as a file of its own"
		}
		return nil, &Error{src.Name, tree.line, what}
	}
	g.alerting = g.root.key("alerting")
	g.window(g.root.key("maintenance"), "maintenance", newBlock())
	for _, key := range []string{"endpoints", "services"} { // as they were called before version 4
		for _, e := range g.root.key(key).each() {
			g.endpoint(e.named(e.str("name")))
		}
	}
	g.rest()
	d.remarks = append(d.remarks,
		"Failures are confirmed at the check's own interval, as Gatus does; a shorter confirm.interval finds out sooner. Reminders come every 4 hours (alerting.repeat_interval; 0s = never).",
		"A slow answer or a certificate that ends soon is degraded, a warning, and not a failure. Certificates are looked at everywhere (expect.cert_valid_for: 0s = not).",
		"A number, true and false in a condition on the body is compared as such: quote it in expect.json where the body has text.")
	return d.result()
}

// gatus is one import in the making.
type gatus struct {
	*draft
	root     at
	alerting at
	used     map[string]*receiver // by provider and group
	windows  int
}

// gatusText knows the variables of a file of Gatus: $NAME and ${NAME}; $$ is a
// dollar.
func gatusText(s string) text {
	t := gatusVariable.ReplaceAllStringFunc(s, func(m string) string {
		name := strings.Trim(m, "${}")
		if name == "" {
			return m
		}
		return "${" + name + "}"
	})
	// What is left of a ${ is no variable.
	return text(gatusBrace.ReplaceAllStringFunc(t, func(m string) string {
		if variableForm.MatchString(m) || m == "$$" {
			return m
		}
		return "$$" + m[1:]
	}))
}

var (
	gatusVariable    = regexp.MustCompile(`\$\$|\$\{[A-Za-z_][A-Za-z0-9_]*\}|\$[A-Za-z_][A-Za-z0-9_]*`)
	gatusPlaceholder = regexp.MustCompile(`\[(LOCAL_ADDRESS|RANDOM_STRING_[0-9]+|CONTEXT)\]`)
	gatusBrace       = regexp.MustCompile(`\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*\})?`)
)

// rest notes what else a file of Gatus may hold.
func (g *gatus) rest() {
	for _, e := range g.root.key("external-endpoints").each() {
		e.named(e.str("name")).note("is not carried over: esawatch asks, and takes no results from others", "check an address of it, or keep it in Gatus")
	}
	for _, s := range g.root.key("suites").each() {
		s.named(s.str("name")).note("is not carried over: esawatch's checks know nothing of each other", "check its steps one by one, or keep it in Gatus")
	}
	if g.root.has("tunneling") {
		g.root.key("tunneling").note("is not carried over: esawatch goes through no SSH tunnel", "run an agent behind it")
	}
	if g.root.has("remote") {
		g.root.key("remote").note("is not carried over: each agent shows its own", "")
	}
	const own = "esawatch has its own: see web in config.example.yaml"
	for key, why := range map[string]string{"web": own, "security": own, "ui": "the status page is as it is", "announcements": "the status page has none",
		"storage": "results are not kept in a database; agent.data_dir is where incidents are kept", "metrics": "they are always served",
		"concurrency": "see agent.max_concurrent_checks", "disable-monitoring-lock": "see agent.max_concurrent_checks", "skip-invalid-config-update": "esawatch always keeps the old configuration while the new one is wrong",
		"connectivity": "see agent.canaries"} {
		if g.root.has(key) {
			g.root.key(key).note("is not carried over: "+why, "")
		}
	}
}

// endpoint makes a check.
func (g *gatus) endpoint(e at) {
	if !e.is(mapping) {
		return
	}
	for _, kind := range []string{"dns", "ssh", "grpc"} {
		if e.has(kind) {
			e.note("is not carried over: it is of type "+kind+", and esawatch asks over HTTP only", "keep it in Gatus, or check an HTTP address of the same service")
			return
		}
	}
	if wantsNoAnswer(e) {
		e.note("is not carried over: it wants a connection to fail, and a check of esawatch wants an answer", "keep it in Gatus")
		return
	}
	name := e.str("name")
	ad, ok := g.address(e.key("url"), name, e.str("url"))
	if !ok {
		return
	}
	c := &check{at: e, title: name, address: ad}
	if enabled, given := e.flag("enabled"); given {
		c.disabled = !enabled
	}
	if group := e.str("group"); group != "" {
		c.labels = append(c.labels, label{"group", g.text(group)})
	}
	for _, p := range e.key("extra-labels").fewPairs() {
		c.labels = append(c.labels, label{labelOf(p.name), g.text(p.text())})
	}
	c.schedule, c.confirmInterval = duration(gatusInterval), duration(gatusInterval)
	if raw := e.str("interval"); len(g.text(raw).variables()) > 0 {
		c.schedule, c.confirmInterval = g.variable(e.key("interval"), raw), g.text(raw)
	} else if d, ok := e.period("interval"); ok {
		if d < shortest || d > longest {
			e.key("interval").note("is not carried over: a period is from 1s to 366d", "")
			d = min(max(d, shortest), longest)
		}
		c.schedule, c.confirmInterval = duration(d), duration(d)
	}
	g.request(c, e, name)
	g.client(c, e.key("client"), name)
	g.conditions(c, e)
	g.alerts(c, e)
	for _, w := range e.key("maintenance-windows").few() {
		g.ownWindow(c, w, name)
	}
	e.unread(map[string]string{"ui": "", "always-run": "", "store": "only suites have it"})
	g.add(c)
}

// variable is a value with variables, which are then needed.
func (g *gatus) variable(a at, raw string) text {
	t := g.text(raw)
	for _, v := range t.variables() {
		g.needVariable(v, a)
	}
	return t
}

// request is what is sent.
func (g *gatus) request(c *check, e at, name string) {
	c.method = g.variable(e.key("method"), strings.ToUpper(e.str("method")))
	c.basic = c.address.basic
	for _, p := range e.key("headers").fewPairs() {
		if basic, token, ok := g.authorization(p.at, p.name, p.text(), name); ok {
			c.basic, c.bearer = basic, token
			continue
		}
		c.headers = append(c.headers, header{p.name, g.headerValue(p.at, name, p.name, p.text())})
	}
	body := e.str("body")
	for placeholder, v := range map[string]string{"[ENDPOINT_NAME]": name, "[ENDPOINT_GROUP]": e.str("group"), "[ENDPOINT_URL]": e.str("url")} {
		body = strings.ReplaceAll(body, placeholder, v)
	}
	if gatusPlaceholder.MatchString(body) {
		e.key("body").note("its placeholders are not carried over: a body is sent as it is written", "")
	}
	if graphql, _ := e.flag("graphql"); graphql && body != "" {
		if wrapped, err := json.Marshal(map[string]string{"query": body}); err == nil {
			body = string(wrapped)
		}
		if !slices.ContainsFunc(c.headers, func(h header) bool { return strings.EqualFold(h.name, "Content-Type") }) {
			c.headers = append(c.headers, header{"Content-Type", "application/json"})
		}
	}
	c.body = g.body(e.key("body"), name, body)
	for _, v := range c.body.variables() {
		g.needVariable(v, e.key("body"))
	}
}

// client is how the request gets there.
func (g *gatus) client(c *check, a at, name string) {
	c.tls = newBlock()
	if !a.is(mapping) {
		return
	}
	if skip, _ := a.flag("insecure"); skip {
		c.tls.set("insecure_skip_verify", true)
	}
	if ignore, _ := a.flag("ignore-redirect"); ignore {
		c.noRedirects = true
	}
	c.timeout = gatusTimeout
	if d, ok := a.period("timeout"); ok {
		c.timeout = d
	}
	c.proxy = g.proxy(a.key("proxy-url"), name, a.str("proxy-url"))
	for _, v := range c.proxy.variables() {
		g.needVariable(v, a.key("proxy-url"))
	}
	if o := a.key("oauth2"); o.is(mapping) {
		c.oauth2 = &oauth2{tokenURL: g.variable(o.key("token-url"), o.str("token-url")), clientID: g.variable(o.key("client-id"), o.str("client-id")),
			secret: g.secret(o.key("client-secret"), name+"_client_secret", o.str("client-secret"))}
		for _, s := range o.key("scopes").texts() {
			c.oauth2.scopes = append(c.oauth2.scopes, g.text(s))
		}
	}
	if t := a.key("tls"); t.is(mapping) {
		cert, key := g.text(t.str("certificate-file")), g.text(t.str("private-key-file"))
		if cert != "" && key != "" {
			g.needFile(cert, t.key("certificate-file"))
			g.needFile(key, t.key("private-key-file"))
			c.tls.set("cert_file", cert).set("key_file", key)
		}
		t.unread(map[string]string{"renegotiation": "TLS 1.3 has none, and esawatch does none"})
	}
	a.unread(map[string]string{
		"dns-resolver":         "names are resolved as the machine does",
		"identity-aware-proxy": "esawatch knows no Google credentials",
		"tunnel":               "esawatch goes through no SSH tunnel",
		"store-cookies":        "each run begins with no cookies; redirects within it keep them",
		"network":              "it is for ICMP",
	})
}
