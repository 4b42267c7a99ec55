package migrate

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// module fills in a check by its module.
func (b *blackbox) module(c *check, m at, t target) {
	c.timeout = t.timeout
	if d, ok := m.period("timeout"); ok && (c.timeout == 0 || d < c.timeout) {
		c.timeout = d
	}
	h := m.key("http")
	c.expect.status = []text{"2xx"}
	if codes := h.key("valid_status_codes").texts(); len(codes) > 0 {
		c.expect.status = literals(codes)
	}
	if any, _ := h.flag("accept_any_response"); any {
		c.expect.status = []text{"100-599"}
	}
	c.method = literal(strings.ToUpper(h.str("method")))
	c.body = b.body(h.key("body"), m.tail()+"_body", h.str("body"))
	c.file = literal(h.str("body_file"))
	b.headers(c, h, t)
	b.authentication(c, h, m.tail())
	b.transport(c, h, m.tail())
	b.answer(c, h)
	h.unread(map[string]string{
		"compression":                   "esawatch offers gzip, br and zstd, and decodes what it gets",
		"ip_protocol_fallback":          "",
		"proxy_connect_header":          "a header for the proxy alone cannot be given",
		"no_proxy":                      "a check has one proxy or none",
		"proxy_from_environment":        "the environment is not asked for a proxy: give proxy_url",
		"skip_resolve_phase_with_proxy": "a proxy always resolves the name itself",
		"use_proxy_dns":                 "a proxy always resolves the name itself",
		"enable_http2":                  "",
		"enable_http3":                  "",
	})
	m.unread(map[string]string{"prober": "", "tcp": "", "dns": "", "icmp": "", "grpc": "", "unix": "", "websocket": ""})
}

// headers are the request's, the Host among them.
func (b *blackbox) headers(c *check, h at, t target) {
	add := func(p at, name, value string) {
		if basic, token, ok := b.authorization(p, name, value, t.module); ok {
			c.basic, c.bearer = basic, token
			return
		}
		c.headers = append(c.headers, header{name, b.headerValue(p, t.module, name, value)})
	}
	for _, p := range h.key("headers").fewPairs() {
		add(p.at, p.name, p.text())
	}
	for _, p := range h.key("http_headers").fewPairs() {
		for _, v := range p.key("values").texts() {
			add(p.at, p.name, v)
		}
		for _, v := range p.key("secrets").texts() {
			c.headers = append(c.headers, header{p.name, b.secret(p.at, t.module+"_"+p.name, v)})
		}
		p.unread(map[string]string{"files": "a header cannot be read from a file: give its value as ${NAME}"})
	}
	if t.host != "" && !slices.ContainsFunc(c.headers, func(h header) bool { return strings.EqualFold(h.name, "Host") }) {
		c.headers = append(c.headers, header{"Host", literal(t.host)})
	}
}

// authentication is what a module gives in place of a header.
func (b *blackbox) authentication(c *check, h at, name string) {
	c.basic = c.address.basic
	if a := h.key("basic_auth"); a.is(mapping) {
		c.basic = &basic{user: literal(a.str("username")), password: b.secret(a.key("password"), name+"_password", a.str("password")), file: literal(a.str("password_file"))}
		a.unread(map[string]string{"username_file": "a user name cannot be read from a file: write it out"})
	}
	if a := h.key("authorization"); a.is(mapping) {
		switch kind := a.str("type"); {
		case kind == "" || strings.EqualFold(kind, "Bearer"):
			c.bearer, c.tokenF = b.secret(a.key("credentials"), name+"_token", a.str("credentials")), literal(a.str("credentials_file"))
		case a.has("credentials"):
			c.headers = append(c.headers, header{"Authorization", literal(kind) + " " + b.secret(a.key("credentials"), name+"_credentials", a.str("credentials"))})
		}
		a.unread(map[string]string{"credentials_file": "an authorization that is no bearer token cannot be read from a file: give it as ${NAME}"})
	}
	if t := h.str("bearer_token"); t != "" {
		c.bearer = b.secret(h.key("bearer_token"), name+"_token", t)
	}
	if f := h.str("bearer_token_file"); f != "" {
		c.tokenF = literal(f)
	}
	if c.bearer != "" {
		c.tokenF = ""
	}
	if o := h.key("oauth2"); o.is(mapping) {
		c.oauth2 = &oauth2{tokenURL: literal(o.str("token_url")), clientID: literal(o.str("client_id")),
			secret: b.secret(o.key("client_secret"), name+"_client_secret", o.str("client_secret")), file: literal(o.str("client_secret_file")),
			scopes: literals(o.key("scopes").texts())}
		if c.oauth2.secret != "" {
			c.oauth2.file = ""
		}
		o.unread(map[string]string{"endpoint_params": "esawatch sends the client credentials grant and nothing more"})
	}
	if c.basic != nil && c.basic.password != "" {
		c.basic.file = ""
	}
}

