package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

const (
	// manyChecks is from when on the first page offers to filter, and shows a
	// site that is well as one row.
	manyChecks = 30
	// maxRows is how many rows a page of the table has at most, and some more to
	// end with a whole site.
	maxRows = 200
	// maxStories is how many open incidents are told in full, and maxLines how
	// many more in a line.
	maxStories, maxLines = 10, 100
)

// overview is the first page: what is broken, then everything.
type overview struct {
	Headline string
	Look     look
	Counts   string
	Tallies  []tallyLink
	Offline  *story // the agent's own network is gone
	Stories  []story
	Lines    []story // open incidents beyond those, and those that are muted
	Untold   int     // and beyond these
	Silences string  // link
	Mutes    []mute  // in force
	Groups   []group // sites; those that are not well first
	Filter   bool    // whether to offer it
	Query    string
	State    string
	States   []choice
	Matches  int
	Total    int
	Target   string // of the form
	Pages    *pager
	Members  *memberList // all agents, where there are several
}

// tallyLink is how many checks are in a state, and leads to them.
type tallyLink struct {
	Look look
	N    int
	Link string
}

// choice is an entry of a list to choose from.
type choice struct {
	Value, Text string
	Chosen      bool
}

// pager leads from a page of a table to its neighbours.
type pager struct {
	Before, After string // links, "" at an end
	Page, Pages   int
}

// group is one site with its checks, or in one row.
type group struct {
	Name, Link string
	URL        string
	Look       look
	Whole      *row // in place of Rows
	Rows       []row
	More       int // checks that are up and have no row
	Checks     int
}

// row is one check in a table.
type row struct {
	Name, Link string
	Look       look
	Muted      string // by what, for a check that is well
	Answer     string // of the newest result
	From       string // which locations see it fail, where there are several
	Spark      spark
	Available  string
	Reach      string // over which time that is
	Seen       moment // of the newest result
	Ever       bool   // whether there is one
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	p := s.begin(r, "status", "Status")
	p.Live = true
	q := r.URL.Query()
	v := &overview{
		Query: clip(strings.TrimSpace(q.Get("q")), 100), State: knownState(q.Get("state")),
		Total: p.content.count(), Target: p.Home(), Silences: p.Silences(), Mutes: p.inForce,
	}
	v.Filter = v.Total > manyChecks || v.Query != "" || v.State != ""
	records := make(map[string]incident.Record)
	for _, rec := range s.opts.Incidents.Records() {
		records[rec.Site] = rec
	}
	v.tell(p, records)
	v.Members = s.members(p.now)
	states := s.states(p, records)
	v.Headline, v.Look = verdictOf(v, states.n)
	v.Counts = plural(len(p.content.Sites), "site") + ", " + plural(v.Total, "check")
	v.Tallies = states.tallies(p.Home())
	v.States = choices(v.State)
	page, _ := strconv.Atoi(q.Get("page"))
	s.table(p, v, states, page)
	p.Icon = v.Look.Class
	p.Title = v.Headline
	if len(v.Stories) == 1 && len(v.Lines) == 0 && v.Offline == nil {
		p.Title = v.Stories[0].Site + ": " + v.Stories[0].Headline
	}
	p.Says = v.Headline + ". " + states.words()
	p.Body = v
	s.write(w, r, http.StatusOK, "overview", p)
}

