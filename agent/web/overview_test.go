package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

func TestOverviewTellsTheStory(t *testing.T) {
	sc := newScene(t, nil)
	has(t, get(t, sc.Server, "/"), "Waiting for the first results", badge("idle", "waiting"), "no result yet")

	for _, name := range []string{"shop/home", "shop/login", "blog/home"} {
		sc.observe(t, name, "", nil)
	}
	page := get(t, sc.Server, "/")
	has(t, page, "All checks pass", "2 sites, 3 checks", badge("ok", "3 up"), badge("ok", "up"), "200 in 200 ms", "icon-ok.svg", "100 %")
	lacks(t, page, "badge bad", "badge warn", "open incident")

	sc.observe(t, "shop/login", "522", nil)
	has(t, get(t, sc.Server, "/"), "No open incident", badge("warn", "failing 1/2"), "522 Connection timed out in 200 ms")

	sc.observe(t, "shop/login", "522", nil)
	page = get(t, sc.Server, "/")
	has(t, page, "1 open incident", badge("bad", "critical"), badge("bad", "failing"), "icon-bad.svg",
		"<title>shop: 522 Connection timed out – esawatch</title>", "The origin answers directly"[1:], "<li>", "<code>curl",
		`<dt>status</dt><dd>522, want 2xx</dd>`, `href="https://wiki.example.com/522"`, `href="./catalog/522"`)
	if shop, blog := strings.Index(page.body, `href="./sites/shop"`), strings.Index(page.body, `href="./sites/blog"`); shop < 0 || shop > blog {
		t.Error("the site that is down does not come first")
	}

	sc.observe(t, "shop/home", "slow", nil)
	sc.observe(t, "shop/home", "slow", nil)
	has(t, get(t, sc.Server, "/"), "Also: Slow answer", badge("warn", "degraded"), "Slow answer: 200 in 200 ms")

	sc.observe(t, "shop/login", "", nil)
	has(t, get(t, sc.Server, "/"), badge("warn", "recovering"))
	sc.observe(t, "shop/login", "", nil)
	page = get(t, sc.Server, "/")
	has(t, page, "1 open incident", badge("warn", "warning"))
	lacks(t, page, badge("bad", "failing"), "522 Connection")
	sc.observe(t, "shop/home", "", nil)
	sc.observe(t, "shop/home", "", nil)
	page = get(t, sc.Server, "/")
	has(t, page, "All checks pass")
	lacks(t, page, "open incident")
}

func TestMutedIsQuiet(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "522", nil)
	sc.observe(t, "shop/home", "522", nil)
	_, err := sc.keeper.Update(t.Context(), "shop", func(rec incident.Record) (incident.Record, bool) {
		rec.Incidents = slices.Clone(rec.Incidents)
		inc := &rec.Incidents[0]
		alert := inc.Alerts["home"]
		alert.Hush = incident.HushMuted
		inc.Alerts = map[string]incident.Alert{"home": alert}
		return rec, true
	})
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, sc.Server, "/")
	has(t, page, "1 open incident, muted", badge("idle", "muted"))
	lacks(t, page, "badge bad")
}

// TestMutedFromTheStart: an incident that opens under a silence is no louder on
// the page than one that is silenced later.
func TestMutedFromTheStart(t *testing.T) {
	sc := newScene(t, nil)
	if _, err := sc.keeper.Silences().Add(t.Context(), incident.Silence{Until: time.Now().Add(time.Hour), Author: "ana",
		Matchers: []incident.Matcher{{Name: "site", Op: "=", Value: "shop"}}}); err != nil {
		t.Fatal(err)
	}
	sc.observe(t, "shop/home", "522", nil)
	sc.observe(t, "shop/home", "522", nil)
	page := get(t, sc.Server, "/")
	has(t, page, "1 open incident, muted", badge("idle", "1 muted"))
	lacks(t, page, "badge bad")
	has(t, get(t, sc.Server, "/incidents/"+sc.keeper.Open()[0].ID), badge("idle", "muted"), "by <b>ana</b>")
}

