package page

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRefreshesItself: a new incident comes onto the open page, and its end,
// while the reader keeps place, focus, what they unfolded and what they typed.
func TestRefreshesItself(t *testing.T) {
	t.Parallel()
	e, config := oneShop(t)
	e.set("/login", nil)
	a := startAgent(t, config)
	a.shows("/", "2 up")
	p := a.open()
	p.look(390, "light")
	p.visit("/sites/shop")
	p.run(chromedp.Click("#results-home summary"), chromedp.Focus("#check-login header button"))
	p.until("it is scrolled", "(scrollTo(0, 500), scrollY === 500)")
	before := ask[float64](p, `document.querySelector("#results-home summary").getBoundingClientRect().top`)
	e.set("/login", status(522))
	p.has("522 Connection timed out")
	p.until("it is announced", `document.querySelector("#said").textContent.includes("login failing")`)
	if got := ask[string](p, `document.activeElement.closest("article")?.id + " " + document.activeElement.tagName`); got != "check-login BUTTON" {
		t.Errorf("the focus went to %s", got)
	}
	// The browser keeps what is in view where it is while more appears above it.
	if after := ask[float64](p, `document.querySelector("#results-home summary").getBoundingClientRect().top`); after < before-10 || after > before+10 {
		t.Errorf("what was in view moved from %v to %v", before, after)
	}
	if !ask[bool](p, `document.querySelector("#results-home").open`) {
		t.Error("what was unfolded is folded")
	}
	e.set("/login", nil)
	p.until("the end is shown", `document.querySelector("h1").innerText.includes("up")`)
	p.has("Past incidents")

	p.visit("/silences?site=shop")
	p.run(typed("#comment", "half a rea"))
	e.set("/login", status(521))
	a.openIncident("shop")
	p.until("the page came anew", `document.querySelector("footer time").dateTime > "`+ask[string](p, `document.querySelector("footer time").dateTime`)+`"`)
	if got := ask[string](p, `document.activeElement.id + "=" + document.activeElement.value`); got != "comment=half a rea" {
		t.Errorf("the form has %q", got)
	}
}

// TestFollowsWhatIsTyped: the catalog and the first page show what fits as it is
// typed, and by the button where there are no scripts.
func TestFollowsWhatIsTyped(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config)
	p := a.open()
	p.visit("/catalog")
	p.run(typed("#q", "tls_ex"))
	p.until("only what fits is there", `document.querySelectorAll("tbody tr").length === 2 && location.search === "?q=tls_ex"`)
	if got := ask[string](p, `document.activeElement.id + "=" + document.activeElement.value`); got != "q=tls_ex" {
		t.Errorf("the focus: %s", got)
	}
	p.until("the number is said", `document.querySelector("#found[role=status]").innerText.startsWith("2 of ")`)
	p.run(typed("#q", "zzz"))
	p.has("No entry matches.")

	still := a.open()
	still.withoutScripts()
	still.visit("/catalog")
	still.run(typed("#q", "tls_ex"))
	still.click("#filter button")
	still.until("only what fits is there", `document.querySelectorAll("tbody tr").length === 2`)
	still.has("tls_expired")
}

// TestSaysWhenTheAgentIsGone: a page that is not kept up to date any more says so.
func TestSaysWhenTheAgentIsGone(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config)
	p := a.open()
	p.allowed = []string{"ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING"}
	p.visit("/")
	p.until("it listens", `performance.getEntriesByType("resource").length > 1`)
	a.stop()
	p.has("This page is not kept up to date: the agent does not answer.")
}