// tell fills in the open incidents, the worst first.
func (v *overview) tell(p *page, records map[string]incident.Record) {
	var open []incident.Incident
	for _, rec := range records {
		if n := len(rec.Incidents); n > 0 && rec.Incidents[n-1].Open() {
			open = append(open, rec.Incidents[n-1])
		}
	}
	slices.SortFunc(open, func(a, b incident.Incident) int {
		if d := storyLook(&b).rank - storyLook(&a).rank; d != 0 {
			return d
		}
		if d := a.OpenedAt.Compare(b.OpenedAt); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	for i := range open {
		if p.content.site(open[i].Site) == nil && offline(&open[i]) {
			st := p.storyOf(&open[i])
			v.Offline = &st
			continue
		}
		switch {
		case len(v.Stories) < maxStories && !hushed(&open[i]):
			v.Stories = append(v.Stories, p.storyOf(&open[i]))
		case len(v.Lines) < maxLines:
			v.Lines = append(v.Lines, p.storyOf(&open[i]))
		default:
			v.Untold++
		}
	}
}

// offline tells whether an incident is that of the agent's own network.
func offline(inc *incident.Incident) bool {
	for _, a := range inc.Alerts {
		if a.Result.Condition() == catalog.AgentOffline {
			return true
		}
	}
	return false
}

// verdictOf is the whole state in one sentence; n is how many checks are in
// each state.
func verdictOf(v *overview, n map[string]int) (string, look) {
	open := slices.Concat(v.Stories, v.Lines)
	switch text := plural(len(open)+v.Untold, "open incident"); {
	case v.Offline != nil:
		return "This agent has no network", v.Offline.Look
	case len(open) > 0 && open[0].Look == muted():
		return text + ", muted", open[0].Look
	case len(open) > 0:
		return text, open[0].Look
	case v.Total == 0:
		return "No checks are configured", waiting()
	case n["up"] == v.Total:
		return "All checks pass", up()
	case n["up"]+n["waiting"]+n["elsewhere"] < v.Total:
		return "No open incident", confirming(0, 0)
	case n["elsewhere"] == v.Total:
		return "Other agents run all checks, and know of no failure", up()
	case n["up"] == 0:
		return "Waiting for the first results", waiting()
	}
	return "All checks that have run pass", up()
}

// table fills in a page of the sites and checks that fit the filter: the last
// one for a number that is too high, as there may have been more before.
func (s *Server) table(p *page, v *overview, states *states, number int) {
	groups := s.groupsOf(p, v, states)
	of, rows := make([]int, len(groups)), 0 // the page of each
	for i := range groups {
		of[i] = rows/maxRows + 1
		rows += max(len(groups[i].shown), 1)
	}
	if len(groups) == 0 {
		return
	}
	pages := of[len(of)-1]
	number = min(max(number, 1), pages)
	var h history
	for i := range groups {
		if of[i] == number {
			v.Groups = append(v.Groups, s.groupOf(p, states, &groups[i], &h))
		}
	}
	if pages == 1 {
		return
	}
	link := func(n int) string {
		if n < 1 || n > pages {
			return ""
		}
		return p.Home() + "?" + url.Values{"q": {v.Query}, "state": {v.State}, "page": {strconv.Itoa(n)}}.Encode() + "#checks"
	}
	v.Pages = &pager{Page: number, Pages: pages, Before: link(number - 1), After: link(number + 1)}
}

// picked is a site with the checks that get a row.
type picked struct {
	at    int // in the configuration
	site  *Site
	looks []look
	worst look
	whole bool  // one row for all
	shown []int // checks with a row
}

// groupsOf picks what fits the filter; sites that are not well come first.
func (s *Server) groupsOf(p *page, v *overview, states *states) []picked {
	var groups []picked
	filtered := v.Query != "" || v.State != ""
	for i := range p.content.Sites {
		g := picked{at: i, site: &p.content.Sites[i], looks: states.looks[i], worst: waiting()}
		matching := 0
		for j := range g.site.Checks {
			c := &g.site.Checks[j]
			g.worst = worse(g.worst, g.looks[j])
			if !g.looks[j].is(v.State) || v.Query != "" && !matches(v.Query, searchText(g.site, c)) {
				continue
			}
			matching++
			if filtered || v.Total <= manyChecks || !g.looks[j].isWell() {
				g.shown = append(g.shown, j)
			}
		}
		if v.Matches += matching; matching == 0 {
			continue
		}
		g.whole = len(g.shown) == 0
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b picked) int {
		return max(b.worst.rank, up().rank) - max(a.worst.rank, up().rank)
	})
	return groups
}

// searchText is what a query looks for in a check.
func searchText(site *Site, c *Check) string {
	text := site.Name + "/" + c.Name + " " + c.URL
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		text += " " + key + "=" + c.Labels[key]
	}
	return text
}

