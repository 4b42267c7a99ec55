package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// TestSecretIsNeverPrinted looks for the value in every form in which a
// configuration, or a part of it, may be printed.
func TestSecretIsNeverPrinted(t *testing.T) {
	const value = "hunter2"
	file := write(t, "secret", value+"\n")
	c := mustLoad(t, fmt.Sprintf(`
sites: [{name: a, url: https://a.example.com, auth: {basic: {username: me, password: %s}}}]
receivers:
  - {name: chat, slack: {webhook_url: https://hooks.example.com/%s}}
  - {name: hook, webhook: {url: https://hooks.example.com/, secret_file: %s}}
`, value, value, file))
	read, err := c.Receivers[1].Webhook.Secret.Get()
	if err != nil || read != value {
		t.Fatalf("got %q, %v", read, err)
	}
	password := c.Sites[0].Auth.Basic.Password
	for name, v := range map[string]any{
		"config": c, "config by value": *c, "secret": password, "pointer": &password, "file": c.Receivers[1].Webhook.Secret,
		"list": []Secret{password}, "map": map[string]Secret{"a": password}, "receiver": c.Receivers[0], "slack": c.Receivers[0].Slack,
		"unexported": struct{ s Secret }{password}, "unexported pointer": &struct{ s *Secret }{&password},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s", "%T %v", "%p %v"} {
			shown := fmt.Sprintf(verb, v, v)
			if hides(shown, value) {
				continue
			}
			t.Errorf("%s: %s shows the secret: %s", name, verb, shown)
		}
		asJSON, _ := json.Marshal(v)
		asYAML, _ := yaml.Marshal(v)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "v", v)
		for form, shown := range map[string]string{"json": string(asJSON), "yaml": string(asYAML), "slog": log.String()} {
			if !hides(shown, value) {
				t.Errorf("%s: %s shows the secret: %s", name, form, shown)
			}
		}
	}
	if got := fmt.Sprintf("%v|%s|%#v", password, password, Secret{}); got != "<secret>|<secret>|" {
		t.Errorf("got %q", got)
	}
	if b, err := json.Marshal(map[string]Secret{"a": password}); err != nil || !strings.Contains(string(b), "secret") {
		t.Errorf("got %s, %v", b, err)
	}
}

// hides looks for the value as text, as hexadecimal and as decimal bytes.
func hides(shown, value string) bool {
	return !strings.Contains(shown, value) && !strings.Contains(strings.ToLower(shown), fmt.Sprintf("%x", value)) &&
		!strings.Contains(shown, strings.Trim(fmt.Sprint([]byte(value)), "[]"))
}

