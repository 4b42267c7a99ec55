package page

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// axe is the script of axe-core, which ESAWATCH_AXE names, "" where there is none.
var axe = sync.OnceValues(func() (string, error) {
	file := os.Getenv("ESAWATCH_AXE")
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	return string(data), err
})

// needAxe ends the test where there is no axe-core: it says so, or fails when
// ESAWATCH_REQUIRE_SERVERS is set.
func needAxe(t *testing.T) {
	t.Helper()
	if script, err := axe(); err != nil {
		t.Fatal(err)
	} else if script == "" {
		missing(t, "this test needs axe.min.js of axe-core, named by ESAWATCH_AXE")
	}
}

// accessible demands that axe-core finds nothing wrong with the page, be it
// serious or only against good practice. Without axe-core it demands nothing:
// TestAccessible says so.
func (p *tab) accessible(path string) {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatal(err)
	}
	if script == "" {
		return
	}
	type violation struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	// The debugger is not bound by the page's policy, so that the page is judged
	// as it is. The script says nothing of itself that can be sent.
	ask[bool](p, script+"; true")
	for _, v := range ask[[]violation](p, `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.map((v) =>
		({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.slice(0, 3).map((n) => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`) {
		var where []string
		for _, n := range v.Nodes {
			where = append(where, fmt.Sprintf("%.300s\n      %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " ")))
		}
		p.t.Errorf("%s: axe: %s (%s): %s\n    %s", path, v.ID, v.Impact, v.Help, strings.Join(where, "\n    "))
	}
}

// TestAccessible: the pages that TestStates does not come to. Those it judges in
// every state.
func TestAccessible(t *testing.T) {
	t.Parallel()
	needAxe(t)
	_, config := oneShop(t)
	a := startAgent(t, config)
	a.openIncident("shop")
	p := a.open()
	p.allowed = []string{"404 (Not Found)", "400 (Bad Request)"}
	for _, scheme := range []string{"light", "dark"} {
		p.look(1280, scheme)
		for _, path := range []string{"/nothing", "/catalog?lang=zh", "/catalog/522?lang=zh", "/catalog?q=zzzz", "/?q=zzzz", "/?state=up"} {
			p.visit(path)
			p.accessible(path)
		}
		p.visit("/sites/shop")
		p.click("#results-login summary")
		p.accessible("/sites/shop, unfolded")
		p.visit("/silences")
		p.click("#further summary")
		ask[bool](p, `document.querySelectorAll("#silence [required]").forEach((e) => e.value = "x"), true`)
		p.click("#silence button")
		p.has("Nothing was silenced.")
		p.accessible("/silences, refused")
	}
}
