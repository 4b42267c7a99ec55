package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// agentListed is an agent as the API lists it, as far as this test needs it.
type agentListed struct {
	ID, Location, Region, URL string
	Self, Live                bool
	Standing                  *struct{ Together, Alone bool }
}

// listed asks an agent for all agents.
func (s *squad) listed(a *agentAt) (all []agentListed) {
	s.t.Helper()
	status, _, body := a.page("GET", "/api/v1/agents", nil)
	if status != http.StatusOK {
		s.t.Fatalf("GET /api/v1/agents: %d %s", status, body)
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestPagesOfATeam: each agent lists the others; a check is run by one agent of its
// location, and the page of the other one leads there.
func TestPagesOfATeam(t *testing.T) {
	s := newSquad(t, 1)
	const single = "cluster: {replicas: 1}\n"
	one, two, far := s.add("fra", single, clusterSites), s.add("fra", single, clusterSites), s.add("sin", single, clusterSites)
	s.untilTogether()
	ids := map[string]bool{}
	for _, a := range s.agents {
		all := s.listed(a)
		if len(all) != 3 || !all[0].Self || all[0].Standing == nil || !all[0].Standing.Together || all[0].Region != regions[a.place.name] {
			t.Errorf("an agent in %s lists %+v, want itself, together, and two more", a.place.name, all)
		}
		for _, m := range all {
			ids[m.ID] = true
			if !m.Live || m.URL == "" {
				t.Errorf("an agent in %s lists %+v, want it live, with a page", a.place.name, m)
			}
		}
	}
	if len(ids) != 3 {
		t.Errorf("%d agents are listed in all, want three: %v", len(ids), ids)
	}
	for _, check := range []string{"shop/home", "shop/login", "blog/home"} {
		site, name, _ := strings.Cut(check, "/")
		button := fmt.Sprintf("sites/%s/checks/%s/run", site, name)
		shows := func(a *agentAt) (runs, away bool) {
			_, _, page := a.page("GET", "/sites/"+site, nil)
			_, rest, _ := strings.Cut(page, `id="check-`+name+`"`)
			rest, _, _ = strings.Cut(rest, "</article>")
			runs = strings.Contains(rest, button)
			away = strings.Contains(rest, fmt.Sprintf(`Run by <a href="%s"`, s.listed(map[*agentAt]*agentAt{one: two, two: one, far: far}[a])[0].URL))
			return runs, away
		}
		// They share out anew a moment after they have met.
		s.until(check+" is run by one agent and leads there from the other", 20*time.Second, func() bool {
			runs, away := shows(one)
			runsToo, awayToo := shows(two)
			return runs == awayToo && away == runsToo && runs != runsToo
		})
		if runs, _ := shows(far); !runs {
			t.Errorf("%s is not run from sin, where there is one agent", check)
		}
		from, to := one, two
		if runs, _ := shows(two); !runs {
			from, to = two, one
		}
		origin := http.Header{"Accept": {"application/json"}}
		if status, _, body := from.page("POST", "/api/v1/checks/"+check+"/run", origin); status != http.StatusConflict || !strings.Contains(body, "another agent") {
			t.Errorf("%s where another agent runs it: got %d %s, want 409", check, status, body)
		}
		if status, _, body := to.page("POST", "/api/v1/checks/"+check+"/run", origin); status != http.StatusAccepted && status != http.StatusConflict {
			t.Errorf("%s where it is run: got %d %s", check, status, body)
		} else if strings.Contains(body, "another agent") {
			t.Errorf("%s where it is run: %s", check, body)
		}
	}
}
