package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/agent/config"
)

// holds wants of an import an error with its place, or a configuration that
// loads.
func holds(t *testing.T, data []byte, r *Result, err error) {
	t.Helper()
	if err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Msg == "" || strings.ContainsAny(e.Error(), "\n\r\x00\x1b") {
			t.Errorf("got %T %q, want an *Error in one line", err, err)
		}
		return
	}
	for _, n := range r.Notes {
		if strings.ContainsAny(n.String(), "\n\r\x00\x1b") || n.What == "" {
			t.Errorf("got the note %q", n.String())
		}
	}
	_, err = load(t, r)
	list, _ := errors.AsType[config.Errors](err)
	for _, e := range list {
		// A file that the source names is not there, and what its secrets and its
		// own variables hold is not known.
		if strings.Contains(e.Msg, "the secret is not a URL") || strings.Contains(e.Msg, "cannot be read") || strings.Contains(e.Msg, "is a directory") || bytes.Contains(data, []byte("$")) {
			continue
		}
		t.Errorf("the output does not load: %v\n%s", e, r.YAML)
	}
	if err != nil && list == nil {
		t.Error(err)
	}
}

// seed adds the files, each with a few words to be put into a file.
func seed(f *testing.F, pattern string, words ...string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds %s: %v", pattern, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "shop", "https://shop.example.com/a?b=c", words[0])
	}
	for _, w := range words {
		f.Add([]byte("x"), w, "http://a", w)
		f.Add([]byte("x"), "a", w, w)
	}
}

