package migrate

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/agent/config"
)

var update = flag.Bool("update", false, "write what the imports come to into testdata")

func source(t testing.TB, name string) Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return Source{name, data}
}

// load loads a result as esawatch would, with all that it needs at hand.
func load(t testing.TB, r *Result) (*config.Config, error) {
	t.Helper()
	dir, text := t.TempDir(), r.YAML
	var env []string
	for i, n := range r.Needs {
		switch {
		case n.File != "":
			path := filepath.Join(dir, fmt.Sprint(i))
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			text = bytes.ReplaceAll(text, []byte(" "+n.File), []byte(" "+path))
		case strings.Contains(n.Variable, "URL") || strings.Contains(n.Variable, "SLACK"):
			env = append(env, n.Variable+"=https://hooks.example.com/x")
		default:
			env = append(env, n.Variable+"=value")
		}
	}
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load([]string{path}, config.Options{Environ: append([]string{}, env...), Hostname: "host"})
}

// TestImports holds what the files of testdata, which have the shapes of the
// projects' own examples, come to: the configuration and the notes, as they are
// in testdata/*.want. What they come to has to load, and to hold no secret:
// every secret in testdata has hunter2 in it.
func TestImports(t *testing.T) {
	for name, run := range map[string]func() (*Result, error){
		"blackbox": func() (*Result, error) {
			return Blackbox(source(t, "blackbox.yml"), BlackboxOptions{Prometheus: source(t, "prometheus.yml")})
		},
		"blackbox-targets": func() (*Result, error) {
			return Blackbox(source(t, "blackbox.yml"), BlackboxOptions{Targets: []string{"https://shop.example.com/a", "shop.example.com"}, Module: "http_any"})
		},
		"gatus":            func() (*Result, error) { return Gatus(source(t, "gatus.yaml")) },
		"uptime-kuma":      func() (*Result, error) { return UptimeKuma(source(t, "uptime-kuma.json")) },
		"uptime-kuma-rows": func() (*Result, error) { return UptimeKuma(source(t, "uptime-kuma-rows.json")) },
		"uptime-kuma-db":   func() (*Result, error) { return UptimeKuma(source(t, "uptime-kuma-db.json")) },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := run()
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			got.Write(r.YAML)
			got.WriteString("\n# --- notes ---\n")
			for _, n := range r.Notes {
				got.WriteString("# " + n.String() + "\n")
			}
			file := filepath.Join("testdata", name+".want")
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
			if strings.Contains(got.String(), "hunter2") {
				t.Error("a secret is in the output")
			}
			c, err := load(t, r)
			if err != nil {
				t.Fatalf("the output does not load:\n%v", err)
			}
			if len(c.Sites) != r.Sites || len(c.Receivers) != r.Receivers {
				t.Errorf("loaded %d sites, %d receivers; want %d and %d", len(c.Sites), len(c.Receivers), r.Sites, r.Receivers)
			}
		})
	}
}

// TestSecretsStayHidden looks for the secrets in what is said of a source.
func TestSecretsStayHidden(t *testing.T) {
	src := Source{"gatus.yaml", []byte(`
endpoints:
  - {name: a, url: "https://me:hunter2@a.example.com/?sig=hunter2", headers: {Cookie: "s=hunter2", X-Auth-Token: hunter2, Bad Name: hunter2}, conditions: [hunter], body: "user=a&password=hunter2"}
  - {name: b, url: "hunter2://hunter2"}
  - {name: c, url: "https://b.example.com", client: {proxy-url: "http://hunter2@p.example.com:1", oauth2: {client-secret: hunter2}}}
  - {name: d, url: "https://c.example.com", headers: {Authorization: "Digest hunter2"}, body: "<a><password>hunter2</password></a>"}
`)}
	r, err := Gatus(src)
	if err != nil {
		t.Fatal(err)
	}
	all := string(r.YAML)
	for _, n := range r.Notes {
		all += n.String() + "\n"
	}
	// The scheme of a URL is shown: it is no place for a secret.
	if shown := strings.ReplaceAll(all, `not "hunter2"`, ""); strings.Contains(shown, "hunter2") {
		t.Errorf("a secret is shown:\n%s", shown)
	}
	if _, err := load(t, r); err != nil {
		t.Errorf("%v\n%s", err, r.YAML)
	}
}

// bomb is aliases of aliases.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range levels {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	return b.String() + "endpoints: []\n"
}

