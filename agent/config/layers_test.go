package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSmallest(t *testing.T) {
	c := mustLoad(t, "sites:\n  - name: shop\n    url: https://shop.example.com/base/\n")
	if len(c.Sites) != 1 || len(c.Sites[0].Checks) != 1 {
		t.Fatalf("got %+v", c.Sites)
	}
	check := c.Sites[0].Checks[0]
	if check.FullName() != "shop/home" || check.URL != "https://shop.example.com/base/" || check.Path != "" {
		t.Errorf("got %q %q %q", check.FullName(), check.URL, check.Path)
	}
	want, err := DefaultCheck("https://shop.example.com/base/")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Settings, check.Settings); diff != "" {
		t.Errorf("a check with nothing set (+) is not the default (-):\n%s", diff)
	}
	if c.Web.ExternalURL != "http://127.0.0.1:9522" || c.Agent.Location != "host" {
		t.Errorf("got external_url %q, location %q", c.Web.ExternalURL, c.Agent.Location)
	}
	if _, err := load(t, smallest); err != nil {
		t.Errorf("the file that errors propose: %v", err)
	}
}

func TestDefaultCheckRefusesNoURL(t *testing.T) {
	for _, url := range []string{"", "shop.example.com", "ftp://shop.example.com", "https://u:hunter2@shop.example.com"} {
		if _, err := DefaultCheck(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("DefaultCheck(%q): got %v", url, err)
		}
	}
}

const layered = `
defaults:
  timeout: 7s
  headers: {accept: text/html, X-From: defaults}
  labels: {env: prod}
  body: from defaults
  auth: {basic: {username: a, password: b}}
  expect: {status: [200], max_duration: 1s, json: {"$.a": {x: 1}}}
sites:
  - name: shop
    url: https://shop.example.com
    schedule: 1m
    labels: {team: storefront, env: staging}
    expect: {status: [2xx, 3xx]}
    checks:
      - name: a
      - name: b
        path: /b?x=1
        timeout: 3s
        headers: {x-from: check}
        labels: {tier: "1"}
        body_file: body.txt
        auth: {bearer: {token: c}}
        expect: {max_duration: 0s, json: {"$.a": {y: 2}, "$.b": [1, 1.5, null, "1", true]}}
        receivers: [screen]
        enabled: false
      - name: c
        url: http://other.example.com/c
        confirm: {failures: 1}
  - name: blog
    url: http://blog.example.com:8080
    origin: {address: "[2001:db8::1]:443"}
receivers:
  - {name: screen, console: }
`

