package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// mates are other agents that are not there.
type mates struct {
	mu       sync.Mutex
	standing Standing
	members  []Member
	away     map[string]Member // who runs a check, by full name
	voting   []string
	version  uint64
}

func (m *mates) Standing() Standing { m.mu.Lock(); defer m.mu.Unlock(); return m.standing }
func (m *mates) Members() []Member  { m.mu.Lock(); defer m.mu.Unlock(); return m.members }
func (m *mates) Version() uint64    { m.mu.Lock(); defer m.mu.Unlock(); return m.version }
func (m *mates) Runs(site, check string) bool {
	_, away := m.away[checks.FullName(site, check)]
	return !away
}
func (m *mates) Runner(site, check string) (Member, bool) {
	one, away := m.away[checks.FullName(site, check)]
	return one, away && one.ID != ""
}
func (m *mates) Voting(string, string) ([]string, int) {
	return m.voting, incident.Majority.Of(len(m.voting))
}

// Voters and Watched make it an incident.Panel.
func (m *mates) Voters(string, string, time.Duration) ([]string, map[string]string) {
	return m.voting, map[string]string{"fra-1": "eu", "sgp-1": "asia", "iad-1": "us"}
}
func (m *mates) Watched(string, string) bool { return true }
func (m *mates) Behind(string) time.Duration { return 0 }

// stand changes how the agent stands to the others.
func (m *mates) stand(st Standing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.standing = st
	m.version++
}

// newMates are two more agents, in other locations, and one in our own.
func newMates() *mates {
	now := time.Now()
	return &mates{
		standing: Standing{Together: true, Since: now.Add(-time.Hour)},
		voting:   []string{"fra-1", "iad-1", "sgp-1"},
		members: []Member{
			{ID: "fra-1-aaaaaaaaaa", Location: "fra-1", Region: "eu", Version: "1.2.3", URL: "https://a.example.com/", Self: true, Live: true, Seen: now},
			{ID: "fra-1-bbbbbbbbbb", Location: "fra-1", Region: "eu", Version: "1.2.3", URL: "https://b.example.com/esa/", Live: true, Seen: now.Add(-time.Second)},
			{ID: "iad-1-cccccccccc", Location: "iad-1", Region: "us", Version: "1.2.3", URL: "https://c.example.com/", Live: true, Offline: true, Seen: now.Add(-2 * time.Second)},
			{ID: "sgp-1-dddddddddd", Location: "sgp-1", Region: "asia", Version: "1.2.2", Seen: now.Add(-3 * time.Minute)},
		},
	}
}

// newClusterScene is a scene of an agent among others.
func newClusterScene(t testing.TB, m *mates) *scene {
	t.Helper()
	keeper := incident.NewKeeper(memstore.New(), incident.Options{Location: "fra-1", Panel: m, Shared: true})
	policies := map[string]incident.Policy{}
	for _, name := range []string{"shop/home", "shop/login", "blog/home"} {
		policies[name] = incident.Policy{Failures: 2, ResolveAfter: 2, Quorum: incident.Majority, Stale: 24 * time.Hour}
	}
	if err := keeper.SetPolicies(t.Context(), policies, incident.Timings{}); err != nil {
		t.Fatal(err)
	}
	sc := newScene(t, func(o *Options) { o.Cluster, o.Incidents = m, keeper })
	sc.keeper = keeper
	return sc
}

// from feeds the result of a location.
func (sc *scene) from(t testing.TB, location, pop, name string, condition catalog.Condition) {
	t.Helper()
	edit := func(r *checks.Result) { r.Location, r.Edge.POP = location, pop }
	if location == "fra-1" {
		sc.observe(t, name, condition, edit)
		return
	}
	recent := sc.recent
	sc.recent = NewRecent() // that of another agent
	sc.observe(t, name, condition, edit)
	sc.recent = recent
}

