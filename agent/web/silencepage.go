package web

import (
	"net/http"
	"strings"
)

// maxMutes bounds how many silences that are over are listed.
const maxMutes = 50

// silencePage is what is muted, with a form to mute more.
type silencePage struct {
	Said    string // what the last click did
	Wrong   string // what is wrong with the form
	Form    silenceForm
	Lengths []choice
	Sites   []string // to choose from
	Target  string   // of the form
	WhyNot  string
	Active  []muteRow
	Coming  []muteRow // maintenances
	Over    []muteRow
}

// muteRow is a mute with what it covers.
type muteRow struct {
	mute
	Covers   string
	New      bool
	CanEnd   bool
	Checks   []checkLink // some of what it covers
	MoreThan int         // beyond those
}

// checkLink leads to a check.
type checkLink struct{ Name, Link string }

// lengths are those of a silence that the form offers.
var lengths = []choice{{Value: "30m", Text: "30 minutes"}, {Value: "1h", Text: "1 hour"}, {Value: "2h", Text: "2 hours"},
	{Value: "4h", Text: "4 hours"}, {Value: "8h", Text: "8 hours"}, {Value: "1d", Text: "1 day"}, {Value: "3d", Text: "3 days"}, {Value: "1w", Text: "1 week"}}

func (s *Server) silences(w http.ResponseWriter, r *http.Request) {
	s.silencePage(w, r, http.StatusOK, formFrom(r), nil)
}

// silencePage shows the page; wrong is what was wrong with the form that was sent.
func (s *Server) silencePage(w http.ResponseWriter, r *http.Request, status int, f silenceForm, wrong error) {
	p := s.begin(r, "silences", "Silences")
	p.Live = wrong == nil
	if f.Duration == "" {
		f.Duration = "2h"
	}
	v := silencePage{Form: f, Target: p.Silences(), WhyNot: p.WhyNot}
	for _, c := range lengths {
		c.Chosen = c.Value == f.Duration
		v.Lengths = append(v.Lengths, c)
	}
	for i := range p.content.Sites {
		v.Sites = append(v.Sites, p.content.Sites[i].Name)
	}
	q := r.URL.Query()
	for i := range p.mutes {
		row := p.muteRowOf(&p.mutes[i])
		if row.ID != "" && row.ID == q.Get("added") && row.Active {
			row.New, v.Said = true, "Silenced for "+row.Left+"."
		}
		if row.ID != "" && row.ID == q.Get("ended") && !row.Active {
			v.Said = "The silence has ended. What still fails is told again."
		}
		switch {
		case row.Active:
			v.Active = append(v.Active, row)
		case row.Maintenance:
			v.Coming = append(v.Coming, row)
		case len(v.Over) < maxMutes:
			v.Over = append(v.Over, row)
		}
	}
	if wrong != nil {
		p.Title = "Not silenced"
		v.Wrong = sentence(wrong)
	}
	p.Icon = "idle"
	p.Says = plural(len(v.Active), "mute") + " in force"
	p.Body = &v
	s.write(w, r, status, "silences", p)
}

// sentence is an error as a sentence for people.
func sentence(err error) string {
	text := strings.TrimPrefix(err.Error(), "add silence: ")
	return clip(strings.ToUpper(text[:1])+text[1:], 500) + "."
}

// someChecks is how many of the checks that a mute covers are named.
const someChecks = 6

func (p *page) muteRowOf(m *mute) muteRow {
	row := muteRow{mute: *m, CanEnd: m.Active && !m.Maintenance && p.WhyNot == ""}
	if !m.Active {
		return row
	}
	n, sites, unsure := 0, 0, false
	for i := range p.content.Sites {
		site := &p.content.Sites[i]
		before := n
		for j := range site.Checks {
			c := &site.Checks[j]
			may, sure := m.covers(site.Name, p.toldFrom, c)
			if !may {
				continue
			}
			n++
			unsure = unsure || !sure
			if n <= someChecks {
				row.Checks = append(row.Checks, checkLink{site.Name + "/" + c.Name, p.Root.to("sites", site.Name) + "#check-" + c.Name})
			}
		}
		if n > before {
			sites++
		}
	}
	row.MoreThan = n - len(row.Checks)
	switch {
	case n == 0:
		row.Covers = "No check of the configuration is like that."
	case unsure:
		row.Covers = "Alerts like that of " + plural(n, "check") + " in " + plural(sites, "site")
	default:
		row.Covers = plural(n, "check") + " in " + plural(sites, "site")
	}
	return row
}

// lines are those of a text that hold something.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}
