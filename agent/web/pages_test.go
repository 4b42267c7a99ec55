package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// Templates are parsed when they are needed, which is too late to find one broken.
func TestTemplates(t *testing.T) {
	p, err := newPages()
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		first, err := p.template(name)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if again, _ := p.template(name); again != first {
			t.Errorf("%s is parsed twice", file)
		}
	}
}

func TestSitePage(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "", nil)
	sc.observe(t, "shop/home", "522", nil)
	sc.observe(t, "shop/home", "522", func(r *checks.Result) {
		r.Origin = &checks.Origin{StatusCode: 0, DurationSeconds: 3, Condition: "connect_timeout"}
	})
	page := get(t, sc.Server, "/sites/shop")
	has(t, page, "<h1>shop ", "team=storefront", "203.0.113.10:443", `href="../catalog/522"`,
		"<dt>Answer</dt><dd>522</dd>", "<dd>none (connect_timeout)</dd>", "<dt>POP</dt><dd>de7</dd>", "<dt>Cache</dt><dd>MISS</dd>",
		"<dt>Request id</dt><dd>a3b5</dd>", `class="p-processing"`, "processing <b>150 ms</b>", badge("ok", "valid"), "39 d 23 h", "CN=Test CA",
		"Last 3 results", "connect_timeout", "33.33 %", `<form method="post" action="../sites/shop/checks/home/run">`,
		"No result yet.", `data-events="../events?since=`)
	lacks(t, page, "blog")

	sc.observe(t, "shop/home", "", func(r *checks.Result) { // with a certificate that nobody needs
		r.TLS.ValidUntil, r.TLS.NotAfter = r.TLS.NotAfter, time.Now().Add(-time.Hour)
	})
	has(t, get(t, sc.Server, "/sites/shop"), badge("ok", "valid"), "39 d 23 h")
	for range 2 {
		sc.observe(t, "shop/home", "", func(r *checks.Result) { r.TLS.NotAfter = time.Now().Add(-time.Hour) })
	}
	page = get(t, sc.Server, "/sites/shop")
	has(t, page, "Past incidents", "shop: 522 Connection timed out", badge("bad", "expired"))
	lacks(t, page, "What to do")
}

func TestIncidentPage(t *testing.T) {
	sc := newScene(t, nil)
	for _, step := range []struct {
		check string
		c     catalog.Condition
	}{
		{"shop/home", "slow"}, {"shop/home", "slow"}, {"shop/login", "522"}, {"shop/login", "522"}, {"shop/login", "521"},
	} {
		sc.observe(t, step.check, step.c, nil)
	}
	open := sc.keeper.Open()
	if len(open) != 1 {
		t.Fatalf("%d open incidents", len(open))
	}
	id := open[0].ID
	_, err := sc.keeper.Update(t.Context(), "shop", func(rec incident.Record) (incident.Record, bool) {
		rec.Incidents = slices.Clone(rec.Incidents)
		rec.Incidents[0].Deliveries = map[string]incident.Delivery{
			"oncall": {Seq: open[0].Seq, ToldAt: sc.clock},
			"hook":   {Attempts: 2, LastError: "connection refused"},
			"mail":   {Dropped: true, LastError: "no such mailbox"},
			"pager":  {},
		}
		return rec, true
	})
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, sc.Server, "/incidents/"+id)
	has(t, page, "<h1>521 ", id, "First failure", "Opened: home fails with slow", "login fails too with 522", "Severity rose to critical",
		"login changed from 522 to 521", "&#43;3 s", `href="../catalog/521"`, `href="../catalog/slow"`, "Slow answer",
		"2 attempts in vain: connection refused", "no such mailbox", "not told yet", badge("ok", "told"), `data-events=`)

	for _, name := range []string{"shop/home", "shop/home", "shop/login", "shop/login"} {
		sc.observe(t, name, "", nil)
	}
	page = get(t, sc.Server, "/incidents/"+id)
	has(t, page, badge("ok", "resolved"), "Resolved: login recovered", "home recovered", "recovered")
	lacks(t, page, "data-events=", badge("bad", "firing"))
	has(t, get(t, sc.Server, "/incidents"), "shop: 521 ", `href="./incidents/`+id+`"`, badge("idle", "resolved"))
}

