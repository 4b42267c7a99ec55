package page

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// shopConfig is one site with an origin, and several beside it.
func shopConfig(t *testing.T, front, origin *edge) string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if front.Certificate() != nil {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
		if err := os.WriteFile(ca, block, 0o600); err != nil {
			t.Fatal(err)
		}
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
`, front.URL, origin.Listener.Addr(), ca, origin.URL)
}

// TestStates looks at each page in each state, and takes its picture.
func TestStates(t *testing.T) {
	needBrowser(t)
	front, origin := newEdge(t, true), newEdge(t, false)
	a := startAgent(t, shopConfig(t, front, origin))
	p := a.open()
	a.until("results", func() bool {
		var all []any
		a.api("results", &all)
		return len(all) == 6
	})
	p.shoot("healthy", "/")
	p.shoot("healthy-site", "/sites/shop")
	front.set("/login", status(522))
	front.set("/search", slowly(200_000_000))
	origin.set("/feed", status(http.StatusNotFound))
	id := a.openIncident("shop")
	a.openIncident("blog")
	p.shoot("failing", "/")
	p.shoot("failing-site", "/sites/shop")
	p.shoot("incident", "/incidents/"+id)
	p.shoot("catalog", "/catalog")
	p.shoot("entry", "/catalog/522")
	p.shoot("incidents", "/incidents")
}