// TestHostile wants an error, with its place, of whatever is thrown at it.
func TestHostile(t *testing.T) {
	importers := map[string]func(Source) (*Result, error){
		"blackbox": func(s Source) (*Result, error) {
			return Blackbox(s, BlackboxOptions{Targets: []string{"https://a.example.com"}})
		},
		"gatus": Gatus, "uptime-kuma": UptimeKuma,
	}
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	for _, tt := range []struct{ kind, text, want string }{
		{"gatus", "", "f: is empty"},
		{"gatus", "# nothing\n", "f: is empty"},
		{"gatus", "~\n", "f:1: has no endpoints: this is no configuration of Gatus"},
		{"gatus", "apiVersion: v1\nkind: ConfigMap\ndata: {config.yaml: 'endpoints: []'}\n",
			"f:1: is an object of Kubernetes: give what its data has as config.yaml, as a file of its own"},
		{"gatus", "a: \xff", "f: is not text in UTF-8"},
		{"gatus", "endpoints: [", "f:2: is not YAML: did not find expected node content"},
		{"gatus", "endpoints: *hunter2", "f:1: is not YAML: an unknown anchor"},
		{"gatus", "endpoints: " + deep, "f:1: is nested too deeply: at most 64 levels"},
		{"gatus", "endpoints: &a [*a]", "f:1: is nested too deeply: at most 64 levels"},
		{"gatus", "endpoints: &a {<<: *a}", "f:1: is nested too deeply: at most 64 levels"},
		{"gatus", bomb(9), "f:1: has too many values, aliases written out: at most 2000000"},
		{"gatus", "? [a]\n: 1\nendpoints: []", "f:1: a key is no plain text"},
		{"gatus", "endpoints: 5", "f: nothing in it can be carried over: esawatch checks HTTP and HTTPS"},
		{"gatus", "endpoints: [5, [x], {name: [a], url: {}}]", "f: nothing in it can be carried over: esawatch checks HTTP and HTTPS"},
		{"gatus", "#" + strings.Repeat("x", 17<<20), "f: is larger than 16 MiB"},
		{"blackbox", "modules: 5", "f: nothing in it can be carried over: esawatch checks HTTP and HTTPS"},
		{"blackbox", "endpoints: []", "f:1: has no modules: this is no configuration of blackbox_exporter"},
		{"uptime-kuma", "{", "f:1: is not JSON: it ends too soon"},
		{"uptime-kuma", "{}\n{}", "f:2: something follows the JSON"},
		{"uptime-kuma", "[\n1,\n]", "f:3: is not JSON: invalid character ']' looking for beginning of value"},
		{"uptime-kuma", "5", "f:1: has no monitors: this is neither a backup of Uptime Kuma nor a list of its monitors"},
		{"uptime-kuma", deep, "f:1: is nested too deeply: at most 64 levels"},
		{"uptime-kuma", `[{"id": {}, "name": 5, "type": ["http"], "url": {}}]`, "f: nothing in it can be carried over: esawatch checks HTTP and HTTPS"},
	} {
		_, err := importers[tt.kind](Source{"f", []byte(tt.text)})
		if e, ok := errors.AsType[*Error](err); !ok || e.Error() != tt.want {
			t.Errorf("%s %.40q: got %v, want %s", tt.kind, tt.text, err, tt.want)
		}
	}
}

