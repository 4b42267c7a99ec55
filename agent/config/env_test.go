package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "a", "EMPTY": "", "NESTED": "${A}"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for _, tt := range []struct{ in, want string }{
		{"plain", "plain"}, {"${A}", "a"}, {"x${A}y${A}", "xaya"}, {"$${A}", "${A}"}, {"$$", "$"}, {"$$$$", "$$"},
		{"^ok$", "^ok$"}, {"$.status", "$.status"}, {"$A", "$A"}, {"${NOPE:-b}", "b"}, {"${NOPE:-}", ""},
		{"${EMPTY}", ""}, {"${EMPTY:-b}", "b"}, {"${A:-b}", "a"}, {"${NESTED}", "${A}"}, {"${NOPE:-a:-b}", "a:-b"},
		{"$${", "${"}, {"$", "$"}, {"", ""},
	} {
		if got, p := expand(tt.in, lookup); p != nil || got != tt.want {
			t.Errorf("expand(%q): got %q, %v, want %q", tt.in, got, p, tt.want)
		}
	}
	for _, in := range []string{"${NOPE}", "${", "${A", "${}", "${1A}", "${A-b}", "${A:-${B}}", "${A b}"} {
		if got, p := expand(in, lookup); p == nil {
			t.Errorf("expand(%q): got %q, want an error", in, got)
		}
	}
}

func TestVariablesInFiles(t *testing.T) {
	c := mustLoad(t, `
sites:
  - name: ${NAME}
    url: https://${NAME}.example.com
    labels: {own: "${ESAWATCH_MY__OWN}"}
    checks:
      - {name: a, timeout: "${TIMEOUT:-4s}", max_redirects: "${N}", enabled: "${ON}", body: "$${NAME} ${MULTI}"}
`, "NAME=shop", "N=3", "ON=false", "MULTI=a: b\n- c", "ESAWATCH_MY__OWN=x")
	check := c.Sites[0].Checks[0]
	if check.URL != "https://shop.example.com/" || check.Timeout != 4*time.Second || check.MaxRedirects != 3 || check.Enabled {
		t.Errorf("got %+v", check)
	}
	if check.Body != "${NAME} a: b\n- c" {
		t.Errorf("got body %q: what is put in must stay text", check.Body)
	}
}