func TestCatalogPages(t *testing.T) {
	sc := newScene(t, nil)
	page := get(t, sc.Server, "/catalog")
	for _, c := range catalog.Default().Conditions() {
		has(t, page, fmt.Sprintf(`href="./catalog/%s"`, c))
	}
	page = get(t, sc.Server, "/catalog?q=522")
	if first := strings.Index(page.body, `href="./catalog/`); !strings.HasPrefix(page.body[max(first, 0):], `href="./catalog/522"`) {
		t.Errorf("522 does not come first:\n%s", page.body)
	}
	lacks(t, page, `href="./catalog/404"`)
	has(t, get(t, sc.Server, "/catalog?q=%E6%BA%90%E7%AB%99&lang=zh"), `lang="zh"`, "错误目录", `href="./catalog/521?lang=zh"`, `name="lang" value="zh"`, "严重")
	has(t, get(t, sc.Server, "/catalog?q=zzzz"), "No entry matches.")

	has(t, get(t, sc.Server, "/catalog/522"), "Connection timed out", "origin link", "What to do", "<code>", `href="../catalog/522?lang=zh"`, `lang="en"`)
	has(t, get(t, sc.Server, "/catalog/522?lang=zh"), "连接源站超时", "处理步骤", `href="../catalog/522"`, `<html lang="zh">`, "回源链路")
	has(t, get(t, sc.Server, "/catalog/TLS_Expired"), "tls_expired")
	has(t, get(t, sc.Server, "/catalog/418"), "no entry of its own")
}

func TestNotFound(t *testing.T) {
	sc := newScene(t, nil)
	for path, want := range map[string]string{
		"/nothing":         `href="./">The status page`,
		"/a/b/c":           `href="../../">The status page`,
		"/sites/none":      `no site &#34;none&#34;`,
		"/incidents/a%2Fb": `href="../incidents">All incidents`,
		"/catalog/5220":    `href="../catalog">The whole catalog`,
		"/catalog/1000":    "no condition",
		"/static/none.css": "no such page",
		"/static/":         "no such page",
	} {
		got := get(t, sc.Server, path)
		if got.StatusCode != 404 || !strings.Contains(got.body, want) || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: got %d, want 404 with %q:\n%s", path, got.StatusCode, want, got.body)
		}
	}
	// A server may answer with any three digits.
	if got := get(t, sc.Server, "/catalog/999"); got.StatusCode != 200 || !strings.Contains(got.body, "999") {
		t.Errorf("/catalog/999: got %d", got.StatusCode)
	}
	if got := do(t, request(t, "POST", sc.Addr(), "/", nil)); got.StatusCode != 405 {
		t.Errorf("POST /: got %d, want 405", got.StatusCode)
	}
}

// hostile is text as an enemy would put it wherever a server's words are shown.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>` + "`</code><b>`" + `{{.}}`

// TestHostileTextIsEscaped fills every text of a result with it.
func TestHostileTextIsEscaped(t *testing.T) {
	sc := newScene(t, nil)
	evil := func(r *checks.Result) {
		r.URL, r.HTTPVersion, r.RemoteAddress = "javascript:alert(1)//"+hostile, hostile, hostile
		r.TLS.Issuer, r.TLS.Subject, r.TLS.Cipher, r.TLS.Version = hostile, hostile, hostile, hostile
		r.Edge = probe.Edge{ViaESA: hostile, RequestID: hostile, NodeIP: hostile, POP: hostile, CacheStatus: hostile, ErrorToken: hostile, ProxyStatus: hostile}
		r.Origin.Condition = hostile
		d := r.Diagnosis
		d.Title, d.Owner, d.Summary, d.Verdict = hostile, hostile, hostile, hostile
		d.Evidence, d.Steps = []string{hostile, "x: " + hostile}, []string{hostile}
		d.DocURL, d.RunbookURL = "javascript:alert(1)", "data:text/html,"+hostile
	}
	sc.observe(t, "shop/home", "522", evil)
	sc.observe(t, "shop/home", "522", evil)
	q := url.QueryEscape(hostile)
	for _, path := range []string{"/", "/?q=" + q, "/sites/shop", "/sites/" + url.PathEscape(hostile), "/incidents",
		"/incidents/" + sc.keeper.Open()[0].ID, "/incidents/" + url.PathEscape(hostile), "/catalog?q=" + q, "/catalog/" + url.PathEscape(hostile)} {
		page := get(t, sc.Server, path)
		lacks(t, page, "<script>", "<img", "onerror=alert(1)>", "</code><b>", `href="javascript:`, `href="data:`)
	}
}

