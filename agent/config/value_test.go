package config

import "testing"

func TestCheckValue(t *testing.T) {
	keys := NewKeys()
	for _, tt := range []struct{ key, value, want string }{
		{"sites.checks.timeout", "5s", ""},
		{"sites.checks.timeout", "5", `"5" is not a duration: it has no unit (did you mean 5s? units: ms, s, m, h, d, w)`},
		{"sites.checks.timeout", "0s", `"0s" is too short (more than 0)`},
		{"sites.checks.max_redirects", "101", "101 is out of range (from 1 to 100)"},
		{"sites.checks.max_body_bytes", "2MiB", ""},
		{"sites.checks.enabled", "maybe", `"maybe" is not a boolean (true or false)`},
		{"sites.checks.expect.status", "2xx", ""},
		{"sites.checks.expect.body_matches", "(", `"(" is not a regular expression: missing closing ) (RE2 syntax: https://github.com/google/re2/wiki/Syntax)`},
		{"sites.checks.expect.headers", "ok", ""},
		{"sites.checks.labels", "a\nb", "holds a control character (one line of text)"},
		{"receivers.webhook.url", "hooks", "the secret is not a URL (https://host/path)"},
		{"maintenance.start", "now", `"now" is not a time (as 2026-12-01T00:00:00Z or 2026-12-01T08:00:00+08:00)`},
		{"sites.checks", "x", `look up "sites.checks": "checks" is a section`},
		{"sites.chocks.name", "x", `look up "sites.chocks.name": there is no key "chocks"`},
		{"sites.name.x", "x", `look up "sites.name.x": "name" holds no keys`},
	} {
		got := ""
		if err := keys.CheckValue(tt.key, tt.value); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.key, tt.value, got, tt.want)
		}
	}
	if err := keys.CheckKey("sites.checks.labels", "team"); err != nil {
		t.Error(err)
	}
	for key, name := range map[string]string{"sites.checks.labels": "a-b", "sites.checks.headers": "a b", "sites.checks.expect.json": "a"} {
		if err := keys.CheckKey(key, name); err == nil {
			t.Errorf("%s takes the key %q", key, name)
		}
	}
}