func TestOverrides(t *testing.T) {
	const text = smallest + "\nweb: {listen: \":1\"}\n"
	ok := []struct {
		env  string
		got  func(*Config) any
		want any
	}{
		{"ESAWATCH_WEB__LISTEN=:2", func(c *Config) any { return c.Web.Listen }, ":2"},
		{"ESAWATCH_AGENT__MAX_CONCURRENT_CHECKS=7", func(c *Config) any { return c.Agent.MaxConcurrentChecks }, 7},
		{"ESAWATCH_AGENT__USER_AGENT=$x ${y}", func(c *Config) any { return c.Agent.UserAgent }, "$x ${y}"},
		{"ESAWATCH_DEFAULTS__TIMEOUT=3s", func(c *Config) any { return c.Sites[0].Checks[0].Timeout }, 3 * time.Second},
		{"ESAWATCH_DEFAULTS__CONFIRM__FAILURES=1", func(c *Config) any { return c.Sites[0].Checks[0].Confirm.Failures }, 1},
		{"ESAWATCH_DEFAULTS__EXPECT__VIA_ESA=true", func(c *Config) any { return c.Sites[0].Checks[0].Expect.ViaESA }, "true"},
		{"ESAWATCH_DEFAULTS__MAX_BODY_BYTES=2KiB", func(c *Config) any { return c.Sites[0].Checks[0].MaxBodyBytes }, int64(2048)},
		{"ESAWATCH_DEFAULTS__FOLLOW_REDIRECTS=false", func(c *Config) any { return c.Sites[0].Checks[0].FollowRedirects }, false},
		{"ESAWATCH_ALERTING__STORM__WINDOW=2m", func(c *Config) any { return c.Alerting.Storm.Window }, 2 * time.Minute},
		{"ESAWATCH_DEFAULTS__AUTH__BEARER__TOKEN=hunter2", func(c *Config) any {
			v, _ := c.Sites[0].Checks[0].Auth.Bearer.Token.Get()
			return v
		}, "hunter2"},
		{"ESAWATCH_CLUSTER__REPLICAS=1", func(c *Config) any { return c.Cluster.Replicas }, 1},
		{"ESAWATCH_CLUSTER__QUORUM=2", func(c *Config) any { return c.Cluster.Quorum }, Quorum("2")},
		{"ESAWATCH_CLUSTER__ALONE_AFTER=0s", func(c *Config) any { return c.Cluster.AloneAfter }, time.Duration(0)},
		{"ESAWATCH_DEFAULTS__QUORUM=all", func(c *Config) any { return c.Sites[0].Checks[0].Quorum }, QuorumAll},
		// Not settings, and not meant to be.
		{"ESAWATCH_PORT=tcp://10.0.0.1:9522", func(c *Config) any { return c.Web.Listen }, ":1"},
		{"ESAWATCH_PORT_9522_TCP_ADDR=10.0.0.1", func(c *Config) any { return c.Web.Listen }, ":1"},
		{"ESAWATCH_SERVICE_HOST=10.0.0.1", func(c *Config) any { return c.Web.Listen }, ":1"},
		{"ESAWATCH_SLACK_TOKEN=x", func(c *Config) any { return c.Web.Listen }, ":1"},
	}
	for _, tt := range ok {
		if got := tt.got(mustLoad(t, text, tt.env)); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.env, got, tt.want)
		}
	}
	for env, want := range map[string]string{
		"ESAWATCH_WEB__LISTN=:2":                           `ESAWATCH_WEB__LISTN: is no setting (did you mean "ESAWATCH_WEB__LISTEN"?)`,
		"ESAWATCH_WEB_LISTEN=:2":                           `ESAWATCH_WEB_LISTEN: is no setting (did you mean "ESAWATCH_WEB__LISTEN"? levels are parted by two underscores)`,
		"ESAWATCH_SITES__0__URL=x":                         `ESAWATCH_SITES__0__URL: is no setting (settings in lists and free mappings are in the files only)`,
		"ESAWATCH_AGENT__CANARIES=https://a.test":          `ESAWATCH_AGENT__CANARIES: is no setting (settings in lists and free mappings are in the files only)`,
		"ESAWATCH_CLUSTER__URLS=nats://a:4222":             `ESAWATCH_CLUSTER__URLS: is no setting (settings in lists and free mappings are in the files only)`,
		"ESAWATCH_CLUSTER__REPLICAS=6":                     `ESAWATCH_CLUSTER__REPLICAS: cluster.replicas: 6 is out of range (from 1 to 5)`,
		"ESAWATCH_CLUSTER__USERNAME=me":                    `ESAWATCH_CLUSTER__USERNAME: cluster.username: username and password go together`,
		"ESAWATCH_CLUSTER__PASSWORD=hunter2":               `ESAWATCH_CLUSTER__PASSWORD: cluster.password: username and password go together`,
		"ESAWATCH_CLUSTER__TLS__KEY_FILE=env_test.go":      `ESAWATCH_CLUSTER__TLS__KEY_FILE: cluster.tls.key_file: cert_file and key_file go together`,
		"ESAWATCH_DEFAULTS__TIMEOUT=10":                    `ESAWATCH_DEFAULTS__TIMEOUT: defaults.timeout: "10" is not a duration: it has no unit (did you mean 10s? units: ms, s, m, h, d, w)`,
		"ESAWATCH_DEFAULTS__TIMEOUT=40s":                   `ESAWATCH_DEFAULTS__TIMEOUT: defaults.timeout: the timeout, 40s, is longer than the period, 30s (shorten the timeout, or run less often)`,
		"ESAWATCH_LOG__LEVEL=":                             `ESAWATCH_LOG__LEVEL: log.level: "" is unknown (one of debug, info, warn, error)`,
		"ESAWATCH_AGENT__MAX_CONCURRENT_CHECKS=x":          `ESAWATCH_AGENT__MAX_CONCURRENT_CHECKS: agent.max_concurrent_checks: "x" is not a whole number`,
		"ESAWATCH_DEFAULTS__AUTH__BASIC__PASSWORD=hunter2": `ESAWATCH_DEFAULTS__AUTH__BASIC__PASSWORD: defaults.auth: is not complete (set the other values of its kind too)`,
	} {
		_, err := load(t, text, env)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", env, err, want)
		}
	}
	secret := write(t, "token", "hunter3\n")
	_, err := load(t, text, "ESAWATCH_DEFAULTS__AUTH__BEARER__TOKEN=hunter2", "ESAWATCH_DEFAULTS__AUTH__BEARER__TOKEN_FILE="+secret)
	if err == nil || !strings.Contains(err.Error(), "both") || strings.Contains(err.Error(), "hunter") {
		t.Errorf("both twins: got %v", err)
	}
	c := mustLoad(t, text+"defaults: {auth: {bearer: {token: fromfile}}}\n", "ESAWATCH_DEFAULTS__AUTH__BEARER__TOKEN_FILE="+secret)
	if v, err := c.Defaults.Auth.Bearer.Token.Get(); v != "hunter3" || err != nil {
		t.Errorf("a file over a value: got %q, %v", v, err)
	}
}

// TestEnvRefusedStandsIn: the default that stands in for a refused value is no
// second mistake.
func TestEnvRefusedStandsIn(t *testing.T) {
	_, err := load(t, smallest, "ESAWATCH_DEFAULTS__TIMEOUT=2 s", "ESAWATCH_DEFAULTS__SCHEDULE=5s")
	if list, ok := errors.AsType[Errors](err); !ok || len(list) != 1 || list[0].File != "ESAWATCH_DEFAULTS__TIMEOUT" {
		t.Errorf("got %v, want the timeout alone", err)
	}
}
