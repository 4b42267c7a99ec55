package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// warningsOf are the warnings of a configuration.
func warningsOf(t *testing.T, text string) []string {
	t.Helper()
	plan, err := Build(configOf(t, text), BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	return plan.Warnings()
}

// TestWarningsOfUntoldAlerts: what no receiver can take is said, and nothing that
// one of them may take.
func TestWarningsOfUntoldAlerts(t *testing.T) {
	const remedy = " go to nobody: no receiver's match fits (widen one, or name who is told in the check's receivers)"
	site := func(settings string) string {
		return "sites: [{name: shop, url: 'https://shop.invalid', labels: {team: web}, checks: [{name: login, path: /" + settings + "}]}]\n"
	}
	screen := func(match string) string { return "receivers: [{name: screen, console: {}, match: {" + match + "}}]\n" }
	both := func(a, b string) string {
		return "receivers: [{name: a, console: {}, match: {" + a + "}}, {name: b, console: {}, match: {" + b + "}}]\n"
	}
	plain := site("")
	for text, want := range map[string][]string{
		plain:              {"no receivers: esawatch itself tells nobody of what fails"},
		plain + screen(""): nil,
		plain + screen("site: [shop], labels: {team: web}"):                             nil,
		plain + screen("severity: [warning, critical]"):                                 nil, // of info nobody needs to hear
		plain + screen("fault: [dns]"):                                                  nil, // who knows what will break
		plain + screen("labels: {team: db}"):                                            {"alerts of shop/login" + remedy},
		plain + screen("severity: [critical]"):                                          {"warning alerts of shop/login" + remedy},
		plain + screen("severity: [warning], fault: [dns]"):                             {"critical alerts of shop/login" + remedy},
		plain + screen("severity: [info]"):                                              {"critical alerts of shop/login" + remedy, "warning alerts of shop/login" + remedy},
		plain + both("severity: [critical]", "severity: [warning]"):                     nil,
		plain + both("severity: [critical]", "severity: [warning], labels: {team: db}"): {"warning alerts of shop/login" + remedy},

		site(", severity: critical") + screen("severity: [critical]"): nil,
		site(", severity: critical") + screen("severity: [warning]"):  {"critical alerts of shop/login" + remedy}, // one that cannot be run is a warning
		site(", severity: warning") + screen("severity: [critical]"):  {"alerts of shop/login" + remedy},
		site(", severity: info") + screen("severity: [warning]"):      {"alerts of shop/login" + remedy},
		site(", severity: info") + screen("severity: [critical]"):     {"alerts of shop/login" + remedy},
		site(", labels: {team: db}") + screen("labels: {team: web}"):  {"alerts of shop/login" + remedy},
		site(", receivers: [screen]") + screen("labels: {team: db}"):  nil, // who is named is told
	} {
		if got := warningsOf(t, text); !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q", text, got, want)
		}
	}
}

// TestWarningsAreFew: of many checks the first are named, and how many there are.
func TestWarningsAreFew(t *testing.T) {
	var text strings.Builder
	text.WriteString("receivers: [{name: screen, console: {}, match: {labels: {team: db}}}]\nsites:\n")
	for i := range 12 {
		fmt.Fprintf(&text, "- {name: s%02d, url: 'https://shop.invalid'}\n", i)
	}
	got := warningsOf(t, text.String())
	if len(got) != 1 || !strings.HasPrefix(got[0], "alerts of s00/home, s01/home, s02/home, s03/home, s04/home and 7 more (12 checks) go to nobody: ") {
		t.Errorf("got %q", got)
	}
}