// TestClusterStory follows an outage from one location to all and back.
func TestClusterStory(t *testing.T) {
	sc := newClusterScene(t, newMates())
	for range 2 {
		sc.from(t, "fra-1", "de7", "shop/home", "522")
	}
	overview := get(t, sc.Server, "/")
	has(t, overview, badge("warn", "from 1/3"), "seen from 1 of 3: fra-1 only, POP de7", "No open incident",
		"3 agents in 2 locations judge together.")
	lacks(t, overview, "Cut off", "1 open incident")
	site := get(t, sc.Server, "/sites/shop")
	has(t, site, badge("warn", "from 1/3"), `<p class="from">seen from 1 of 3: fra-1 only, POP de7. An alert takes 2, so nobody is told.</p>`)

	for range 2 {
		sc.from(t, "sgp-1", "sg2", "shop/home", "522")
	}
	rec, _ := sc.keeper.Record("shop")
	open, ok := rec.OpenIncident()
	if !ok {
		t.Fatalf("two of three see it, and no incident is open: %+v", rec)
	}
	site = get(t, sc.Server, "/sites/shop")
	has(t, site, badge("bad", "failing"), "seen from 2 of 3: fra-1 (POP de7), sgp-1 (POP sg2)</p>")
	lacks(t, site, "nobody is told")
	page := get(t, sc.Server, "/incidents/"+open.ID)
	has(t, page, "Seen from 2 of 3: fra-1 (POP de7), sgp-1 (POP sg2). Some places and not others: compare their POPs.",
		"<td>"+badge("bad", "yes")+`</td><th scope="row" class="grow">fra-1</th><td>eu</td><td>de7</td>`,
		"<td>"+badge("ok", "no")+`</td><th scope="row" class="grow">iad-1</th><td>us</td><td>–</td>`)
	lacks(t, page, "Single view")

	for range 2 {
		sc.from(t, "iad-1", "iad3", "shop/home", "522")
	}
	for range 2 { // it passes from here, but not from the two others
		sc.from(t, "fra-1", "de7", "shop/home", "")
	}
	has(t, get(t, sc.Server, "/sites/shop"), badge("bad", "failing"), "seen from 2 of 3: iad-1 (POP iad3), sgp-1 (POP sg2)")
	has(t, get(t, sc.Server, "/incidents/"+open.ID), "home fails from iad-1 too with 522")
	api := get(t, sc.Server, "/api/v1/incidents")
	has(t, api, `"kind":"spread"`, `"location":"iad-1"`, `"views":[{"location":"fra-1","region":"eu"}`)
	for range 2 {
		sc.from(t, "iad-1", "iad3", "shop/home", "")
		sc.from(t, "sgp-1", "sg2", "shop/home", "")
	}
	page = get(t, sc.Server, "/incidents/"+open.ID)
	has(t, page, badge("ok", "resolved"), "It was seen from fra-1, sgp-1, iad-1.")
	lacks(t, page, `class="views"`)
}

// TestStandings: every page says how the agent stands to the others, where it is
// not together with them.
func TestStandings(t *testing.T) {
	since := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		standing    Standing
		has, lacks  []string
		self, other string // badges
	}{
		"together": {Standing{Together: true, Since: since}, nil, []string{"cutoff", "Cut off"}, badge("ok", "there"), badge("bad", "silent")},
		"cut off": {Standing{Since: since, Why: "no connection to NATS", After: time.Minute},
			[]string{`<b>Cut off from the other agents</b> since <time datetime="2026-11-23T09:00:00Z">2026-11-23 09:00:00 UTC</time>: no connection to NATS.`,
				"it alerts by itself from 09:01:00 UTC on", ". Cut off from the other agents\""},
			[]string{"Alone", `id="cutoff" class="trouble" role=`}, badge("warn", "cut off"), badge("idle", "not heard")},
		"alone": {Standing{Since: since, Alone: true, Why: "<b>\u202eno\x00 server</b>", After: time.Minute},
			[]string{"<b>Alone, cut off from the other agents</b>", "It alerts by itself, and its alerts say that nobody else was asked.", "&lt;b&gt;\ufffdno\ufffd server&lt;/b&gt;"},
			[]string{"from 09:01:00", "<b>\u202e", `id="cutoff" class="trouble" role=`}, badge("warn", "alone"), badge("idle", "not heard")},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMates()
			m.stand(test.standing)
			sc := newClusterScene(t, m)
			sc.from(t, "fra-1", "de7", "shop/home", "")
			for _, path := range []string{"/", "/sites/shop", "/incidents", "/silences", "/catalog"} {
				page := get(t, sc.Server, path)
				texts := test.has
				if path != "/" && path != "/sites/shop" { // they do not refresh themselves
					texts = slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return strings.HasSuffix(s, `"`) })
				}
				has(t, page, texts...)
				lacks(t, page, test.lacks...)
			}
			has(t, get(t, sc.Server, "/"), test.self, test.other)
			for _, one := range decode[[]agentJSON](t, get(t, sc.Server, "/api/v1/agents"), 200) {
				if !one.Self {
					continue
				}
				want := standingJSON{test.standing.Together, test.standing.Alone, since, test.standing.Why}
				if one.Standing == nil || *one.Standing != want {
					t.Errorf("the API has %+v, want %+v", one.Standing, want)
				}
			}
		})
	}
}