// TestErrorsHideSecrets puts a secret where it is refused.
func TestErrorsHideSecrets(t *testing.T) {
	const site = "sites:\n  - name: a\n    url: https://a.example.com\n    auth: "
	for _, text := range []string{
		site + "{basic: {username: a, password: [hunter2]}}\n",
		site + "{basic: {username: a, password: {hunter2: 1}}, bearer: {token: hunter2}}\n",
		site + "{basic: {username: a, password: !hunter2 x}}\n",
		site + "{basic: {username: a, password: !!int hunter2}}\n",
		site + "{basic: {username: a, password: *hunter2}}\n",
		site + "{basic: {username: a, password: \"hunter2\\nx\"}}\n",
		site + "{basic: {username: a, password: \"${hunter2-x}\"}}\n",
		site + "{basic: {username: a, password: \"${hunter2\"}}\n",
		site + "{basic: {username: a, password: hunter2: x}}\n",
		site + "{basic: hunter2}\n",
		site + "{bearer: hunter2}\n",
		site + "hunter2\n",
		"sites: [{name: a, url: 'https://a:hunter2@a.example.com'}]\n",
		"sites: [{name: a, url: 'https://hunter2@a.example.com'}]\n",
		"sites: [{name: a, url: 'https://a:hunter2@a.example.com:99999/%zz'}]\n",
		"sites: [{name: a, url: 'a:hunter2@a.example.com'}]\n",
		"sites: [{name: a, url: 'https://a', proxy_url: 'gopher://a:hunter2@proxy'}]\n",
		"sites: [{name: a, url: 'https://a', connect_to: 'https://a:hunter2@proxy'}]\n",
		"sites: [{name: a, url: 'https://a', headers: {Authorization: \"Bearer hunter2\\n\"}}]\n",
		"sites: [{name: a, url: 'https://a', checks: [{name: b, url: 'https://a:99999/?token=hunter2hunter2'}]}]\n",
		"sites: [{name: a, url: 'https://a', checks: [{name: b, url: 'https://a/?auth_key=hunter2hunter2#c'}]}]\n",
		"sites: [{name: a, url: 'https://a', checks: [{name: b, path: '/c?auth_key=hunter2hunter2#c'}]}]\n",
		"sites: [{name: a, url: 'https://a', checks: [{name: b, path: 'c?auth_key=hunter2hunter2'}]}]\n",
		"sites: [{name: a, url: 'https://a', checks: [{name: b, path: '/c d?auth_key=hunter2hunter2'}]}]\n",
		"sites: [{name: a, url: 'https://a/?token=hunter2hunter2'}]\n",
		smallest + "\nreceivers: [{name: a, slack: {webhook_url: 'hooks.example.com/hunter2'}}]\n",
		smallest + "\nreceivers: [{name: a, slack: {webhook_url: 'ftp://a:hunter2@hooks.example.com/'}}]\n",
		smallest + "\nreceivers: [{name: a, webhook: {url: 'https://hunter2 x/'}}]\n",
	} {
		_, err := load(t, text)
		if err == nil {
			t.Errorf("it loads:\n%s", text)
		} else if strings.Contains(strings.ReplaceAll(err.Error(), "password.hunter2", ""), "hunter2") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestSecretFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	put := func(value string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := FileSecret(path)
	want := func(value string) {
		t.Helper()
		if got, err := s.Get(); err != nil || got != value {
			t.Errorf("got %q, %v, want %q", got, err, value)
		}
	}
	put("one\n")
	want("one")
	put("two\r\n") // the same size but one, at once
	want("two")
	put("six\r\n") // the same size, at once
	want("six")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	want("six")
	// Replaced by one of the same size and time, as a rotation with preserved times does.
	other := path + ".new"
	if err := os.WriteFile(other, []byte("ten\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(other, old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	want("ten")
	bad := func(what string) {
		t.Helper()
		want("ten") // as it was
		if got, err := FileSecret(path).Get(); err == nil {
			t.Errorf("%s: got %d bytes, want an error", what, len(got))
		}
	}
	for _, content := range []string{"", "\n", "  \r\n", strings.Repeat("x", maxSecretFile+1)} {
		put(content)
		bad(fmt.Sprintf("a file of %d bytes", len(content)))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	bad("a missing file")
	put(" with spaces ")
	want(" with spaces ")

	s.keep("")
	put("two\nlines")
	want(" with spaces ")
	s.keep("url")
	put("nonsense")
	want(" with spaces ")
	put("https://hooks.example.com/x")
	want("https://hooks.example.com/x")
}

func TestSecretUnset(t *testing.T) {
	var s Secret
	if v, err := s.Get(); v != "" || err != nil || s.IsSet() || s.File() != "" {
		t.Errorf("got %q, %v, %v", v, err, s.IsSet())
	}
	if !NewSecret("x").IsSet() || FileSecret("/a").File() != "/a" {
		t.Error("a secret that is set says it is not")
	}
}

func TestSecretConcurrently(t *testing.T) {
	path := write(t, "secret", "aaaa")
	s := FileSecret(path)
	var wg sync.WaitGroup
	for range 8 {
		copied := s
		wg.Go(func() {
			for range 200 {
				if v, err := copied.Get(); err != nil || strings.Trim(v, "a") != "" && strings.Trim(v, "b") != "" {
					t.Errorf("got %q, %v", v, err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			next := path + ".new"
			if err := os.WriteFile(next, bytes.Repeat([]byte("ab"[i%2:i%2+1]), 4+i), 0o600); err != nil {
				t.Error(err)
			}
			if err := os.Rename(next, path); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

// TestSecretsShareAFile holds that checks which inherit a secret read its file
// as one.
func TestSecretsShareAFile(t *testing.T) {
	file := write(t, "secret", "x")
	c := mustLoad(t, "defaults: {auth: {bearer: {token_file: "+file+"}}}\nsites: [{name: a, url: https://a.example.com}, {name: b, url: https://b.example.com}]\n")
	if c.Sites[0].Checks[0].Auth.Bearer.Token != c.Sites[1].Checks[0].Auth.Bearer.Token {
		t.Error("each check reads the file for itself")
	}
}