func TestOverviewFilters(t *testing.T) {
	sc := newScene(t, nil)
	lacks(t, get(t, sc.Server, "/"), "<form")
	sc.observe(t, "blog/home", "522", nil)
	sc.observe(t, "shop/home", "", nil)
	page := get(t, sc.Server, "/?q=shop+LOGIN")
	has(t, page, `value="shop LOGIN"`, "1 of 3 checks", `href="./sites/shop#check-login"`)
	lacks(t, page, `href="./sites/shop#check-home"`, `href="./sites/blog"`)
	for state, want := range map[string]string{"unwell": "blog#check-home", "pending": "blog#check-home", "waiting": "shop#check-login", "up": "shop#check-home"} {
		page = get(t, sc.Server, "/?state="+state)
		has(t, page, "1 of 3 checks", `<option value="`+state+`" selected>`, `href="./sites/`+want)
		if n := strings.Count(page.body, `class="spark"`); n != 1 {
			t.Errorf("%s: %d rows, want 1", state, n)
		}
	}
	has(t, get(t, sc.Server, "/?state=none"), `href="./sites/shop#check-home"`, `href="./sites/blog#check-home"`)
	has(t, get(t, sc.Server, "/?page=7"), `href="./sites/shop#check-home"`)
	has(t, get(t, sc.Server, "/?q=nothing+like+it"), "No check matches.")
	has(t, get(t, sc.Server, "/?q=team=storefront"), "3 of 3 checks")
	lacks(t, get(t, sc.Server, "/?q=team=search"), "spark")
}

// TestOverviewIsBounded: a site that is well is one row, one that is not has its
// checks that are not, and a page of the table has not many more than maxRows.
func TestOverviewIsBounded(t *testing.T) {
	sc := newScene(t, nil)
	var names []string
	for i := range maxRows + 10 {
		for j := range 3 {
			names = append(names, fmt.Sprintf("site-%03d/check-%d", i, j))
		}
	}
	sc.recent.SetChecks(checkList(names...))
	sc.Show(contentFor(names...))
	for _, name := range names {
		sc.observe(t, name, "", nil)
	}
	sc.observe(t, "site-205/check-1", "522", nil)
	page := get(t, sc.Server, "/")
	has(t, page, badge("warn", "1 pending"), badge("ok", "629 up"), `href="./sites/site-205#check-check-1"`, "2 more checks of site-205",
		`3 checks`, "630 of 630 checks", "page 1 of 2", `href="./?page=2&amp;q=&amp;state=#checks"`)
	lacks(t, page, `href="./sites/site-205#check-check-0"`)
	if n := strings.Count(page.body, `class="spark"`); n != maxRows {
		t.Errorf("%d rows, want %d", n, maxRows)
	}
	if first := strings.Index(page.body, `<tbody id="site-`); !strings.HasPrefix(page.body[first:], `<tbody id="site-site-205"`) {
		t.Error("the site that is not well is not the first")
	}
	page = get(t, sc.Server, "/?page=2")
	has(t, page, "page 2 of 2", `href="./?page=1&amp;q=&amp;state=#checks"`, `href="./sites/site-209"`)
	if n := strings.Count(page.body, `class="spark"`); n != 10 {
		t.Errorf("%d rows on the second page, want 10", n)
	}
	has(t, get(t, sc.Server, "/?page=99"), "page 2 of 2", `href="./sites/site-209"`)
	if n := strings.Count(get(t, sc.Server, "/?q=site-00").body, `class="spark"`); n != 30 {
		t.Errorf("%d rows of a filter, want all of its checks", n)
	}
}

// TestEveryOpenIncidentIsCounted: also those that are too many to be listed.
func TestEveryOpenIncidentIsCounted(t *testing.T) {
	v := &overview{Stories: make([]story, maxStories), Lines: make([]story, maxLines), Untold: 5}
	if got, _ := verdictOf(v, nil); got != "115 open incidents" {
		t.Errorf("got %q", got)
	}
}
