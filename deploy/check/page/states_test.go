package page

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// shopConfig is one site with an origin, and several beside it.
func shopConfig(t *testing.T, front, origin *edge) string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`sites:
  - name: shop
    url: %[1]s
    origin: {address: %[2]q, scheme: http}
    labels: {team: storefront, tier: "1"}
    runbook_url: https://wiki.example.com/shop
    tls: {ca_file: %[3]s}
    checks:
      - {name: home, path: /}
      - {name: login, path: /login}
      - {name: search, path: "/search?q=shoes", expect: {max_duration: 150ms}}
  - name: blog
    url: %[4]s
    checks: [{name: home, path: /blog}, {name: feed, path: /feed}]
  - name: docs
    url: %[4]s
    checks: [{name: home, path: /docs}]
  - name: later
    url: %[4]s
    checks: [{name: nightly, path: /, schedule: "0 3 1 1 *"}]
maintenance:
  - {name: patching, match: {site: [docs]}, start: %[5]s, end: %[6]s}
  - {name: monthly, match: {}, schedule: "0 2 1 * *", duration: 2h, timezone: Asia/Shanghai}
`, front.URL, origin.Listener.Addr(), ca, origin.URL,
		time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().Add(3*time.Hour).UTC().Format(time.RFC3339))
}

// TestStates goes through the life of a site and looks at the pages in each
// state: that they fit a phone and a desk, in both schemes, that axe-core finds
// nothing, and takes their pictures.
func TestStates(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	front, origin := newEdge(t, true), newEdge(t, false)
	a := startAgent(t, shopConfig(t, front, origin))
	p := a.open()
	a.shows("/", "6 up", "1 waiting")
	p.shoot("healthy", "/")
	p.shoot("healthy-site", "/sites/shop")
	p.shoot("waiting-site", "/sites/later")

	front.set("/login", status(522))
	front.set("/search", slowly(200*time.Millisecond))
	origin.set("/feed", status(http.StatusNotFound))
	id := a.openIncident("shop")
	a.openIncident("blog")
	a.shows("/", "1 degraded", "2 failing")
	p.shoot("failing", "/")
	p.shoot("failing-site", "/sites/shop")
	p.shoot("incident", "/incidents/"+id)

	a.silence("site=blog", "2h", "Ana", "moving the feed, ticket 4711")
	a.shows("/", "1 muted")
	p.shoot("silenced", "/")
	p.shoot("silences", "/silences?site=shop")
	p.shoot("silenced-site", "/sites/blog")

	front.set("/login", nil)
	front.set("/search", nil)
	origin.set("/feed", nil)
	a.shows("/incidents/"+id, "resolved</span>")
	a.shows("/", "6 up")
	p.shoot("resolved", "/incidents/"+id)
	p.shoot("incidents", "/incidents")
	p.shoot("recovered-site", "/sites/shop")
	p.shoot("catalog", "/catalog")
	p.shoot("entry", "/catalog/522")
	p.allowed = []string{"404 (Not Found)"}
	p.shoot("lost", "/sites/none")
}

// TestPending: a check that fails and may yet recover is neither up nor down.
func TestPending(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config+"    confirm: {failures: 1000, interval: 1s}\n")
	a.shows("/", "/1000</span>")
	p := a.open()
	p.visit("/")
	p.has("No open incident")
	p.has("1 pending")
	p.shoot("pending", "/")
}

// TestOffline: an agent with no network says so of itself, first.
func TestOffline(t *testing.T) {
	t.Parallel()
	e, config := oneShop(t)
	gone := newEdge(t, false)
	gone.Close()
	a := startAgent(t, fmt.Sprintf("agent: {location: fra-1, data_dir: %s, canaries: [%q]}\n", t.TempDir(), gone.URL)+config)
	e.Close()
	a.shows("/", "This agent has no network")
	p := a.open()
	p.visit("/")
	p.has("Alerts about sites are held back")
	if h1 := ask[string](p, `document.querySelector("h1").innerText`); h1 != "This agent has no network" {
		t.Errorf("the headline is %q", h1)
	}
	p.shoot("offline", "/")
}

// TestEmpty: with nothing to watch the page says what to do.
func TestEmpty(t *testing.T) {
	t.Parallel()
	a := startAgent(t, "sites: [{name: shop, url: http://127.0.0.1:1, checks: [{name: home, path: /, enabled: false}]}]\n")
	p := a.open()
	p.visit("/")
	p.has("No checks are configured")
	p.shoot("empty", "/")
	p.shoot("empty-incidents", "/incidents")
	p.shoot("empty-silences", "/silences")
}

// TestMany: a thousand checks in two hundred sites, one of which fails.
func TestMany(t *testing.T) {
	t.Parallel()
	e := newEdge(t, false)
	e.set("/137-2", status(525))
	config := "sites:\n"
	for i := range 200 {
		config += fmt.Sprintf("  - {name: site-%03d, url: %q, labels: {team: team-%d}, schedule: 20s, checks: [", i, e.URL, i%7)
		for j := range 5 {
			config += fmt.Sprintf("{name: check-%d, path: /%d-%d}, ", j, i, j)
		}
		config += "]}\n"
	}
	a := startAgent(t, config)
	p := a.open()
	a.openIncident("site-137")
	a.shows("/", "999 up")
	p.shoot("many", "/")
	p.shoot("many-filtered", "/?q=site-13")
	p.shoot("many-state", "/?state=unwell")
	p.visit("/")
	p.run(typed("#q", "team=team-3 check-4"))
	p.has("29 of 1000 checks")
}

// TestManyOfASite: a site of many checks shows those that are well as rows, each
// of which leads to the check in full.
func TestManyOfASite(t *testing.T) {
	t.Parallel()
	e := newEdge(t, false)
	e.set("/7", status(502))
	config := fmt.Sprintf("sites:\n  - name: big\n    url: %q\n    checks:\n", e.URL)
	for i := range 30 {
		config += fmt.Sprintf("      - {name: check-%02d, path: /%d}\n", i, i)
	}
	a := startAgent(t, config)
	a.openIncident("big")
	a.shows("/", "29 up")
	p := a.open()
	p.shoot("big-site", "/sites/big")
	p.look(1280, "light")
	p.visit("/sites/big")
	if n := ask[int](p, `document.querySelectorAll("article.check").length`); n != 1 {
		t.Errorf("%d checks in full, want the one that fails", n)
	}
	p.click("#check-check-20 a")
	p.until("it is there in full", `document.querySelector("article#check-check-20")?.innerText.includes("Run now")`)
	p.click("#check-check-20 header button")
	p.has("It ran: 200")
}

// TestForcedColours: with the reader's own colours nothing is told by ours alone.
func TestForcedColours(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config)
	a.openIncident("shop")
	p := a.open()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	for name, path := range map[string]string{"forced": "/", "forced-site": "/sites/shop"} {
		p.run(chromedp.EmulateViewport(1280, 900))
		p.visit(path)
		p.picture(name)
		if got := ask[string](p, `[...document.querySelectorAll(".badge")].filter((b) => b.checkVisibility({contentVisibilityAuto: true}) && (!b.textContent.trim() || getComputedStyle(b).borderTopStyle !== "solid")).map((b) => b.outerHTML).join()`); got != "" {
			t.Errorf("%s: states without a word or a border: %s", path, got)
		}
	}
}
