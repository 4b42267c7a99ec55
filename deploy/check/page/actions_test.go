package page

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// oneShop is a site whose login fails.
func oneShop(t *testing.T) (*edge, string) {
	t.Helper()
	e := newEdge(t, false)
	e.set("/login", status(522))
	return e, fmt.Sprintf(`sites:
  - name: shop
    url: %s
    labels: {team: storefront}
    checks: [{name: home, path: /}, {name: login, path: /login}, {name: nightly, path: /nightly, schedule: "0 3 1 1 *", timeout: 10s}]
`, e.URL)
}

// silence is one of the API.
type silence struct {
	ID, State, Author, Comment string
	Matchers                   []string
	Until                      time.Time
}

// TestSilenceByClick goes from the open incident to a silence and back, with
// scripts and without.
func TestSilenceByClick(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts=%t", scripts), func(t *testing.T) {
			t.Parallel()
			_, config := oneShop(t)
			a := startAgent(t, config)
			id := a.openIncident("shop")
			p := a.open()
			if !scripts {
				p.withoutScripts()
			}
			p.visit("/")
			p.click("#" + id + " header a.button")
			p.has("New silence")
			if got := ask[string](p, "document.querySelector('#site').value"); got != "shop" {
				t.Errorf("the form's site is %q", got)
			}
			p.run(typed("#check", "login"), typed("#comment", "<b>new origin</b>"), typed("#author", "Ana"),
				chromedp.SetValue("#duration", "4h"))
			p.click("#silence button")
			p.has("Silenced for")
			p.has("1 check in 1 site: shop/login")
			if got := ask[string](p, "document.activeElement.tagName"); got != "BODY" && got != "MAIN" {
				t.Errorf("the focus is on %s", got)
			}
			var all []silence
			a.api("silences?state=active", &all)
			if len(all) != 1 || strings.Join(all[0].Matchers, " ") != `site="shop" check="login"` || all[0].Author != "Ana" || all[0].Comment != "<b>new origin</b>" {
				t.Fatalf("the API has %+v", all)
			}
			if left := time.Until(all[0].Until); left < 3*time.Hour || left > 4*time.Hour {
				t.Errorf("it lasts %v more, want 4h", left)
			}
			a.shows("/", "1 open incident, muted")
			p.visit("/")
			p.has("1 open incident, muted")
			p.has("by Ana")
			p.click(".muting .links a")
			p.click("#mute-" + all[0].ID + " button")
			p.has("The silence has ended.")
			p.has("Nothing is muted.")
			a.api("silences?state=active", &all)
			if len(all) != 0 {
				t.Errorf("after its end the API has %+v", all)
			}
		})
	}
}

// TestBadSilence: what is wrong is said beside the form, which keeps what was
// filled in; what the browser demands itself it does.
func TestBadSilence(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgent(t, config)
	p := a.open()
	p.allowed = []string{"400 (Bad Request)"}
	p.visit("/silences")
	p.click("#silence button")
	if !ask[bool](p, "document.querySelector('#comment').matches(':invalid')") {
		t.Error("a form with no reason is sent")
	}
	p.run(typed("#comment", "why not"), typed("#author", "Ana"))
	p.click("#silence button")
	p.has("Nothing was silenced. Say what to silence:")
	p.fits("/silences", ask[int](p, "innerWidth"))
	if got := ask[string](p, "document.querySelector('#comment').value"); got != "why not" {
		t.Errorf("the reason is now %q", got)
	}
	p.click("#further summary")
	p.run(typed("#more", "team=~(\n"))
	p.click("#silence button")
	p.has("is not a regular expression")
	var all []silence
	if a.api("silences", &all); len(all) != 0 {
		t.Errorf("%d silences came of it", len(all))
	}
}

// TestRunNow: the button runs a check that would not run for months, and the
// page says so and then what came of it.
func TestRunNow(t *testing.T) {
	t.Parallel()
	e, config := oneShop(t)
	a := startAgent(t, config)
	a.openIncident("shop")
	release := make(chan struct{})
	t.Cleanup(func() {
		select {
		case <-release:
		default:
			close(release)
		}
	})
	e.set("/nightly", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusOK)
	})
	p := a.open()
	p.visit("/sites/shop")
	p.has("No result yet.")
	p.click(`#check-nightly header button`)
	p.has("It runs now")
	close(release)
	p.has("It ran: 200 in ") // by itself
	if got := ask[string](p, "location.hash"); got != "#check-nightly" {
		t.Errorf("led to %q", got)
	}
}

// TestNotAllowed: where nothing may be changed the pages say why, and offer no
// button that would fail.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	_, config := oneShop(t)
	a := startAgentAt(t, "web: {listen: '0.0.0.0:0'}\n", config)
	_, port, _ := strings.Cut(strings.TrimPrefix(a.base, "http://["), "]:")
	if port == "" {
		_, port, _ = strings.Cut(strings.TrimPrefix(a.base, "http://"), ":")
	}
	a.base = "http://127.0.0.1:" + port
	id := a.openIncident("shop")
	p := a.open()
	for _, path := range []string{"/", "/sites/shop", "/incidents/" + id, "/silences"} {
		p.visit(path)
		if n := ask[int](p, `document.querySelectorAll("form[method=post], header a.button, .titled a.button").length`); n != 0 {
			t.Errorf("%s offers %d buttons that would fail", path, n)
		}
	}
	p.has("web.config_file with basic_auth_users")
	p.visit("/sites/shop")
	p.has("Nothing can be run or silenced from here")
}