// TestElsewhere: a check that another agent of the location runs leads there, and
// cannot be run here.
func TestElsewhere(t *testing.T) {
	for name, test := range map[string]struct {
		runner     Member
		has, lacks []string
	}{
		"known": {newMates().members[1], []string{`Run by <a href="https://b.example.com/esa/" rel="noreferrer">fra-1-bbbbbbbbbb</a>, another agent of this location.`}, nil},
		"without a page": {Member{ID: "fra-1-bbbbbbbbbb", Location: "fra-1"},
			[]string{"Run by <b>fra-1-bbbbbbbbbb</b>, another agent of this location."}, nil},
		"not known": {Member{}, []string{"Another agent of this location runs it."}, nil},
		"hostile": {Member{ID: `"><script>x()</script>`, URL: "javascript:alert(1)"},
			[]string{"Run by <b>&#34;&gt;&lt;script&gt;x()&lt;/script&gt;</b>"}, []string{"javascript:", "<script>x"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMates()
			m.away = map[string]Member{"shop/home": test.runner, "blog/home": test.runner}
			sc := newClusterScene(t, m)
			sc.runErr = ErrElsewhere
			page := get(t, sc.Server, "/sites/shop")
			has(t, page, append(test.has, badge("idle", "elsewhere"), `action="../sites/shop/checks/login/run"`)...)
			lacks(t, page, append(test.lacks, `action="../sites/shop/checks/home/run"`)...)
			has(t, get(t, sc.Server, "/"), badge("idle", "elsewhere"), "run by another agent of fra-1")

			post := do(t, request(t, "POST", sc.Addr(), "/api/v1/checks/shop/home/run", nil))
			if post.StatusCode != http.StatusConflict || !strings.Contains(post.body, "another agent of this location runs the check") {
				t.Errorf("the API answers %d %s, want 409", post.StatusCode, post.body)
			}
			form := do(t, request(t, "POST", sc.Addr(), "/sites/shop/checks/home/run", nil))
			if form.StatusCode != http.StatusConflict || !strings.Contains(form.body, "Another agent of this location runs the check.") {
				t.Errorf("the form is answered %d %s, want 409", form.StatusCode, form.body)
			}
		})
	}
}

// TestElsewhereIsWell: what other agents run and find well is nothing that needs a
// look, and makes no site of many checks longer.
func TestElsewhereIsWell(t *testing.T) {
	m := newMates()
	m.away = map[string]Member{}
	sc := newClusterScene(t, m)
	var names []string
	for i := range manyChecks + 1 {
		names = append(names, "big/check-"+string(rune('a'+i/26))+string(rune('a'+i%26)))
		m.away[names[i]] = m.members[1]
	}
	delete(m.away, names[3])
	sc.recent.SetChecks(checkList(names[3]))
	sc.Show(contentFor(names...))
	sc.from(t, "fra-1", "de7", names[3], "")
	overview := get(t, sc.Server, "/")
	has(t, overview, "All checks that have run pass", badge("ok", "up"), "30 elsewhere", "31 checks")
	lacks(t, overview, "run by another agent")
	site := get(t, sc.Server, "/sites/big")
	has(t, site, "Checks without a failure", "big "+badge("ok", "up"))
	lacks(t, site, `class="card check"`)

	m.away[names[3]] = m.members[1]
	sc.recent.SetChecks(nil)
	has(t, get(t, sc.Server, "/"), "Other agents run all checks, and know of no failure", badge("idle", "elsewhere"))
}