// made is a source of the shape that it should have, as JSON, which is YAML too.
func made(t *testing.T, tree any) []byte {
	t.Helper()
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type dict = map[string]any

func FuzzBlackbox(f *testing.F) {
	seed(f, "testdata/*.yml", "10MB", "HTTP/2", "(a|b)$", "5s", "Basic YTpi", "socks5://a:b@c:1", "TLS12", "\u2028\x00- #: \n|")
	f.Fuzz(func(t *testing.T, data []byte, a, b, c string) {
		r, err := Blackbox(Source{"f", data}, BlackboxOptions{Prometheus: Source{"p", data}, Targets: []string{"https://a.example.com/"}})
		holds(t, data, r, err)
		auth := dict{"username": a, "password": b, "credentials": c, "type": c, "client_id": a, "client_secret": b, "token_url": c, "scopes": []string{a, c}}
		module := dict{"prober": "http", "timeout": a, "http": dict{"valid_http_versions": []string{a, c}, "valid_status_codes": []string{c}, "method": a,
			"headers": dict{a: b, c: a, "Host": a, "Authorization": c}, "http_headers": dict{c: dict{"values": []string{a}, "secrets": []string{b}}},
			"fail_if_body_matches_regexp": []string{a, c}, "fail_if_header_matches": []dict{{"header": a, "regexp": c}, {"header": c, "regexp": a, "allow_missing": true}},
			"fail_if_header_not_matches": []dict{{"header": a, "regexp": c}, {"header": a, "regexp": b, "allow_missing": "true"}}, "body": c,
			"tls_config": dict{"server_name": a, "min_version": c}, "proxy_url": b, "body_size_limit": c, "preferred_ip_protocol": c, "enable_http3": true, c: a}}
		for _, key := range []string{"basic_auth", "authorization", "oauth2"} {
			module["http"].(dict)[key] = auth
			how := made(t, dict{"modules": dict{"http_2xx": module, a: module}})
			what := made(t, dict{"global": dict{"scrape_interval": a}, "alerting": dict{"alertmanagers": []dict{{"scheme": a, "path_prefix": c, "static_configs": []dict{{"targets": []string{b, c}}}}}},
				"scrape_configs": []dict{{"job_name": a, "metrics_path": "/probe", "scrape_interval": c, "scrape_timeout": c, "params": dict{"hostname": []string{a}},
					"static_configs": []dict{{"targets": []string{b, c, "https://a.example.com/" + c}, "labels": dict{a: b, c: c, "__param_module": a}}}}}})
			r, err = Blackbox(Source{"f", how}, BlackboxOptions{Prometheus: Source{"p", what}, Targets: []string{b, "a"}})
			holds(t, nil, r, err)
			delete(module["http"].(dict), key)
		}
	})
}

func FuzzGatus(f *testing.F) {
	seed(f, "testdata/gatus.yaml", "[BODY].a[*].b-c == any(1, x)", "len([BODY].a) > 1", "has([BODY].a) == true", "[STATUS] == pat(2?[0-9])", "[BODY] != pat(a*b)", "[RESPONSE_TIME] < 5",
		"[IP] == pat(1.*)", "[CERTIFICATE_EXPIRATION] > 48h", "23:00", "$A ${B} $$ ${", "Bearer x", "\u2028\x00- #: \n|", "90813377000000")
	f.Fuzz(func(t *testing.T, data []byte, a, b, c string) {
		r, err := Gatus(Source{"f", data})
		holds(t, data, r, err)
		alert := dict{"type": "slack", "failure-threshold": c, "description": a}
		window := dict{"start": c, "duration": a, "timezone": c, "every": []string{"Monday"}}
		for _, url := range []string{b, "https://a.example.com/" + c, "https://" + a + "/"} {
			source := made(t, dict{
				"alerting": dict{"slack": dict{"webhook-url": c, "overrides": []dict{{"group": a, "webhook-url": b}}, "default-alert": dict{"success-threshold": 2}},
					"email": dict{"host": a, "port": c, "from": a, "to": b + "," + c, "password": c}, "custom": dict{"url": c, "headers": dict{a: b, c: a}}, "pagerduty": dict{"integration-key": c}},
				"maintenance": window,
				"endpoints": []dict{{"name": a, "group": a, "url": url, "method": c, "interval": c, "headers": dict{a: b, c: a, "Authorization": c}, "body": c, "graphql": a == "",
					"conditions": []string{c, a, "[BODY]." + c + " == " + a, "[BODY] == pat(" + c + ")", "len([BODY]." + a + ") > 1", "[STATUS] == " + c}, "extra-labels": dict{a: c},
					"client":              dict{"timeout": c, "proxy-url": b, "oauth2": dict{"token-url": b, "client-id": a, "client-secret": c, "scopes": []string{c}}},
					"alerts":              []dict{alert, {"type": "email"}, {"type": "custom"}, {"type": "pagerduty"}, {"type": c}},
					"maintenance-windows": []dict{window}}}})
			r, err = Gatus(Source{"f", source})
			holds(t, []byte(a+b+c), r, err)
		}
	})
}

func FuzzUptimeKuma(f *testing.F) {
	seed(f, "testdata/*.json", `{"a": "b", "Authorization": "Basic YTpi"}`, `["200-299", "404"]`, "$.a.b[0]", "60", "true", "oauth2-cc", "\u2028\x00- #: \n|", "${A}$$")
	f.Fuzz(func(t *testing.T, data []byte, a, b, c string) {
		r, err := UptimeKuma(Source{"f", data})
		holds(t, data, r, err)
		for _, kind := range []string{"http", "keyword", "json-query"} {
			source := made(t, dict{
				"monitorList": []dict{
					{"id": 1, "type": kind, "name": a, "description": c, "url": b, "method": c, "interval": c, "timeout": a, "maxretries": c, "retryInterval": c, "headers": c, "body": c, "httpBodyEncoding": a,
						"accepted_statuscodes": []string{a, c}, "keyword": c, "jsonPath": a, "expectedValue": c, "jsonPathOperator": "==", "basic_auth_user": a, "basic_auth_pass": c, "maxredirects": c,
						"tags": []dict{{"name": a, "value": c}}, "notificationIDList": dict{"1": true, "2": true, c: true}, "proxyId": 1, "parent": 2},
					{"id": 2, "type": kind, "name": c, "url": "https://a.example.com/" + c, "authMethod": "oauth2-cc", "oauth_client_id": a, "oauth_client_secret": b, "oauth_token_url": b, "oauth_scopes": c,
						"jsonPath": c, "jsonPathOperator": a, "expectedValue": "1", "accepted_statuscodes_json": c, "keyword": a}},
				"notificationList": []dict{{"id": 1, "name": a, "config": c}, {"id": 2, "name": c, "config": dict{"type": "webhook", "webhookURL": b, "webhookAdditionalHeaders": c}},
					{"id": c, "name": b, "config": dict{"type": "smtp", "smtpHost": a, "smtpPort": c, "smtpFrom": b, "smtpTo": c, "smtpPassword": a}}},
				"proxyList": []dict{{"id": 1, "protocol": "http", "host": a, "port": c, "auth": true, "username": b, "password": c}}})
			r, err = UptimeKuma(Source{"f", source})
			holds(t, nil, r, err)
		}
	})
}
