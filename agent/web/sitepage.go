package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/probe"
)

// sitePage is one site in full.
type sitePage struct {
	Site   *Site
	Look   look
	Labels []fact
	Story  *story // the open incident
	Checks []checkView
	Brief  []row // checks that are well, of a site that has many
	Away   bool  // another agent of this location runs some of those
	Past   []story
	WhyNot string // a check cannot be run from here, nor silenced

	Silence string // link that offers to silence the site
	Mutes   []mute // in force, that may cover something of it
}

// checkView is one check in full.
type checkView struct {
	From      vantage // which locations see it fail
	Elsewhere *runBy  // who runs it in the place of this agent
	Check
	Look      look
	Run       string // link that runs it now, "" when that is not allowed
	Silence   string // link that offers to silence it
	Muted     string // by what, for a check that is well
	Asked     bool   // a run of it was asked for a moment ago
	Ran       string // and it ran: how it went
	Ever      bool   // whether there is a result
	Recalled  bool   // the newest is from before the agent started, in short
	Seen      moment
	Answer    string
	Catalog   string // link to what is wrong, "" when nothing is
	Summary   string
	Verdict   string
	Legs      []legView
	Phases    []phase
	Took      string
	Cert      *certView
	Bars      []bar
	Top       string // what the highest bar stands for
	Median    string
	Available string
	Reach     string
	Results   []resultRow
}

// legView is the edge's answer, or the origin's.
type legView struct {
	Name  string
	Look  look
	Facts []fact
}

// certView is the certificate that the edge showed.
type certView struct {
	Look    look
	Left    string
	Ends    moment
	Facts   []fact
	Expired bool
}

// resultRow is one past result.
type resultRow struct {
	At      moment
	Clock   string
	Outcome string
	Look    look
	Answer  string
	Took    string
	Origin  string
}

func (s *Server) sitePage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("site")
	p := s.begin(r, "status", name)
	site := p.content.site(name)
	if site == nil {
		s.missing(w, r, fmt.Sprintf("The configuration has no site %.64q.", name), p.Home(), "All sites")
		return
	}
	p.Live = true
	q := r.URL.Query()
	v := sitePage{Site: site, Look: waiting(), WhyNot: p.WhyNot, Silence: p.silenceLink(name, "")}
	for _, key := range slices.Sorted(maps.Keys(site.Labels)) {
		v.Labels = append(v.Labels, fact{clean(key), clean(site.Labels[key])})
	}
	rec, _ := s.opts.Incidents.Record(name)
	var h history
	for i := range site.Checks {
		c := &site.Checks[i]
		s.opts.Recent.look(name, c.Name, &h)
		seen := s.vantage(&rec, name, c.Name)
		look := checkLook(&rec, c, h.fresh(), seen)
		v.Look = worse(v.Look, look)
		if len(site.Checks) > manyInFull && look.isWell() && c.Name != q.Get("check") && c.Name != q.Get("ran") {
			v.Brief = append(v.Brief, p.briefOf(name, c, look, &h))
			v.Away = v.Away || seen.elsewhere
			continue
		}
		view := p.checkOf(name, c, look, &h)
		view.From = seen
		if seen.elsewhere {
			view.Run, view.Elsewhere = "", s.runner(name, c.Name)
		}
		view.asked(ran(r, c.Name, p.now), &h)
		v.Checks = append(v.Checks, view)
	}
	for i := range p.inForce {
		if slices.ContainsFunc(site.Checks, func(c Check) bool { may, _ := p.inForce[i].covers(name, p.toldFrom, &c); return may }) {
			v.Mutes = append(v.Mutes, p.inForce[i])
		}
	}
	all, _, err := s.listIncidents(r, wanted{site: name, limit: maxIncidents})
	if err != nil {
		s.broken(w, r, err)
		return
	}
	for i := range all {
		st := p.storyOf(&all[i])
		if st.Open {
			v.Story = &st
			continue
		}
		v.Past = append(v.Past, st)
	}
	p.Icon = v.Look.Class
	p.Says = v.says()
	p.Body = &v
	s.write(w, r, http.StatusOK, "site", p)
}

// manyInFull is from how many checks on a site shows those that are well as
// rows, each of which leads to the check in full.
const manyInFull = 12

func (p *page) briefOf(site string, c *Check, look look, h *history) row {
	row := p.rowOf(site, "", c, look, h)
	row.Link = "?" + url.Values{"check": {c.Name}}.Encode() + "#check-" + c.Name
	return row
}

// says is the state of the site and of its checks that are not well.
func (v *sitePage) says() string {
	text := v.Site.Name + " is " + v.Look.Word
	for i := range v.Checks {
		if c := &v.Checks[i]; c.Look.Class != "ok" {
			text += ", " + c.Name + " " + c.Look.Word
		}
	}
	return text
}

// Every says when the check runs.
func (v *checkView) Every() string {
	if strings.ContainsAny(v.Schedule, " @") {
		return "schedule " + v.Schedule
	}
	return "every " + v.Schedule
}

// asked notes that a run was asked for, and whether it has come.
func (v *checkView) asked(at time.Time, h *history) {
	if at.IsZero() {
		return
	}
	v.Asked = true
	if !h.newest.StartedAt.Before(at.Truncate(time.Millisecond)) {
		v.Ran = v.Answer
	}
}

