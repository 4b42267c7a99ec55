package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// scene is a server with a site to show, fed as the agent feeds it.
type scene struct {
	*Server
	recent *Recent
	keeper *incident.Keeper
	ran    []string // by RunNow
	runErr error
	clock  time.Time // start of the last result
}

// newScene watches shop/home, shop/login and blog/home.
func newScene(t testing.TB, edit func(*Options)) *scene {
	t.Helper()
	names := []string{"shop/home", "shop/login", "blog/home"}
	sc := &scene{recent: NewRecent(), clock: time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)}
	sc.keeper = incident.NewKeeper(memstore.New(), incident.Options{})
	policies := map[string]incident.Policy{}
	for _, name := range names {
		policies[name] = incident.Policy{Failures: 2, ResolveAfter: 2}
	}
	if err := sc.keeper.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := sc.keeper.SetPolicies(t.Context(), policies, incident.Timings{}); err != nil {
		t.Fatal(err)
	}
	opts := options()
	opts.Recent, opts.Incidents, opts.Location, opts.Version = sc.recent, sc.keeper, "fra-1", "1.2.3"
	opts.RunNow = func(name string) error {
		sc.ran = append(sc.ran, name)
		return sc.runErr
	}
	if edit != nil {
		edit(&opts)
	}
	sc.Server, _ = start(t, opts)
	sc.recent.SetChecks(checkList(names...))
	sc.Show(contentFor(names...))
	return sc
}

func contentFor(names ...string) Content {
	c := Content{ExternalURL: "https://watch.example.com/esa"}
	for _, name := range names {
		site, check := checks.SplitName(name)
		if n := len(c.Sites); n == 0 || c.Sites[n-1].Name != site {
			c.Sites = append(c.Sites, Site{Name: site, URL: "https://" + site + ".example.com",
				Origin: "203.0.113.10:443", Labels: map[string]string{"team": "storefront"}})
		}
		s := &c.Sites[len(c.Sites)-1]
		s.Checks = append(s.Checks, Check{Name: check, URL: s.URL + "/", Method: "GET", Schedule: "30s", Failures: 2, Labels: s.Labels})
	}
	return c
}

// observe feeds a result of a check, made by result, as the agent does.
func (sc *scene) observe(t testing.TB, name string, condition catalog.Condition, edit func(*checks.Result)) {
	t.Helper()
	sc.clock = sc.clock.Add(time.Second)
	r := result(sc.clock, condition)
	r.Site, r.Check = checks.SplitName(name)
	if r.Diagnosis != nil {
		view := catalog.Default().View(condition, "en")
		r.Diagnosis = &catalog.Diagnosis{
			Condition: condition, Title: view.Title, Fault: view.Fault, Owner: view.Owner, Severity: view.Severity,
			Summary: view.Summary, Steps: view.Steps, DocURL: view.DocURL, RunbookURL: "https://wiki.example.com/" + string(condition),
			Evidence: []string{"status: " + string(condition) + ", want 2xx", "ESA request id: a3b5"}, Verdict: "the origin answers directly",
		}
	}
	r.TLS = &checks.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Issuer: "CN=Test CA", Subject: "CN=shop", NotAfter: time.Now().Add(40 * 24 * time.Hour)}
	r.Edge = probe.Edge{ViaESA: "yes", RequestID: "a3b5", NodeIP: "163.181.78.152", POP: "de7", CacheStatus: "MISS"}
	if edit != nil {
		edit(&r)
	}
	sc.recent.Observe(r)
	if err := sc.keeper.Observe(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

// has demands that an answer be well and hold each of the texts.
func has(t *testing.T, a answer, texts ...string) {
	t.Helper()
	if a.StatusCode != http.StatusOK {
		t.Errorf("%s: got %d", a.Request.URL, a.StatusCode)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s: no %q in\n%s", a.Request.URL, text, a.body)
		}
	}
}

func lacks(t *testing.T, a answer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s: %q in\n%s", a.Request.URL, text, a.body)
		}
	}
}

// badge is how a state is written.
func badge(class, word string) string {
	return fmt.Sprintf(`<span class="badge %s">%s</span>`, class, word)
}

// TestOverviewTellsTheStory goes through an incident from its beginning to its end.