// TestHostileMembers: what another agent says of itself is shown as text, and its
// link leads to the web or nowhere.
func TestHostileMembers(t *testing.T) {
	for link, want := range map[string]string{
		"https://b.example.com/esa/": "https://b.example.com/esa/", "http://192.0.2.1:9440": "http://192.0.2.1:9440",
		"javascript:alert(1)": "", "JavaScript://x/%0aalert(1)": "", "data:text/html,x": "", "//evil.example": "", "https:evil": "",
		"https://bank.example@evil.example/": "", "https://": "", "ftp://x/": "", "https://x/\u202egpj": "", "https://x/\n": "", " https://x/": "",
	} {
		if got := webLink(link); got != want {
			t.Errorf("webLink(%q) is %q, want %q", link, got, want)
		}
	}
	m := newMates()
	for i := range maxMembers + 3 {
		m.members = append(m.members, Member{ID: "x<img src=x onerror=y()>\u202e", Location: "<i>", Region: `"'>`, Version: strings.Repeat("9", 1000+i),
			URL: "javascript:alert(1)", Live: true})
	}
	sc := newClusterScene(t, m)
	page := get(t, sc.Server, "/")
	has(t, page, "x&lt;img src=x onerror=y()&gt;\ufffd", "&lt;i&gt;", strings.Repeat("9", maxWords)+"…", "7 more agents are in the API")
	lacks(t, page, "javascript:", "<img", "<i>", "\u202e")
	all := decode[[]agentJSON](t, get(t, sc.Server, "/api/v1/agents"), 200)
	if len(all) != len(m.members) || all[5].URL != "" {
		t.Errorf("the API lists %d agents, want %d; the address of a hostile one is %q", len(all), len(m.members), all[5].URL)
	}
}

// TestAPIAgents: without a cluster there is one agent, with one there are all.
func TestAPIAgents(t *testing.T) {
	one := decode[[]agentJSON](t, get(t, newScene(t, nil).Server, "/api/v1/agents"), 200)
	if len(one) != 1 || one[0].ID != "fra-1" || !one[0].Self || !one[0].Live || one[0].Standing != nil ||
		one[0].Version != "1.2.3" || one[0].URL != "https://watch.example.com/esa" || time.Since(one[0].LastSeen) > time.Minute {
		t.Errorf("without a cluster: %+v", one)
	}
	sc := newClusterScene(t, newMates())
	all := decode[[]agentJSON](t, get(t, sc.Server, "/api/v1/agents"), 200)
	if len(all) != 4 || !all[0].Self || all[1].Self || all[1].Standing != nil || !all[2].Offline || all[3].Live || all[1].URL != "https://b.example.com/esa/" {
		t.Errorf("with a cluster: %+v", all)
	}
	if a := get(t, sc.Server, "/api/v1/agents?limit=1"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a parameter that is not known: got %d", a.StatusCode)
	}
	if a := do(t, request(t, "POST", sc.Addr(), "/api/v1/agents", nil)); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d, Allow %q", a.StatusCode, a.Header.Get("Allow"))
	}
}

// pastOnly are incidents that no site has.
type pastOnly struct {
	Incidents
	all map[string]incident.Incident
}

func (p pastOnly) Incident(_ context.Context, id string) (incident.Incident, bool, error) {
	inc, ok := p.all[id]
	return inc, ok, nil
}

