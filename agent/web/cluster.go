package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// Cluster is what the pages ask of agents that judge together.
type Cluster interface {
	// Standing is how this agent stands to the others.
	Standing() Standing
	// Members are all agents that are known, this one first.
	Members() []Member
	// Runs tells whether this agent runs a check, and not another one of its location.
	Runs(site, check string) bool
	// Voting are the locations whose vote on a check counts now.
	Voting(site, check string) []string
}

// Standing is how an agent stands to the others.
type Standing struct {
	Together bool // it judges and tells with them
	Alone    bool // cut off for so long that it alerts by itself
	Since    time.Time
	Why      string        // why it is not together
	After    time.Duration // cut off for that long it alerts by itself
}

// Member is one of several agents.
type Member struct {
	ID, Location, Region, Version, URL string
	Self, Offline, Live                bool
	Seen                               time.Time
}

// vantage is from where a check is seen. The zero value: from here alone.
type vantage struct {
	elsewhere bool     // another agent of this location runs it
	failing   []string // locations that see it fail, with their POPs
	voting    int      // how many have a vote
}

// vantage finds out from where a check is seen.
func (s *Server) vantage(rec *incident.Record, site, check string) vantage {
	if s.opts.Cluster == nil {
		return vantage{}
	}
	v := vantage{elsewhere: !s.opts.Cluster.Runs(site, check)}
	state, known := rec.Checks[check]
	if !known || !s.opts.Cluster.Standing().Together {
		return v
	}
	voting := s.opts.Cluster.Voting(site, check)
	v.voting = len(voting)
	for _, location := range voting {
		streak, ok := state.Locations[location]
		if !ok || !streak.Failing {
			continue
		}
		if streak.POP != "" {
			location += " (POP " + clean(streak.POP) + ")"
		}
		v.failing = append(v.failing, location)
	}
	return v
}

// String is a sentence on who sees the check fail, "" when nobody does.
func (v vantage) String() string {
	if len(v.failing) == 0 {
		return ""
	}
	only := ""
	if len(v.failing) == 1 && v.voting > 1 {
		only = " only"
	}
	return fmt.Sprintf("Seen from %d of %d locations: %s%s.", len(v.failing), v.voting, strings.Join(v.failing, ", "), only)
}

// elsewhere is the look of a check that another agent runs and that is well as
// far as all of them know.
func elsewhere() look { return look{"idle", "elsewhere", 0} }

// standing is a sentence on an agent that is not together with the others, "" for
// one that is.
func (s *Server) standing(now time.Time) string {
	if s.opts.Cluster == nil {
		return ""
	}
	st := s.opts.Cluster.Standing()
	if st.Together {
		return ""
	}
	then := fmt.Sprintf("cut off for %s it alerts by itself", span(st.After))
	if st.Alone {
		then = "it alerts by itself"
	}
	return fmt.Sprintf("cut off from the others for %s (%s). What is shown is what this agent alone sees; %s.",
		span(now.Sub(st.Since)), clean(st.Why), then)
}

// memberRow is an agent in the list of them.
type memberRow struct {
	Name, Location, Region, Version, URL string
	Look                                 look
	Self                                 bool
	Seen                                 moment
}

// members are the rows of the agents, none where there is but one.
func (s *Server) members(now time.Time) []memberRow {
	if s.opts.Cluster == nil {
		return nil
	}
	var rows []memberRow
	for _, m := range s.opts.Cluster.Members() {
		row := memberRow{
			Name: clean(m.ID), Location: clean(m.Location), Region: clean(m.Region), Version: clean(m.Version),
			URL: webLink(m.URL), Self: m.Self, Seen: momentOf(m.Seen, now), Look: look{"ok", "there", 1},
		}
		switch {
		case !m.Live:
			row.Look = look{"bad", "silent", 3}
		case m.Offline:
			row.Look = look{"warn", "offline", 2}
		}
		rows = append(rows, row)
	}
	return rows
}

// webLink is an address that another agent gave, "" unless it is one of the web.
func webLink(url string) string {
	if strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		return url
	}
	return ""
}
