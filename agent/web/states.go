package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/agent/incident"
)

// stateNames are the states that checks can be filtered by, the worst first.
var stateNames = [...]string{"failing", "degraded", "pending", "recovering", "muted", "waiting", "elsewhere", "up"}

// state is the name of the look among stateNames.
func (l look) state() string {
	switch {
	case l.Word == "up", l.Word == "waiting", l.Word == "elsewhere", l.Word == "muted", l.Word == "recovering", l.Word == "degraded":
		return l.Word
	case l.rank <= confirming(0, 0).rank:
		return "pending"
	}
	return "failing"
}

// knownState is a state that is() knows, "" for any for what is none.
func knownState(state string) string {
	if state == "unwell" || slices.Contains(stateNames[:], state) {
		return state
	}
	return ""
}

// is tells whether the look is of a state that was asked for: one of
// stateNames, "unwell" for all that need a look, or "" for any.
func (l look) is(state string) bool {
	switch state {
	case "":
		return true
	case "unwell":
		return l.Class != "ok" && l.Word != "waiting" && l.Word != "elsewhere"
	}
	return l.state() == state
}

// states are those of all checks.
type states struct {
	looks [][]look       // by site and check, in the order of the configuration
	n     map[string]int // how many are in each state
	worst map[string]look
	from  map[[2]int]string // which locations see a check fail, by site and check
}

// states looks at every check, and at no more of it than its newest result.
func (s *Server) states(p *page, records map[string]incident.Record) *states {
	all := &states{looks: make([][]look, len(p.content.Sites)), n: map[string]int{}, worst: map[string]look{},
		from: map[[2]int]string{}}
	for i := range p.content.Sites {
		site := &p.content.Sites[i]
		rec := records[site.Name]
		all.looks[i] = make([]look, len(site.Checks))
		for j := range site.Checks {
			newest, _ := s.opts.Recent.Newest(site.Name, site.Checks[j].Name)
			seen := s.vantage(&rec, site.Name, site.Checks[j].Name)
			l := checkLook(&rec, &site.Checks[j], &newest, seen)
			if text := seen.String(); text != "" {
				all.from[[2]int{i, j}] = text
			}
			all.looks[i][j] = l
			state := l.state()
			all.n[state]++
			if w, ok := all.worst[state]; !ok || l.rank > w.rank {
				all.worst[state] = l
			}
		}
	}
	return all
}

// tallies leads to the checks of each state that any is in.
func (st *states) tallies(home string) []tallyLink {
	var all []tallyLink
	for _, state := range stateNames {
		if n := st.n[state]; n > 0 {
			l := st.worst[state]
			l.Word = state
			all = append(all, tallyLink{Look: l, N: n, Link: home + "?" + url.Values{"state": {state}}.Encode() + "#checks"})
		}
	}
	return all
}

// words say how many checks are in each state.
func (st *states) words() string {
	var all []string
	for _, state := range stateNames {
		if n := st.n[state]; n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(all, ", ")
}

// choices are the states to choose from.
func choices(chosen string) []choice {
	all := []choice{{"", "any state", chosen == ""}, {"unwell", "needs a look", chosen == "unwell"}}
	for _, state := range stateNames {
		all = append(all, choice{state, state, chosen == state})
	}
	return all
}