// TestToldAlone: what an agent told alone says so, and what became of it.
func TestToldAlone(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	base := func(edit func(*incident.Incident)) incident.Incident {
		r := result(at, "522")
		r.Site, r.Check, r.Location = "shop", "home", "fra-1"
		inc := incident.Incident{ID: "one", Site: "shop", Since: at, OpenedAt: at, Single: true, Severity: catalog.Critical, Peak: catalog.Critical,
			Alerts: map[string]incident.Alert{"home": {Check: "home", Firing: true, Since: at, FiredAt: at, Severity: catalog.Critical, Result: r}},
			Events: []incident.Event{{Seq: 1, At: at, Kind: incident.EventOpened, Check: "home", Condition: "522", Severity: catalog.Critical}}}
		edit(&inc)
		return inc
	}
	merged := func(into string) func(*incident.Incident) {
		return func(i *incident.Incident) {
			a := i.Alerts["home"]
			a.Firing, a.ResolvedAt = false, at.Add(time.Minute)
			i.Alerts["home"] = a
			i.ResolvedAt, i.Reason, i.Into = at.Add(time.Minute), incident.ReasonMerged, into
			i.Events = append(i.Events, incident.Event{Seq: 2, At: i.ResolvedAt, Kind: incident.EventResolved, Check: "home"})
		}
	}
	for name, test := range map[string]struct {
		edit       func(*incident.Incident)
		has, lacks []string
	}{
		"open": {func(*incident.Incident) {}, []string{"<b>Single view:</b> fra-1 is cut off from the other agents, so nobody else was asked."}, []string{`class="views"`}},
		"shared": {func(i *incident.Incident) {
			a := i.Alerts["home"]
			a.Views = []incident.View{{Location: "fra-1", Failing: true}, {Location: "sgp-1", Failing: true, POP: "<x>"}}
			i.Alerts["home"] = a
			i.Events = append(i.Events, incident.Event{Seq: 2, At: at, Kind: incident.EventShared, Location: "fra-1"})
		}, []string{"fra-1 told it while it was cut off; from here on all agents do", "Everywhere: look at the origin, or at ESA as a whole.", "POP &lt;x&gt;"},
			[]string{"Single view", "<x>"}},
		"merged": {merged("two"), []string{badge("idle", "merged"), `it goes on as <a class="code" href="../incidents/two">two</a>`,
			"Closed: it goes on as incident two, which the other agents tell", "fra-1 was cut off from the other agents when it told this"}, []string{badge("ok", "resolved")}},
		"not seen by others": {merged(""), []string{badge("idle", "merged"), "no other saw it", "Closed: the agent is no longer cut off, and no other sees it"}, []string{"goes on as"}},
	} {
		t.Run(name, func(t *testing.T) {
			inc := base(test.edit)
			sc := newScene(t, func(o *Options) {
				o.Cluster, o.Incidents = newMates(), pastOnly{o.Incidents, map[string]incident.Incident{"one": inc}}
			})
			page := get(t, sc.Server, "/incidents/one")
			has(t, page, test.has...)
			lacks(t, page, test.lacks...)
		})
	}
}

// TestPatternTexts: every pattern has its words, whatever the names.
func TestPatternTexts(t *testing.T) {
	seen := map[string]bool{}
	for _, views := range [][]incident.View{
		{{Location: "a", Failing: true}, {Location: "b", Failing: true}},
		{{Location: "a", Failing: true}, {Location: "b"}},
		{{Location: "a", POP: "de7", Failing: true}, {Location: "b", POP: "de7", Failing: true}, {Location: "c"}},
		{{Location: "a", Region: "eu", Failing: true}, {Location: "b", Region: "eu", Failing: true}, {Location: "c"}},
		{{Location: "a", Failing: true}, {Location: "b", Failing: true}, {Location: "c"}},
	} {
		text := patternText(&incident.Alert{Firing: true, Views: views})
		if text == "" || seen[text] {
			t.Errorf("%+v: %q", views, text)
		}
		seen[text] = true
	}
	if text := patternText(&incident.Alert{Firing: true, Views: []incident.View{{Location: "a", Failing: true}}}); text != "" {
		t.Errorf("one location: %q", text)
	}
	var many []incident.View
	for range maxPlaces + 5 {
		many = append(many, incident.View{Location: "a", Failing: true})
	}
	if text := places(many, len(many)); !strings.HasSuffix(text, ", 5 more") || strings.Count(text, "a,") != maxPlaces {
		t.Errorf("many places: %q", text)
	}
}

// TestOtherAgentsRefreshPages: what others change is news to open pages.
func TestOtherAgentsRefreshPages(t *testing.T) {
	m := newMates()
	sc := newClusterScene(t, m)
	before := sc.version()
	if sc.version() != before {
		t.Error("the version changes by itself")
	}
	m.stand(Standing{Why: "gone"})
	if sc.version() == before {
		t.Error("the agent is cut off, and open pages do not hear of it")
	}
}