// TestPagesStayWithinTheirPolicy: nothing inline, nothing from elsewhere, and
// each says what may be loaded.
func TestPagesStayWithinTheirPolicy(t *testing.T) {
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "522", nil)
	sc.observe(t, "shop/home", "522", nil)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script>|javascript:|<base|<iframe`)
	loaded := regexp.MustCompile(`<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"`)
	for _, path := range []string{"/", "/sites/shop", "/incidents", "/silences", "/incidents/" + sc.keeper.Open()[0].ID, "/catalog", "/catalog/522", "/a/b/none"} {
		page := get(t, sc.Server, path)
		if found := inline.FindString(page.body); found != "" {
			t.Errorf("%s: %q, which the policy forbids", path, found)
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; script-src 'self';") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for _, m := range loaded.FindAllStringSubmatch(page.body, -1) {
			u, err := page.Request.URL.Parse(m[1])
			if err != nil || u.Host != sc.Addr().String() {
				t.Errorf("%s loads %q: %v", path, m[1], err)
				continue
			}
			got := do(t, request(t, "GET", sc.Addr(), u.RequestURI(), nil))
			if got.StatusCode != 200 || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s loads %q: %d, %q", path, u, got.StatusCode, got.Header.Get("Cache-Control"))
			}
		}
	}
}

// TestEveryLinkLeadsSomewhere follows all links of our own from the first page.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	sc := newScene(t, nil)
	for _, c := range []catalog.Condition{"522", "522", "521", "", ""} {
		sc.observe(t, "shop/home", c, nil)
	}
	sc.observe(t, "blog/home", "404", nil)
	sc.observe(t, "blog/home", "404", nil)
	link := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	ids := regexp.MustCompile(`\sid="([^"]*)"`)
	todo, seen := []string{"/"}, map[string]bool{"/": true}
	jumps := map[string][]string{} // fragments that other pages lead to, by path
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		page := get(t, sc.Server, path)
		if page.StatusCode != 200 {
			t.Errorf("%s: got %d", path, page.StatusCode)
		}
		found := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(page.body, -1) {
			if found[m[1]] {
				t.Errorf("%s: id %q twice", path, m[1])
			}
			found[m[1]] = true
		}
		for _, m := range link.FindAllStringSubmatch(page.body, -1) {
			if target, ok := strings.CutPrefix(m[1], "#"); ok && !found[target] {
				t.Errorf("%s: no %q to jump to", path, m[1])
			}
			u, err := page.Request.URL.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil {
				t.Errorf("%s: link %q: %v", path, m[1], err)
				continue
			}
			if u.Fragment != "" && u.Path != page.Request.URL.Path {
				jumps[u.RequestURI()] = append(jumps[u.RequestURI()], u.Fragment)
			}
			if u.Host == sc.Addr().String() && !seen[u.RequestURI()] {
				seen[u.RequestURI()] = true
				todo = append(todo, u.RequestURI())
			}
		}
	}
	for path, fragments := range jumps {
		for _, f := range fragments {
			has(t, get(t, sc.Server, path), fmt.Sprintf(` id="%s"`, f))
		}
	}
	if len(seen) < 100 {
		t.Errorf("followed %d links, want the catalog's in two languages at least", len(seen))
	}
}

// TestPagesOnLoopbackArePrivate: a page elsewhere whose name was made to point
// here reads nothing.
func TestPagesOnLoopbackArePrivate(t *testing.T) {
	sc := newScene(t, nil)
	for _, path := range []string{"/", "/api/v1/results", "/events", "/static/style.css"} {
		for host, want := range map[string]int{"evil.example": 403, "watch.example.com": 200, "localhost": 200} {
			if path == "/events" && want == 200 {
				continue // it would go on
			}
			got := do(t, request(t, "GET", sc.Addr(), path, func(r *http.Request) { r.Host = host }))
			if got.StatusCode != want {
				t.Errorf("%s as %s: got %d, want %d", path, host, got.StatusCode, want)
			}
		}
	}
}

func TestTroubleOfTheAgentIsShown(t *testing.T) {
	sc := newScene(t, func(o *Options) { o.Ready = func() error { return fmt.Errorf("the store cannot be <written>") } })
	has(t, get(t, sc.Server, "/"), `role="alert"`, "the store cannot be &lt;written&gt;")
}

func TestCompression(t *testing.T) {
	sc := newScene(t, nil)
	plain := get(t, sc.Server, "/catalog")
	// A transport that was not asked to compress by itself says what came.
	got := do(t, request(t, "GET", sc.Addr(), "/catalog", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }))
	if got.Header.Get("Content-Encoding") != "gzip" || len(got.body)*2 > len(plain.body) {
		t.Errorf("got %q, %d bytes of %d", got.Header.Get("Content-Encoding"), len(got.body), len(plain.body))
	}
}