func (s *Server) groupOf(p *page, states *states, g *picked, h *history) group {
	v := group{
		Name: g.site.Name, Link: p.Root.to("sites", g.site.Name), URL: clean(g.site.URL), Look: g.worst,
		Checks: len(g.site.Checks), More: len(g.site.Checks) - len(g.shown),
	}
	for _, j := range g.shown {
		c := &g.site.Checks[j]
		s.opts.Recent.look(g.site.Name, c.Name, h)
		row := p.rowOf(g.site.Name, v.Link, c, g.looks[j], h)
		row.From = states.from[[2]int{g.at, j}]
		v.Rows = append(v.Rows, row)
	}
	if g.whole {
		whole := s.wholeOf(p, g, h)
		v.Whole = &whole
	}
	return v
}

// wholeOf is a site whose checks are all up in one row: the answer and latency
// of its first check, the lowest availability and the newest result of all.
func (s *Server) wholeOf(p *page, g *picked, h *history) row {
	var (
		whole  row
		day    tally
		newest time.Time
	)
	for j := range g.site.Checks {
		c := &g.site.Checks[j]
		s.opts.Recent.look(g.site.Name, c.Name, h)
		if j == 0 || len(h.entries) > 0 && !whole.Ever {
			whole = p.rowOf(g.site.Name, "", c, g.worst, h)
			whole.Spark.Label = c.Name + ", " + whole.Spark.Label
			day, newest = h.day, h.newest.StartedAt
			continue
		}
		if h.day.runs > 0 && uint64(h.day.fails)*uint64(day.runs) > uint64(day.fails)*uint64(h.day.runs) {
			day = h.day
			whole.Available, whole.Reach = availability(day), c.Name+": "+reach(day, p.now)
		}
		if h.newest.StartedAt.After(newest) {
			newest = h.newest.StartedAt
			whole.Ever, whole.Seen = true, momentOf(newest, p.now)
		}
	}
	return whole
}

func (p *page) rowOf(site, siteLink string, c *Check, look look, h *history) row {
	row := row{
		Name: c.Name, Link: siteLink + "#check-" + c.Name, Look: look,
		Answer: "no result yet", Spark: sparkOf(h.entries),
		Available: availability(h.day), Reach: reach(h.day, p.now),
	}
	if look != muted() {
		if m := mutedBy(p.inForce, site, p.toldFrom, c); m != nil {
			row.Muted = m.Short()
		}
	}
	if look == elsewhere() {
		row.Answer = "run by another agent of " + p.Location
	}
	if len(h.entries) > 0 {
		row.Ever, row.Seen = true, momentOf(h.newest.StartedAt, p.now)
		row.Answer = answerOf(&h.newest)
	}
	return row
}

// answerOf says in a line how a result looks: "200 in 34 ms", "522 Connection
// timed out in 10 s", "Slow answer: 200 in 1.5 s".
func answerOf(r *checks.Result) string {
	in := " in " + took(r.DurationSeconds)
	switch {
	case r.Diagnosis == nil:
		return fmt.Sprint(r.StatusCode) + in
	case r.Diagnosis.Condition.StatusCode() == 0 && r.StatusCode != 0:
		return fmt.Sprintf("%s: %d%s", clean(r.Diagnosis.Title), r.StatusCode, in)
	}
	return clean(headline(r.Diagnosis.Condition, r.Diagnosis.Title)) + in
}

// matches tells whether every word of a query is in the text, whatever its case.
func matches(query, text string) bool {
	if query == "" {
		return true
	}
	text = strings.ToLower(text)
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
