package agent

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// TestPlan holds what a configuration becomes: its enabled checks in their
// order, each with its policy and its times.
func TestPlan(t *testing.T) {
	plan := planOf(t, `
defaults: {confirm: {failures: 2, interval: 7s}, resolve_after: 4}
alerting: {group_wait: 1s, group_interval: 2s, repeat_interval: 3h, flapping: {changes: 9, window: 10m}}
sites:
  - name: shop
    url: https://shop.example.com
    labels: {team: storefront}
    receivers: [screen]
    runbook_url: https://wiki.example.com/shop
    checks:
      - {name: home, path: /}
      - {name: off, path: /off, enabled: false}
      - {name: login, path: /login, confirm: {failures: 1}, labels: {tier: gold}, severity: info}
  - {name: blog, url: "https://blog.example.com"}
receivers: [{name: screen, console: {}}]
`)
	var names []string
	for _, c := range plan.Checks {
		names = append(names, c.FullName())
		if c.Edge == nil || c.Origin != nil || c.Location != "fra-1" || c.Catalog == nil {
			t.Errorf("check %+v", c)
		}
	}
	want := []string{"shop/home", "shop/login", "blog/home"}
	if !slices.Equal(names, want) {
		t.Errorf("checks %q, want %q", names, want)
	}
	if got := slices.Sorted(maps.Keys(plan.Policies)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("policies of %q, want of %q", got, want)
	}
	login := plan.Policies["shop/login"]
	if login.Failures != 1 || login.ResolveAfter != 4 || login.Flapping.Changes != 9 || login.Flapping.Window != 10*time.Minute ||
		login.RunbookURL != "https://wiki.example.com/shop" || !slices.Equal(login.Receivers, []string{"screen"}) ||
		!maps.Equal(login.Labels, map[string]string{"team": "storefront", "tier": "gold"}) {
		t.Errorf("policy of login is %+v", login)
	}
	spec := plan.specs["shop/login"]
	if spec.confirm.Failures != 1 || spec.confirm.Interval != 7*time.Second || spec.settle != 4 {
		t.Errorf("login looks again as %+v", spec)
	}
	if plan.Checks[1].Severity != catalog.Info || plan.Checks[1].RunbookURL != "https://wiki.example.com/shop" {
		t.Errorf("login has severity %q, runbook %q", plan.Checks[1].Severity, plan.Checks[1].RunbookURL)
	}
	if tm := plan.Timings; tm.GroupWait != time.Second || tm.GroupInterval != 2*time.Second || tm.RepeatInterval != 3*time.Hour {
		t.Errorf("timings %+v", tm)
	}
}

// TestBuildSaysAllThatIsWrong holds that one attempt names every setting that
// only the parts themselves can judge, each with its place.
func TestBuildSaysAllThatIsWrong(t *testing.T) {
	folder := t.TempDir()
	notPEM := writeFile(t, filepath.Join(folder, "ca.pem"), "-----BEGIN NOTHING-----\n")
	big := writeFile(t, filepath.Join(folder, "big"), "")
	if err := os.Truncate(big, maxBodyFile+1); err != nil {
		t.Fatal(err)
	}
	paths, texts := refused(t, `sites:
  - name: shop
    url: https://shop.example.com
    checks:
      - {name: a, method: POST, body_file: `+big+`}
      - {name: b}
      - {name: c, tls: {ca_file: `+notPEM+`}}
  - name: blog
    url: https://blog.example.com
    checks:
      - {name: d, tls: {cert_file: `+notPEM+`, key_file: `+notPEM+`}}
      - {name: e, tls: {ca_file: `+notPEM+`}, enabled: false}
`)
	want := []string{"sites[shop].checks[a].body_file", "sites[shop].checks[c].tls.ca_file", "sites[blog].checks[d].tls.cert_file"}
	if !sameSet(paths, want) {
		t.Errorf("complaints are about %q, want about %q:\n%s", paths, want, strings.Join(texts, "\n"))
	}
	if !anyHas(texts, "config.yaml:7: sites[shop].checks[c].tls.ca_file", "no PEM certificate") {
		t.Errorf("no complaint leads to line 7: %q", texts)
	}
}