func TestLayers(t *testing.T) {
	path := write(t, "config.yaml", layered)
	bodyFile := filepath.Join(filepath.Dir(path), "body.txt")
	if err := os.WriteFile(bodyFile, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{path}, Options{Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	a, b, other := c.Sites[0].Checks[0], c.Sites[0].Checks[1], c.Sites[0].Checks[2]
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"a url", a.URL, "https://shop.example.com/"},
		{"a schedule, the site's", a.Schedule, "1m"},
		{"a timeout, the defaults'", a.Timeout, 7 * time.Second},
		{"a headers", a.Headers, map[string]string{"Accept": "text/html", "X-From": "defaults"}},
		{"a labels", a.Labels, map[string]string{"team": "storefront", "env": "staging"}},
		{"a status, replaced", a.Expect.Status, []string{"2xx", "3xx"}},
		{"a max_duration", a.Expect.MaxDuration, time.Second},
		{"a cert_valid_for, built in", a.Expect.CertValidFor, 336 * time.Hour},
		{"a body", a.Body, "from defaults"},
		{"a auth", a.Auth.Basic.Username, "a"},
		{"b url", b.URL, "https://shop.example.com/b?x=1"},
		{"b timeout", b.Timeout, 3 * time.Second},
		{"b headers", b.Headers, map[string]string{"Accept": "text/html", "X-From": "check"}},
		{"b labels", b.Labels, map[string]string{"team": "storefront", "env": "staging", "tier": "1"}},
		{"b status", b.Expect.Status, []string{"2xx", "3xx"}},
		{"b max_duration", b.Expect.MaxDuration, time.Duration(0)},
		{"b json", b.Expect.JSON, map[string]any{"$.a": map[string]any{"y": int64(2)}, "$.b": []any{int64(1), 1.5, nil, "1", true}}},
		{"b body, cleared by body_file", b.Body, ""},
		{"b body_file, resolved", b.BodyFile, bodyFile},
		{"b auth, replaced", b.Auth.Basic == nil && b.Auth.Bearer != nil, true},
		{"b enabled", b.Enabled, false},
		{"b receivers", b.Receivers, []string{"screen"}},
		{"c url", other.URL, "http://other.example.com/c"},
		{"c path", other.Path, ""},
		{"c confirm, merged", other.Confirm, Confirm{1, 5 * time.Second}},
		{"c json, not b's", other.Expect.JSON, map[string]any{"$.a": map[string]any{"x": int64(1)}}},
		{"the site's own", c.Sites[0].Schedule, "1m"},
		{"blog", c.Sites[1].Checks[0].URL, "http://blog.example.com:8080/"},
		{"blog status", c.Sites[1].Checks[0].Expect.Status, []string{"200"}},
		{"no origin", c.Sites[0].Origin == nil, true},
		{"origin", *c.Sites[1].Origin, Origin{Address: "[2001:db8::1]:443"}},
		{"position", b.Pos.Line, 17},
		{"where it is set", c.Where(b.ConfigPath() + ".expect.json").Line, 24},
		{"where a list's entry is set", c.Where(b.ConfigPath() + ".expect.status[3]").Line, 24},
		{"where nothing is set", c.Where("sites[nobody].url").Line, 9},
		{"where the defaults are", c.Where("defaults.headers.X-From").Line, 4},
	} {
		if diff := cmp.Diff(tt.want, tt.got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	e := c.Errorf(b.ConfigPath()+".expect.json", "a hint", "%q is wrong", "x")
	if want := path + `:24: sites[shop].checks[b].expect.json: "x" is wrong (a hint)`; e.Error() != want {
		t.Errorf("got %q, want %q", e, want)
	}
}

func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"10-base.yaml":  "web: {listen: \":1\"}\ndefaults: {timeout: 5s, labels: {a: b}}\nsites: [{name: a, url: https://a.example.com}]\ncatalog: [{condition: 502}]\n",
		"20-more.yaml":  "web: {listen: \":2\"}\ndefaults: {labels: {c: d}}\nsites:\n  - {name: b, url: https://b.example.com}\ncatalog:\n  - condition: 503\n    owner: me\n",
		"ignored.yml":   "nonsense",
		".hidden.yaml":  "nonsense",
		"30-rest.yaml":  "receivers: [{name: s, console: {}}]\nmaintenance: [{name: m, match: {site: [b]}, schedule: '@daily', duration: 1h}]\n",
		"notes.yaml.sw": "nonsense",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	last := write(t, "last.yaml", "web: {listen: \":3\"}\n")
	c, err := Load([]string{dir, last}, Options{Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Web.Listen != ":3" || len(c.Sites) != 2 || len(c.Receivers) != 1 || len(c.Maintenance) != 1 || len(c.Files) != 4 {
		t.Errorf("got listen %q, %d sites, %d receivers, %d maintenance, files %q", c.Web.Listen, len(c.Sites), len(c.Receivers), len(c.Maintenance), c.Files)
	}
	if diff := cmp.Diff(map[string]string{"a": "b", "c": "d"}, c.Sites[1].Checks[0].Labels); diff != "" {
		t.Error(diff)
	}
	if got := c.Catalog[1]; got.Path != "catalog[1]" || c.Where(got.Path+".owner") != (Pos{filepath.Join(dir, "20-more.yaml"), 7}) {
		t.Errorf("got %q at %s", got.Path, c.Where(got.Path+".owner"))
	}

	twice := write(t, "twice.yaml", "sites:\n  - {name: b, url: https://b.example.com}\n")
	_, err = Load([]string{dir, twice}, Options{Environ: []string{}})
	want := twice + `:2: sites[b].name: the site "b" is given twice (first at ` + filepath.Join(dir, "20-more.yaml") + ":4)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestHash(t *testing.T) {
	const text = "sites: [{name: a, url: https://a.example.com}]\n"
	a, same := mustLoad(t, text), mustLoad(t, text)
	if len(a.Hash) != 64 || a.Hash != same.Hash {
		t.Errorf("got %q and %q, want the same 64 digits", a.Hash, same.Hash)
	}
	for name, other := range map[string]*Config{
		"a comment":           mustLoad(t, text+"#\n"),
		"an override":         mustLoad(t, text, "ESAWATCH_LOG__LEVEL=debug"),
		"an override's value": mustLoad(t, text, "ESAWATCH_LOG__LEVEL=warn"),
	} {
		if other.Hash == a.Hash {
			t.Errorf("%s changes nothing", name)
		}
	}
}

func TestExternalURL(t *testing.T) {
	for listen, want := range map[string]string{
		":9522":        "http://host:9522",
		"0.0.0.0:80":   "http://host:80",
		"[::1]:9522":   "http://[::1]:9522",
		"10.0.0.1:443": "http://10.0.0.1:443",
	} {
		c := mustLoad(t, smallest+"\n", "ESAWATCH_WEB__LISTEN="+listen, "ESAWATCH_AGENT__LOCATION=fra-1") // which is no host's name
		if c.Web.ExternalURL != want {
			t.Errorf("listen %q: got %q, want %q", listen, c.Web.ExternalURL, want)
		}
	}
	c := mustLoad(t, smallest+"\nweb: {external_url: https://status.example.com/esawatch/}\n")
	if c.Web.ExternalURL != "https://status.example.com/esawatch" {
		t.Errorf("got %q", c.Web.ExternalURL)
	}
}

// TestLocalURL: on loopback where the listener is on every address.
func TestLocalURL(t *testing.T) {
	for listen, want := range map[string]string{
		":9522":         "http://127.0.0.1:9522",
		"0.0.0.0:80":    "http://127.0.0.1:80",
		"[::]:9522":     "http://127.0.0.1:9522",
		"10.0.0.1:9522": "http://10.0.0.1:9522",
	} {
		c := mustLoad(t, smallest+"\n", "ESAWATCH_WEB__LISTEN="+listen)
		if got := c.Web.LocalURL(); got != want {
			t.Errorf("listen %q: got %q, want %q", listen, got, want)
		}
	}
	c := mustLoad(t, smallest+"\nweb: {listen: ':9522', external_url: https://status.example.com}\n")
	if got := c.Web.LocalURL(); got != "https://status.example.com" {
		t.Errorf("got %q, want what is configured", got)
	}
}

func TestAllowNoSites(t *testing.T) {
	path := write(t, "config.yaml", "receivers: [{name: s, console: {}}]\n")
	if _, err := Load([]string{path}, Options{Environ: []string{}, AllowNoSites: true}); err != nil {
		t.Error(err)
	}
}

// TestURLOfACheck holds that a site's url is asked as it is written, and that a
// path is put behind it with one slash between.
func TestURLOfACheck(t *testing.T) {
	for _, tt := range []struct{ site, check, want string }{
		{"https://a.example.com", "", "https://a.example.com/"},
		{"https://a.example.com/", "", "https://a.example.com/"},
		{"https://a.example.com/healthz", "", "https://a.example.com/healthz"},
		{"https://a.example.com/app/", "", "https://a.example.com/app/"},
		{"https://a.example.com/app", "timeout: 5s", "https://a.example.com/app"},
		{"https://a.example.com", "path: /", "https://a.example.com/"},
		{"https://a.example.com/app", "path: /", "https://a.example.com/app/"},
		{"https://a.example.com/app/", "path: /login?a=b", "https://a.example.com/app/login?a=b"},
		{"https://a.example.com/app/", "url: 'https://b.example.com/x'", "https://b.example.com/x"},
	} {
		text := "sites:\n  - name: shop\n    url: " + tt.site + "\n"
		if tt.check != "" {
			text += "    checks: [{name: one, " + tt.check + "}]\n"
		}
		if got := mustLoad(t, text).Sites[0].Checks[0].URL; got != tt.want {
			t.Errorf("%s and %q: got %s, want %s", tt.site, tt.check, got, tt.want)
		}
	}
}

// TestAnchorsHaveAPlace: at the top, and nowhere else.
func TestAnchorsHaveAPlace(t *testing.T) {
	c := mustLoad(t, "x-api: &api {timeout: 3s, labels: {team: web}}\nx-nothing:\nsites:\n  - name: shop\n    url: https://a.example.com\n    checks: [{<<: *api, name: login}]\n")
	if check := c.Sites[0].Checks[0]; check.Timeout != 3*time.Second || check.Labels["team"] != "web" {
		t.Errorf("got %+v", check)
	}
	for _, text := range []string{"x: 1\n" + smallest, "sites: [{name: a, url: 'https://a.example.com', x-a: 1}]\n"} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), "unknown key") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
