package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks"
)

const (
	// manyChecks is from when on the first page offers to filter.
	manyChecks = 30
	// maxRows is how many checks the first page lists unless it is asked for all.
	// Those that are not up are always among them.
	maxRows = 1000
)

// overview is the first page: what is broken, then everything.
type overview struct {
	Headline string
	Look     look
	Counts   string
	Stories  []story
	Groups   []group // sites; those that are not well first
	Filter   bool    // whether to offer it
	Query    string
	Unwell   bool // show only what is not well
	Matches  int
	Total    int
	Target   string // of the form
	More     int    // checks that are up and were left out
	All      string // link that shows them too
}

// group is one site with its checks.
type group struct {
	Name, Link string
	URL        string
	Look       look
	Rows       []row
}

// row is one check in a table.
type row struct {
	Name, Link string
	Look       look
	Answer     string // of the newest result
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
	v := overview{
		Query: strings.TrimSpace(q.Get("q")), Unwell: q.Get("show") == "unwell",
		Total: p.content.count(), Target: p.Home(),
	}
	rows := maxRows
	if q.Get("show") == "all" {
		rows = v.Total
	}
	v.Filter = v.Total > manyChecks || v.Query != "" || v.Unwell
	for _, inc := range s.opts.Incidents.Open() {
		v.Stories = append(v.Stories, p.storyOf(&inc))
	}
	slices.SortStableFunc(v.Stories, func(a, b story) int { return b.Look.rank - a.Look.rank })
	well := s.groups(p, &v, rows)
	v.Headline, v.Look = verdictOf(v.Stories, v.Total, well)
	v.Counts = counts(len(p.content.Sites), v.Total, well)
	p.Icon = v.Look.Class
	if len(v.Stories) == 1 {
		p.Title = v.Stories[0].Site + ": " + v.Stories[0].Headline
	} else {
		p.Title = v.Headline
	}
	v.All = p.Home() + "?" + url.Values{"show": {"all"}, "q": {v.Query}}.Encode()
	p.Body = &v
	s.write(w, r, http.StatusOK, "overview", p)
}

// groups fills in the sites with as many rows, and returns how many checks of
// all are well.
func (s *Server) groups(p *page, v *overview, rows int) (well int) {
	var h history
	for i := range p.content.Sites {
		site := &p.content.Sites[i]
		rec, _ := s.opts.Incidents.Record(site.Name)
		g := group{Name: site.Name, Link: p.Root.to("sites", site.Name), URL: site.URL, Look: waiting()}
		for j := range site.Checks {
			c := &site.Checks[j]
			s.opts.Recent.look(site.Name, c.Name, &h)
			look := checkLook(&rec, c, &h.newest)
			if look.Class == "ok" {
				well++
			}
			if look.rank > g.Look.rank {
				g.Look = look
			}
			if v.Unwell && look.Class == "ok" || !matches(v.Query, site.Name+"/"+c.Name+" "+c.URL) {
				continue
			}
			v.Matches++
			if look.Class == "ok" && v.Matches-v.More > rows {
				v.More++
				continue
			}
			g.Rows = append(g.Rows, p.rowOf(g.Link, c, look, &h))
		}
		if len(g.Rows) > 0 {
			v.Groups = append(v.Groups, g)
		}
	}
	slices.SortStableFunc(v.Groups, func(a, b group) int {
		return max(b.Look.rank, up().rank) - max(a.Look.rank, up().rank)
	})
	return well
}

func (p *page) rowOf(siteLink string, c *Check, look look, h *history) row {
	row := row{
		Name: c.Name, Link: siteLink + "#check-" + c.Name, Look: look,
		Answer: "no result yet", Spark: sparkOf(h.entries),
		Available: availability(h.day), Reach: reach(h.day, p.now),
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
		return fmt.Sprintf("%s: %d%s", r.Diagnosis.Title, r.StatusCode, in)
	}
	return headline(r.Diagnosis.Condition, r.Diagnosis.Title) + in
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

// verdictOf is the whole state in one sentence.
func verdictOf(stories []story, total, well int) (string, look) {
	switch {
	case len(stories) > 0 && stories[0].Look == muted():
		return plural(len(stories), "open incident") + ", muted", stories[0].Look
	case len(stories) > 0:
		return plural(len(stories), "open incident"), stories[0].Look
	case total == 0:
		return "No checks are configured", waiting()
	case well == total:
		return "All checks pass", up()
	case well == 0:
		return "Waiting for the first results", waiting()
	}
	return "No open incident", confirming(0, 0)
}

func counts(sites, total, well int) string {
	return fmt.Sprintf("%s, %s, %d up", plural(sites, "site"), plural(total, "check"), well)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
