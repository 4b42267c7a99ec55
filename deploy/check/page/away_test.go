package page

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestSaysThatItsSiteIsGone: an open page whose site leaves the configuration
// says so, and shows it again when it is back.
func TestSaysThatItsSiteIsGone(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config)
	whole, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) {
		if err := os.WriteFile(a.file, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	p := a.open()
	p.allowed = []string{"404"}
	p.visit("/sites/shop")
	p.has("home")
	put(strings.Replace(string(whole), "name: shop", "name: store", 1))
	p.has(`The configuration has no site "shop".`)
	put(string(whole))
	p.until("the site is back", `document.querySelector("h1").innerText.startsWith("shop")`)
}

// TestManyPagesAreOpen: a page for which there is no stream any more keeps itself
// up to date all the same, and does not say that the agent is away.
func TestManyPagesAreOpen(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config)
	transport := &http.Transport{DisableKeepAlives: true}
	for range 64 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() }) // it never ends by itself
	}
	p := a.open()
	p.allowed = []string{"503"}
	p.visit("/")
	began := ask[string](p, `document.querySelector("footer time").dateTime`)
	ask[bool](p, `window.said = false,
		new MutationObserver(() => { said ||= !document.getElementById("stale").hidden; })
			.observe(document.getElementById("stale"), { attributes: true }), true`)
	p.until("it came anew", `document.querySelector("footer time").dateTime > "`+began+`"`)
	if ask[bool](p, "said") {
		t.Error("the page says that the agent is away, which is there")
	}
}

// TestLongNames: names and labels of any length stay where they belong.
func TestLongNames(t *testing.T) {
	t.Parallel()
	e := newEdge(t, false)
	name := strings.Repeat("W", 63)
	a := startAgent(t, "sites: [{name: "+name+", url: '"+e.URL+"/"+strings.Repeat("x", 300)+"', labels: {team: "+strings.Repeat("v", 400)+
		`, side: "\u05e9\u05dc \u202elive"}, checks: [{name: `+name+"}]}]\n")
	a.shows("/", "1 up")
	p := a.open()
	for path, cell := range map[string]string{"/": ".checks .site th", "/sites/" + name: ".titled h1"} {
		for _, width := range []int{390, 768, 1280, 2560} {
			p.look(width, "light")
			p.visit(path)
			p.fits(path, width)
			p.until("nothing is written over its neighbour", `(e => e.scrollWidth <= e.clientWidth + 1)(document.querySelector("`+cell+`"))`)
			if path == "/" {
				p.until("the name has room", `document.querySelector(".checks tr:not(.site) th.grow[scope=row]").clientWidth >= 120`)
			}
			p.picture(fmt.Sprintf("long-%s-%d", strings.Fields(cell)[0][1:], width))
		}
	}
	if strings.Contains(a.get("/sites/"+name), "\u202e") {
		t.Error("a label turns the direction of what follows")
	}
}