func (p *page) checkOf(site string, c *Check, look look, h *history) checkView {
	v := checkView{
		Check: *c, Look: look, Available: availability(h.day), Reach: reach(h.day, p.now),
	}
	v.URL = clean(v.URL)
	if p.WhyNot == "" {
		v.Run, v.Silence = p.Root.to("sites", site, "checks", c.Name, "run"), p.silenceLink(site, c.Name)
	}
	if look != muted() {
		if m := mutedBy(p.inForce, site, p.toldFrom, c); m != nil {
			v.Muted = m.Short()
		}
	}
	if len(h.entries) == 0 {
		return v
	}
	r := &h.newest
	v.Recalled = h.recalled
	v.Ever, v.Seen, v.Answer, v.Took = true, momentOf(r.StartedAt, p.now), answerOf(r), took(r.DurationSeconds)
	if d := r.Diagnosis; d != nil {
		v.Catalog, v.Summary, v.Verdict = p.Root.to("catalog", string(d.Condition)), clean(d.Summary), clean(d.Verdict)
	}
	v.Legs = legs(r)
	v.Phases = phasesBar(phasesOf(r.PhasesSeconds))
	v.Cert = p.certOf(r.TLS)
	v.Bars, v.Top = barsOf(h.entries)
	v.Median = took(float64(median(h.entries)))
	for _, e := range slices.Backward(h.entries) {
		v.Results = append(v.Results, p.resultOf(&e))
	}
	return v
}

// legs puts what the edge answered beside what the origin did.
func legs(r *checks.Result) []legView {
	edge := legView{Name: "Edge", Look: outcomeLook(outcomeOf(r.Outcome))}
	add := func(label, value string) {
		if value != "" {
			edge.Facts = append(edge.Facts, fact{label, clean(value)})
		}
	}
	add("Answer", statusWord(r.StatusCode, string(r.Condition())))
	add("Time", took(r.DurationSeconds))
	add("Cache", r.Edge.CacheStatus)
	add("POP", r.Edge.POP)
	add("Node", r.Edge.NodeIP)
	add("Request id", r.Edge.RequestID)
	add("Error token", r.Edge.ErrorToken)
	add("Proxy-Status", r.Edge.ProxyStatus)
	if r.StatusCode != 0 && r.Edge.ViaESA != probe.ViaYes {
		add("Via ESA", r.Edge.ViaESA)
	}
	add("Address", r.RemoteAddress)
	if r.HTTPVersion != "" {
		add("Protocol", "HTTP/"+r.HTTPVersion)
	}
	all := []legView{edge}
	if o := r.Origin; o != nil {
		look := outcomeLook(failed)
		switch {
		case o.Success && o.Condition != "":
			look = outcomeLook(degraded)
		case o.Success:
			look = outcomeLook(passed)
		}
		all = append(all, legView{Name: "Origin, asked directly", Look: look, Facts: []fact{
			{"Answer", clean(statusWord(o.StatusCode, string(o.Condition)))},
			{"Time", took(o.DurationSeconds)},
		}})
	}
	return all
}

func outcomeLook(o outcome) look {
	switch o {
	case passed:
		return look{"ok", "pass", 1}
	case degraded:
		return look{"warn", "degraded", 2}
	}
	return look{"bad", "fail", 3}
}

// statusWord is a status with its text, and with the condition where that says
// something else.
func statusWord(code int, condition string) string {
	switch {
	case code == 0 && condition == "":
		return "none"
	case code == 0:
		return "none (" + condition + ")"
	case condition == "" || condition == fmt.Sprint(code):
		return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
	}
	return fmt.Sprintf("%d %s (%s)", code, http.StatusText(code), condition)
}

// certOf is the certificate, nil when none was shown.
func (p *page) certOf(t *checks.TLS) *certView {
	if t == nil || t.Ends().IsZero() {
		return nil
	}
	const soon = 14 * 24 * time.Hour // as expect.cert_valid_for has it by default
	left := t.Ends().Sub(p.now)
	v := &certView{Look: look{"ok", "valid", 1}, Left: span(left), Ends: momentOf(t.Ends(), p.now)}
	switch {
	case left <= 0:
		v.Expired, v.Look, v.Left = true, look{"bad", "expired", 3}, span(-left)
	case left < soon:
		v.Look = look{"warn", "expiring", 2}
	}
	for _, f := range []fact{{"Subject", t.Subject}, {"Issuer", t.Issuer}, {"Protocol", t.Version}, {"Cipher", t.Cipher}} {
		if f.Value != "" {
			v.Facts = append(v.Facts, fact{f.Label, clean(f.Value)})
		}
	}
	return v
}

func (p *page) resultOf(e *entry) resultRow {
	at := momentOf(e.start(), p.now)
	row := resultRow{
		At: at, Clock: e.start().Format(time.TimeOnly), Outcome: e.outcome.String(), Look: outcomeLook(e.outcome),
		Answer: e.answer(), Took: took(float64(e.seconds)),
	}
	switch {
	case e.originCondition != "":
		row.Origin = string(e.originCondition)
	case e.originStatus != 0:
		row.Origin = fmt.Sprintf("%d in %s", e.originStatus, took(float64(e.originSeconds)))
	}
	return row
}
