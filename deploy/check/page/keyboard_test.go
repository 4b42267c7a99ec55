package page

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stop is where the focus comes to by the Tab key.
type stop struct {
	Name    string // what a screen reader would call it, or nearly
	Visible bool   // it has a ring
	Shown   bool   // it is in view
}

// stops presses Tab until the focus has left the page or max are found.
func (p *tab) stops(max int) []stop {
	p.t.Helper()
	var all []stop
	for len(all) < max {
		p.run(chromedp.KeyEvent(kb.Tab))
		if ask[bool](p, `document.activeElement === document.body`) {
			break
		}
		all = append(all, ask[stop](p, `(() => {
			const e = document.activeElement, r = e.getBoundingClientRect(), s = getComputedStyle(e);
			return {Name: e.getAttribute("aria-label") || (e.labels && e.labels[0]?.innerText) || e.innerText || e.name,
				Visible: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2, Shown: r.bottom > 0 && r.top < innerHeight && r.right > 0};
		})()`))
	}
	return all
}

// TestKeyboard: whatever can be clicked is reached by Tab, in an order, with a
// ring and in view; the first stop skips the navigation.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config)
	id := a.openIncident("shop")
	p := a.open()
	p.look(1280, "light")
	for path, want := range map[string][]string{
		"/":                {"Skip to the content", "esawatch", "Status", "Incidents", "Silences", "Catalog", "shop: 522 Connection timed out", "Silence…", "shop", "home", "login", "nightly"},
		"/sites/shop":      {"Silence shop…", "Run now: home", "Silence home…", "Run now: login", "Recent results", "Run now: nightly"},
		"/incidents/" + id: {"shop", "Silence…", "login", "Run now: login"},
		"/silences":        {"Site", "Check (all if empty)", "Condition (any if empty)", "For", "Reason", "Your name", "Match by label", "Silence"},
	} {
		p.visit(path)
		stops := p.stops(60)
		at := 0
		for _, s := range stops {
			if at < len(want) && s.Name == want[at] {
				at++
			}
			if !s.Visible || !s.Shown {
				t.Errorf("%s: the focus on %q: ring %t, in view %t", path, s.Name, s.Visible, s.Shown)
			}
		}
		if at < len(want) {
			t.Errorf("%s: Tab does not come to %q in its place: %+v", path, want[at], stops)
		}
	}

	p.visit("/")
	p.run(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	if got := ask[bool](p, `document.querySelector("main").contains(document.activeElement)`); !got {
		t.Error("the first link does not skip to the content")
	}

	// A silence with no mouse at all.
	p.visit("/silences?site=shop")
	if stops := p.stops(11); !slices.ContainsFunc(stops, func(s stop) bool { return s.Name == "Reason" }) {
		t.Fatalf("no way to the reason: %+v", stops)
	}
	p.run(chromedp.Focus("#comment"), chromedp.KeyEvent("new origin"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("Ana"), chromedp.KeyEvent(kb.Enter))
	p.has("Silenced for")
}