// transport is how the request gets there.
func (b *blackbox) transport(c *check, h at, name string) {
	c.tls = b.tls(h.key("tls_config"))
	c.proxy = b.proxy(h.key("proxy_url"), name, h.str("proxy_url"))
	if p := h.str("preferred_ip_protocol"); p != "" {
		family := map[string]text{"ip4": "4", "ip6": "6"}[p]
		if fallback, given := h.flag("ip_protocol_fallback"); given && !fallback {
			c.ipFamily = family
		} else {
			h.key("preferred_ip_protocol").note("is not carried over: esawatch takes the address that answers first, as browsers do", "ip_family: "+string(family)+" takes one family only")
		}
	}
	if follow, given := h.flag("follow_redirects"); given {
		c.noRedirects = !follow
	}
	if no, _ := h.flag("no_follow_redirects"); no {
		c.noRedirects = true
	}
	if h2, given := h.flag("enable_http2"); given && !h2 {
		c.httpVersion = "1.1"
	}
	if h3, _ := h.flag("enable_http3"); h3 {
		c.httpVersion = "3"
	}
	if limit := h.str("body_size_limit"); limit != "" && limit != "0" {
		c.maxBodyBytes = literal(binarySize(limit))
		h.key("body_size_limit").note("is carried over as max_body_bytes: a longer answer is read up to it, and is no failure", "")
	}
}

// answer is what the module wants of the answer.
func (b *blackbox) answer(c *check, h at) {
	e := &c.expect
	if versions := h.key("valid_http_versions").texts(); len(versions) > 0 {
		var known []string
		for _, v := range versions {
			known = append(known, exprText(strings.TrimPrefix(httpVersion(v), "HTTP/")))
		}
		e.expr = append(e.expr, literal("http_version in ["+strings.Join(known, ", ")+"]"))
	}
	if fail, _ := h.flag("fail_if_ssl"); fail {
		e.expr = append(e.expr, `tls.version == ""`)
	}
	if fail, _ := h.flag("fail_if_not_ssl"); fail {
		e.expr = append(e.expr, `tls.version != ""`)
	}
	e.matches = append(e.matches, literals(h.key("fail_if_body_not_matches_regexp").texts())...)
	e.notMatches = append(e.notMatches, literals(h.key("fail_if_body_matches_regexp").texts())...)
	for _, key := range []string{"fail_if_header_matches", "fail_if_header_not_matches"} {
		for _, m := range h.key(key).few() {
			b.header(e, m, key == "fail_if_header_not_matches")
		}
	}
	for _, key := range []string{"fail_if_body_json_matches_cel", "fail_if_body_json_not_matches_cel"} {
		if h.has(key) {
			h.key(key).note("is not carried over: it is written in CEL", "write it as expect.expr, with json in place of body: json.status == \"ok\"")
		}
	}
}

// httpVersion writes HTTP/2 as a response has it.
func httpVersion(v string) string {
	if len(v) == len("HTTP/2") && strings.HasPrefix(v, "HTTP/") {
		return v + ".0"
	}
	return v
}

// header is a rule over a header of the answer.
func (b *blackbox) header(e *expect, m at, want bool) {
	if !m.is(mapping) {
		return
	}
	name, re := m.str("header"), m.str("regexp")
	missing, _ := m.flag("allow_missing")
	canonical := http.CanonicalHeaderKey(name)
	given := exprText(canonical) + " in headers"
	matches := "headers[" + exprText(canonical) + "] matches " + exprText(re)
	twice := slices.ContainsFunc(e.headers, func(h header) bool { return strings.EqualFold(h.name, name) })
	switch {
	case name == "" || re == "":
		m.note("is not carried over: it needs a header and a regexp", "")
	case want && !missing && !twice:
		e.headers = append(e.headers, header{name, literal(re)})
	case want && missing:
		e.expr = append(e.expr, literal("!("+given+") || "+matches))
	case want:
		e.expr = append(e.expr, literal(matches))
	case missing:
		e.expr = append(e.expr, literal("!("+given+") || !("+matches+")"))
	default:
		e.expr = append(e.expr, literal(given+" && !("+matches+")"))
	}
	if !want && strings.ContainsAny(re, "^$") {
		m.note("is carried over as an expression over all values of the header, joined by \", \": ^ and $ are their beginning and end", "")
	}
}

// exprText is a text as expressions write it.
func exprText(s string) string { return strconv.QuoteToASCII(s) }

func literals(all []string) []text {
	var out []text
	for _, s := range all {
		out = append(out, literal(s))
	}
	return out
}

// binarySize writes a size of Prometheus', whose MB is 1024 times 1024.
func binarySize(s string) string { return decimalUnit.ReplaceAllString(s, "${1}iB") }

var decimalUnit = regexp.MustCompile(`([KMG])B$`)