// TestMonitorsWithoutIDs holds that monitors which are yet to be added, and so
// have no id, are not taken for each other's parents.
func TestMonitorsWithoutIDs(t *testing.T) {
	r, err := UptimeKuma(Source{"f", []byte(`[{"type": "http", "name": "a", "url": "https://a.example.com", "parent": null},
		{"type": "http", "name": "b", "url": "https://b.example.com", "parent": 7},
		{"type": "http", "name": "c", "url": "https://c.example.com"}]`)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(t, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Sites {
		if len(s.Labels) > 0 || len(s.Checks[0].Labels) > 0 {
			t.Errorf("%s is labelled %v, %v", s.Name, s.Labels, s.Checks[0].Labels)
		}
	}
}

// TestWrongTypes wants a note of each value that is something else than it
// should be, and the rest carried over.
func TestWrongTypes(t *testing.T) {
	r, err := Gatus(Source{"f", []byte(`
alerting: [x]
maintenance: 5
endpoints:
  - name: a
    url: https://a.example.com
    interval: soon
    headers: [x]
    enabled: perhaps
    method: [GET]
    conditions: "[STATUS] == 200"
    client: {timeout: {}, insecure: [], oauth2: 1, tls: x}
    alerts: {type: slack}
    extra-labels: {team: [a], "1": b, severity: high}
    nonsense: 1
`)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range r.Notes {
		got = append(got, n.String())
	}
	want := []string{
		"f:3: maintenance: is a single value, not a mapping: it is left out",
		`f:7: endpoints[a].interval: is not carried over: "soon" is not a duration`,
		"f:8: endpoints[a].headers: is a list, not a mapping: it is left out",
		"f:9: endpoints[a].enabled: is not true or false: it is left out",
		"f:10: endpoints[a].method: is a list, not a single value: it is left out",
		"f:11: endpoints[a].conditions: is a single value, not a list: it is left out",
		"f:12: endpoints[a].client.insecure: is a list, not a single value: it is left out",
		"f:12: endpoints[a].client.timeout: is a mapping, not a single value: it is left out",
		"f:12: endpoints[a].client.oauth2: is a single value, not a mapping: it is left out",
		"f:12: endpoints[a].client.tls: is a single value, not a mapping: it is left out",
		"f:13: endpoints[a].alerts: is a mapping, not a list: it is left out",
		"f:14: endpoints[a].extra-labels.team: is a list, not a single value: it is left out",
		"f:15: endpoints[a].nonsense: is not carried over: esawatch has nothing like it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if _, err := load(t, r); err != nil {
		t.Errorf("%v\n%s", err, r.YAML)
	}
}

// TestVariables keeps what a file of Gatus takes from its environment where it
// TestWhatDiffersFromMostStays holds that the value of one check outlives that
// most checks have the built-in default, which is not written.
func TestWhatDiffersFromMostStays(t *testing.T) {
	const one, other = "{url: 'https://shop.example.com/%d', client: {timeout: 5s}}", "{url: 'https://shop.example.com/%d'}"
	for _, order := range [][]string{{one}, {other}, {one, other, other}, {other, one, other}, {other, other, one}} {
		text := "endpoints:\n"
		for i, e := range order {
			text += "  - " + fmt.Sprintf(e, i) + "\n"
		}
		r, err := Gatus(Source{"f", []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := load(t, r)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range order {
			want := 10 * time.Second
			if e == one {
				want = 5 * time.Second
			}
			if got := c.Sites[0].Checks[i].Timeout; time.Duration(got) != want {
				t.Errorf("%d of %q has the timeout %v, want %v", i, order, got, want)
			}
		}
	}
}

// was, and finds the parts of a URL around it.
func TestVariables(t *testing.T) {
	r, err := Gatus(Source{"f", []byte(`
endpoints:
  - name: $NAME
    url: https://probe:${PASS}@${HOST}:${PORT}/$PATH/$$1?token=${TOKEN}&q=a$$b
    interval: ${EVERY}
    headers: {X-Token: "${TOKEN}", X-Cost: "$$5", X-Brace: "${", X-Team: team-$TEAM}
    client: {proxy-url: "http://$PROXY:3128"}
`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  - name: host-port\n    url: https://${HOST}:${PORT}\n", "path: /${PATH}/$1?token=${TOKEN}&q=a$b\n", "schedule: ${EVERY}\n",
		"username: probe, password: '${PASS}'", "X-Token: ${TOKEN}\n", "X-Cost: $$5\n", "X-Brace: $${\n", "X-Team: team-${TEAM}\n", "proxy_url: http://${PROXY}:3128\n",
	} {
		if !strings.Contains(string(r.YAML), want) {
			t.Errorf("there is no %q in\n%s", want, r.YAML)
		}
	}
	var names []string
	for _, n := range r.Needs {
		names = append(names, n.Name())
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"EVERY", "HOST", "PASS", "PATH", "PORT", "PROXY", "TEAM", "TOKEN"}, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if len(r.Notes) > 0 {
		t.Errorf("notes: got %v, want none", r.Notes)
	}
}

// TestLarge imports more monitors than anybody has, half of them of one host
// and all of one name, each with a secret and a notification of its own.
func TestLarge(t *testing.T) {
	const monitors = 5_000
	var b strings.Builder
	for i := range monitors {
		fmt.Fprintf(&b, `,{"id":%d,"name":"a","type":"http","url":"https://h%d.example.com/?token=s%d","interval":60,"notificationIDList":{"%d":true}}`, i, i%2*i, i, i)
	}
	start := time.Now() // a square of the number would take minutes
	r, err := UptimeKuma(Source{"f", []byte("[" + b.String()[1:] + "]")})
	if err != nil || r.Checks != monitors || len(r.Needs) != monitors {
		t.Fatalf("got %d checks, %d needs, %v", r.Checks, len(r.Needs), err)
	}
	t.Logf("%d monitors in %v", monitors, time.Since(start).Round(time.Millisecond))
}
