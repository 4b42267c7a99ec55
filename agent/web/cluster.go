package web

import (
	"fmt"
	"net/url"
	"slices"
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
	// Runner is the agent of this location that runs a check, as far as it is known.
	Runner(site, check string) (Member, bool)
	// Voting are the locations whose vote on a check counts now, and how many of
	// them have to see it fail for an alert.
	Voting(site, check string) (locations []string, quorum int)
	// Version is another number when other agents have changed what is to be shown,
	// or the standing has changed.
	Version() uint64
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

// maxPlaces is how many locations one sentence names.
const maxPlaces = 12

// vantage is from where a check is seen. The zero value: from here alone.
type vantage struct {
	elsewhere bool            // another agent of this location runs it
	failing   []incident.View // of those that vote, who sees it fail
	voting    int             // how many have a vote
	quorum    int             // how many have to see it fail for an alert
}

// vantage finds out from where a check is seen.
func (s *Server) vantage(rec *incident.Record, site, check string) vantage {
	if s.opts.Cluster == nil {
		return vantage{}
	}
	v := vantage{elsewhere: !s.opts.Cluster.Runs(site, check)}
	state := rec.Checks[check]
	fails := false
	for _, streak := range state.Locations {
		fails = fails || streak.Failing
	}
	if !fails || !s.opts.Cluster.Standing().Together {
		return v
	}
	voting, quorum := s.opts.Cluster.Voting(site, check)
	v.voting, v.quorum = len(voting), quorum
	for _, location := range voting {
		if streak, ok := state.Locations[location]; ok && streak.Failing {
			v.failing = append(v.failing, incident.View{Location: location, Failing: true, POP: streak.POP})
		}
	}
	return v
}

// several tells whether more than one location has a vote on what somebody sees.
func (v vantage) several() bool { return v.voting > 1 && len(v.failing) > 0 }

// below tells whether too few locations see the check fail for an alert.
func (v vantage) below() bool { return v.several() && len(v.failing) < v.quorum }

// String says who sees the check fail, "" where one location watches or nobody
// sees it: "seen from 1 of 3: fra-1 only, POP de7".
func (v vantage) String() string {
	if !v.several() {
		return ""
	}
	return fmt.Sprintf("seen from %d of %d: %s", len(v.failing), v.voting, places(v.failing, v.voting))
}

// Quorum says what an alert takes, "" where it has that.
func (v vantage) Quorum() string {
	if !v.below() {
		return ""
	}
	return fmt.Sprintf("An alert takes %d, so nobody is told.", v.quorum)
}

// places names the locations that see a failure, of so many that vote.
func places(failing []incident.View, voting int) string {
	if len(failing) == 1 && voting > 1 {
		text := clean(failing[0].Location) + " only"
		if pop := failing[0].POP; pop != "" {
			text += ", POP " + clean(pop)
		}
		return text
	}
	var names []string
	for _, f := range failing {
		name := clean(f.Location)
		if f.POP != "" {
			name += " (POP " + clean(f.POP) + ")"
		}
		names = append(names, name)
	}
	if more := len(names) - maxPlaces; more > 0 {
		names = append(names[:maxPlaces], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// elsewhere is the look of a check that another agent runs and that is well as
// far as all of them know.
func elsewhere() look { return look{"idle", "elsewhere", 0} }

// isWell tells whether nothing of a check needs a look.
func (l look) isWell() bool { return l.Class == "ok" || l == elsewhere() }

// worse is the look of a site so far and one more of its checks: that one where it
// is worse, or where there was none before.
func worse(so, check look) look {
	if check.rank > so.rank || so == waiting() && check == elsewhere() {
		return check
	}
	return so
}

// runBy is who runs a check in the place of this agent.
type runBy struct {
	Name, URL string // "" when that is not known
}

// runner is who runs a check that this agent does not.
func (s *Server) runner(site, check string) *runBy {
	m, known := s.opts.Cluster.Runner(site, check)
	if !known || m.Self {
		return &runBy{} // it has changed since we asked
	}
	return &runBy{Name: clean(m.ID), URL: webLink(m.URL)}
}

// cutOff is what every page says of an agent that is not together with the others.
// It changes with the standing and not with the time, as it would be read out again.
type cutOff struct {
	Title string
	Since moment
	Why   string
	Then  string
}

// cutOff is nil for an agent that is together with the others, or that has none.
func (s *Server) cutOff(now time.Time) *cutOff {
	if s.opts.Cluster == nil {
		return nil
	}
	st := s.opts.Cluster.Standing()
	if st.Together {
		return nil
	}
	c := &cutOff{Title: "Cut off from the other agents", Since: momentOf(st.Since, now), Why: clean(st.Why)}
	if st.Alone {
		c.Title = "Alone, cut off from the other agents"
		c.Then = "What is shown is what this agent sees. It alerts by itself, and its alerts say that nobody else was asked."
		return c
	}
	c.Then = "What is shown is what this agent sees. Unless they can be reached again, it alerts by itself from " +
		st.Since.Add(st.After).UTC().Format(time.TimeOnly) + " UTC on."
	return c
}

// maxMembers is how many agents the first page lists; the API has all.
const maxMembers = 50

// memberList is what the first page shows of the agents.
type memberList struct {
	Says string
	Rows []memberRow
	More int // that have no row
}

// memberRow is an agent in the list of them.
type memberRow struct {
	Name, Location, Region, Version, URL string
	Look                                 look
	Self                                 bool
	Seen                                 moment
}

// members are the agents, nil where there is but one.
func (s *Server) members(now time.Time) *memberList {
	if s.opts.Cluster == nil {
		return nil
	}
	standing, all := s.opts.Cluster.Standing(), s.opts.Cluster.Members()
	list := &memberList{}
	live, locations := 0, map[string]bool{}
	for i, m := range all {
		if m.Live && (m.Self || standing.Together) {
			live++
			locations[m.Location] = true
		}
		if i >= maxMembers {
			list.More++
			continue
		}
		list.Rows = append(list.Rows, memberRow{
			Name: clean(m.ID), Location: clean(m.Location), Region: clean(m.Region), Version: clean(m.Version),
			URL: webLink(m.URL), Self: m.Self, Seen: momentOf(m.Seen, now), Look: m.look(standing),
		})
	}
	switch {
	case !standing.Together:
		list.Says = "The others cannot be reached from here."
		if len(all) > 1 {
			list.Says += " This is how they were heard last."
		}
	case live == 1:
		list.Says = "No other agent is there."
	default:
		list.Says = fmt.Sprintf("%d agents in %s judge together.", live, plural(len(locations), "location"))
	}
	return list
}

// look is how an agent is shown by one that stands to the others like this.
func (m *Member) look(st Standing) look {
	switch {
	case m.Self && st.Alone:
		return look{"warn", "alone", 2}
	case m.Self && !st.Together:
		return look{"warn", "cut off", 2}
	case !m.Self && !st.Together:
		return look{"idle", "not heard", 0}
	case !m.Live:
		return look{"bad", "silent", 3}
	case m.Offline:
		return look{"warn", "no network", 2}
	}
	return look{"ok", "there", 1}
}

// webLink is an address that another agent gave, "" unless it is one of the web
// and says plainly where it leads.
func webLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || !slices.Contains([]string{"http", "https"}, u.Scheme) || u.Host == "" || u.User != nil || clean(link) != link {
		return ""
	}
	return link
}