// TestCatalogOverridesReachTheirChecks holds that words of one's own go to the
// checks they are for, and to no others.
func TestCatalogOverridesReachTheirChecks(t *testing.T) {
	plan := planOf(t, `
sites:
  - name: shop
    url: https://shop.example.com
    labels: {team: web}
    checks: [{name: home}, {name: pay, labels: {team: money}}, {name: like-home}]
  - {name: blog, url: "https://blog.example.com"}
catalog:
  - {condition: "503", match: {site: [shop]}, owner: storefront team}
  - {condition: "504", match: {labels: {team: money}}, owner: payment team}
  - {condition: "500", owner: everybody}
  - {condition: "521", match: {severity: [info]}, owner: nobody}
  - {condition: "522", match: {fault: [origin_link]}, owner: network team}
  - {condition: "502", match: {fault: [content]}, owner: nobody}
`)
	builtin := catalog.Default()
	for _, test := range []struct {
		check     string
		condition catalog.Condition
		want      string // "" = as built in
	}{
		{"shop/home", "503", "storefront team"}, {"shop/pay", "503", "storefront team"}, {"blog/home", "503", ""},
		{"shop/home", "504", ""}, {"shop/pay", "504", "payment team"}, {"blog/home", "504", ""},
		{"shop/home", "500", "everybody"}, {"blog/home", "500", "everybody"},
		{"shop/home", "521", ""},
		{"blog/home", "522", "network team"},
		{"shop/home", "502", ""},
	} {
		i := slices.IndexFunc(plan.Checks, func(c *checks.Check) bool { return c.FullName() == test.check })
		want := test.want
		if want == "" {
			want = builtin.View(test.condition, "en").Owner
		}
		if got := plan.Checks[i].Catalog.View(test.condition, "en").Owner; got != want {
			t.Errorf("%s of %s is owned by %q, want %q", test.condition, test.check, got, want)
		}
	}
	for condition, want := range map[catalog.Condition]string{"500": "everybody", "503": builtin.View("503", "en").Owner} {
		if got := plan.Catalog.View(condition, "en").Owner; got != want {
			t.Errorf("the catalog of all says %q of %s, want %q", got, condition, want)
		}
	}
	if c := plan.Checks; c[0].Catalog != c[2].Catalog || c[0].Catalog == c[1].Catalog {
		t.Error("checks with the same words share no catalog, or others do")
	}
}

// TestStepsOfOnesOwn holds where they go.
func TestStepsOfOnesOwn(t *testing.T) {
	builtin := catalog.Default().View("503", "en").Steps
	for override, want := range map[string][]string{
		"steps_before: [look here]":                       slices.Concat([]string{"look here"}, builtin),
		"steps_after: [call us]":                          slices.Concat(builtin, []string{"call us"}),
		"steps: [do this]":                                {"do this"},
		"steps_before: [a], steps: [b], steps_after: [c]": {"a", "b", "c"},
	} {
		view := planOf(t, anySite+"catalog: [{condition: '503', severity: info, runbook_url: 'https://wiki.example.com/503', "+override+"}]").Catalog.View("503", "en")
		if !slices.Equal(view.Steps, want) {
			t.Errorf("%s: steps %q, want %q", override, view.Steps, want)
		}
		if view.Severity != catalog.Info || view.RunbookURL != "https://wiki.example.com/503" {
			t.Errorf("%s: severity %q, runbook %q", override, view.Severity, view.RunbookURL)
		}
	}
}

// TestUserAgent says who asks.
func TestUserAgent(t *testing.T) {
	for text, want := range map[string]string{"": "esawatch/1.2.3", "agent: {user_agent: watcher}\n": "watcher"} {
		cfg := configOf(t, text+"sites: [{name: shop, url: 'https://shop.example.com'}]")
		if got := IdentityOf(cfg, "1.2.3"); got.UserAgent != want || got.Location != "fra-1" {
			t.Errorf("identity %+v, want user agent %q at fra-1", got, want)
		}
	}
}

// TestErrorsOfAJoin holds that what was joined is told one by one.
func TestErrorsOfAJoin(t *testing.T) {
	if got := fieldErrors(nil); got != nil {
		t.Errorf("no error becomes %v", got)
	}
	cfg := configOf(t, "sites: [{name: shop, url: 'https://shop.example.com'}]")
	list := config.Errors{cfg.Errorf("sites[shop].url", "", "one"), cfg.Errorf("", "", "two")}
	if got := configErrors(list); len(got) != 2 || !strings.Contains(got[0].Error(), "sites[shop].url: one") {
		t.Errorf("two errors become %v", got)
	}
	if got := configErrors(list[0]); len(got) != 1 {
		t.Errorf("one error becomes %v", got)
	}
}

func TestWarnings(t *testing.T) {
	const site = "sites: [{name: shop, url: 'https://shop.invalid', checks: [{name: home, path: /}]}]\n"
	for text, want := range map[string]int{
		site: 1,
		site + "receivers: [{name: screen, console: {}}]\n": 0,
	} {
		plan, err := Build(configOf(t, text), BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Warnings(); len(got) != want {
			t.Errorf("%s: %q", text, got)
		}
		plan.Close()
	}
}
