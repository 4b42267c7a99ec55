package migrate

import (
	"strings"
)

// authorization takes a header apart that esawatch has a place for.
func (d *draft) authorization(a at, name, value, owner string) (*basic, text, bool) {
	if !strings.EqualFold(name, "Authorization") {
		return nil, "", false
	}
	if user, password, ok := basicOf(value); ok {
		return &basic{user: literal(user), password: d.hidden(a, owner+"_password", password)}, "", true
	}
	if token, ok := bearerOf(value); ok {
		return nil, d.secret(a, owner+"_token", token), true
	}
	return nil, "", false
}

// headerValue is a header's value, put away when it is a secret by its name.
func (d *draft) headerValue(a at, owner, name, value string) text {
	if secretName.MatchString(name) {
		return d.secret(a, owner+"_"+name, value)
	}
	t := d.text(value)
	for _, v := range t.variables() {
		d.needVariable(v, a)
	}
	return t
}

// tls is a section tls_config.
func (d *draft) tls(t at) block {
	b := newBlock()
	if !t.is(mapping) {
		return b
	}
	for _, key := range []string{"ca_file", "cert_file", "key_file"} {
		if path := literal(t.str(key)); path != "" {
			d.needFile(path, t.key(key))
		}
	}
	cert, key := literal(t.str("cert_file")), literal(t.str("key_file"))
	b.set("ca_file", literal(t.str("ca_file")))
	if cert != "" && key != "" {
		b.set("cert_file", cert).set("key_file", key)
	}
	if name := literal(t.str("server_name")); d.check("sites.checks.tls.server_name", name) == nil {
		b.set("server_name", name)
	}
	if v := t.str("min_version"); v != "" {
		version := map[string]text{"TLS10": "1.0", "TLS11": "1.1", "TLS12": "1.2", "TLS13": "1.3"}[v]
		b.set("min_version", version)
	}
	if skip, _ := t.flag("insecure_skip_verify"); skip {
		b.set("insecure_skip_verify", true)
	}
	const inline = "a certificate or key in the configuration cannot be carried over: put it into a file, and name that"
	t.unread(map[string]string{"ca": inline, "cert": inline, "key": inline, "max_version": "esawatch has a least version only"})
	return b
}

// proxy is a proxy's URL, its password put away.
func (d *draft) proxy(a at, name, raw string) text {
	if raw == "" {
		return ""
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if userinfo, host, has := cutLast(rest, "@"); ok && has {
		user, password, _ := strings.Cut(userinfo, ":")
		if password == "" {
			return d.text(scheme) + "://" + d.secret(a, name+"_proxy_user", user) + "@" + d.text(host)
		}
		return d.text(scheme) + "://" + d.text(user) + ":" + d.secret(a, name+"_proxy_password", password) + "@" + d.text(host)
	}
	return d.text(raw)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
