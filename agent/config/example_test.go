package config

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const example = "../../config.example.yaml"

func loadExample(t *testing.T) *Config {
	t.Helper()
	c, err := Load([]string{example}, Options{Environ: []string{}, Hostname: "host"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExampleShowsDefaults holds the example to what it says: the values that
// it shows as defaults are the defaults.
func TestExampleShowsDefaults(t *testing.T) {
	got := loadExample(t)
	want, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	want.Agent.Location = "host"
	for _, part := range []struct {
		name      string
		got, want any
	}{
		{"agent", got.Agent, want.Agent},
		{"web", got.Web, want.Web},
		{"log", got.Log, want.Log},
		{"defaults", got.Defaults, want.Defaults},
		{"cluster", got.Cluster, want.Cluster},
		{"alerting", got.Alerting, want.Alerting},
		{"site", got.Sites[0].Settings, want.Defaults},
		{"check", got.Sites[0].Checks[1].Settings, want.Defaults},
	} {
		diff := cmp.Diff(part.want, part.got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Secret{}),
			cmp.FilterPath(func(p cmp.Path) bool { // what the example sets to show how
				switch p.Last().String() {
				case ".Labels", ".Headers", ".JSON":
					return true
				case ".Schedule", ".Timeout":
					return part.name == "check"
				}
				return false
			}, cmp.Ignore()))
		if diff != "" {
			t.Errorf("%s: the example (+) is not the default (-):\n%s", part.name, diff)
		}
	}
	r := got.Receivers[0]
	if !r.SendResolved || r.Lang != "en" || r.Kind() != "console" {
		t.Errorf("receiver: got %+v", r)
	}
}

// TestExampleTeachesEveryField looks for each key of the configuration in the
// example, be it in a comment.
func TestExampleTeachesEveryField(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[reflect.Type]bool{}
	var look func(schemas, reflect.Type)
	look = func(s schemas, typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		for _, f := range s.of(typ).fields {
			key := regexp.MustCompile(`(?m)(^|[\s{#(])` + f.key + `\b`)
			if !key.Match(text) {
				t.Errorf("%s: the example does not show the key %q", typ, f.key)
			}
			item := f
			if f.typ.Kind() == reflect.Slice {
				item = field{typ: f.typ.Elem()}
			}
			if section := item.section(); section != nil {
				look(s, section)
			}
		}
	}
	look(schemas{}, reflect.TypeFor[Config]())
	if len(seen) < 20 {
		t.Errorf("looked at %d structs, want all of them", len(seen))
	}
}

// TestExampleAlternatives loads the example with what it shows in comments: the
// receivers, and the ways to authenticate.
func TestExampleAlternatives(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	uncommented := regexp.MustCompile(`(?m)^(  +)# ( *)((?:- |-\{|- \{|[a-z_0-9]+:(?: |$)).*)$`).ReplaceAll(text, []byte("$1$2$3"))
	// Of those that exclude each other, one stays; and no file of the machine is needed.
	for _, r := range []struct{ from, to string }{
		{`(?m)^ +(bearer: .*|url: https://login.*|body_file: .*)$`, ``},
		{`(?m)^ +oauth2:.*\n( +(token_url|client_id|client_secret_file|scopes):.*\n)+`, ``},
		{`[a-z_]+_file: /etc/esawatch/([a-z-]+)`, `${1}`},
		{`slack-token `, `token: xoxb `}, {`(slack|dingtalk|feishu|wecom)-webhook-url`, `webhook_url: "https://hooks.example.com/x"`},
		{`dingtalk-secret `, `secret: x `},
		{`hook-secret`, `secret: x`}, {`pagerduty-key`, `routing_key: x`}, {`smtp-password `, `password: x `},
		{`username: "" `, `username: me `},
	} {
		uncommented = regexp.MustCompile(r.from).ReplaceAll(uncommented, []byte(r.to))
	}
	c := mustLoad(t, string(uncommented), "PROBE_PASSWORD=x")
	var kinds []string
	for _, r := range c.Receivers {
		kinds = append(kinds, r.Kind())
	}
	want := []string{"console", "slack", "slack", "webhook", "alertmanager", "pagerduty", "dingtalk", "feishu", "wecom", "email"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds of receivers (-want +got):\n%s", diff)
	}
	if a := c.Sites[0].Checks[1].Auth; a == nil || a.Basic == nil || a.Basic.Username != "probe" {
		t.Errorf("auth: got %+v", a)
	}
}
