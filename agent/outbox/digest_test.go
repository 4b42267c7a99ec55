package outbox

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// weather is the records of many sites in the making.
type weather struct {
	at   time.Time
	recs []incident.Record
}

func (s *weather) result(i int, c catalog.Condition, severity catalog.Severity, pop string) {
	r := checks.Result{Site: fmt.Sprintf("site%d", i), Check: "home", Location: "fra-1", StartedAt: s.at, Outcome: checks.Pass}
	if c != "" {
		r.Outcome, r.StatusCode = checks.Fail, c.StatusCode()
		r.Diagnosis = &catalog.Diagnosis{Condition: c, Title: titles[c], Fault: catalog.FaultOriginLink, Owner: "origin team", Severity: severity}
		r.Edge.ViaESA, r.Edge.POP = "yes", pop
	}
	for len(s.recs) <= i {
		s.recs = append(s.recs, incident.Record{})
	}
	s.recs[i], _ = incident.Next(s.recs[i], r, incident.Policy{})
}

// members are the incidents, of each of which so many events were told.
func (s *weather) members(told int) []member {
	var all []member
	for _, rec := range s.recs {
		inc := rec.Incidents[0].Told()
		if told > 0 {
			inc.Deliveries = map[string]incident.Delivery{"oncall": {Seq: told, Severity: catalog.Warning}}
		}
		all = append(all, member{attempt: incident.Attempt{Receiver: "oncall"}, site: rec.Site, inc: inc})
	}
	return all
}

func TestDigestWording(t *testing.T) {
	begin := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	told := incident.Delivery{ToldAt: begin}
	for _, lang := range []string{"en", "zh"} {
		w := newWriter(Receiver{Name: "oncall", Lang: lang}, "https://watch.example.com")
		var b strings.Builder
		show := func(name string, members []member, told incident.Delivery) {
			n := w.digest(members, told)
			fmt.Fprintf(&b, "# %s\n%d %s %s %s firing=%v %s\n  = %s\n", name, n.Seq, n.At.Format(time.TimeOnly), n.Severity, n.Reason, n.Firing, n.Summary, n.Digest.Shared)
			for _, l := range n.Digest.Lines[:3] {
				fmt.Fprintf(&b, "  - %s %s firing=%v %s %s\n", l.Site, l.Severity, l.Firing, l.Summary, strings.TrimPrefix(l.URL, "https://watch.example.com"))
			}
			for _, e := range n.Events {
				fmt.Fprintf(&b, "  %d %s %s %s\n", e.Seq, e.At.Format(time.TimeOnly), e.Kind, e.Text)
			}
			if len(n.Alerts) != len(members) || n.Digest.Incidents != len(members) {
				t.Errorf("%s: %d alerts and %d incidents of %d members", name, len(n.Alerts), n.Digest.Incidents, len(members))
			}
		}
		s := &weather{at: begin}
		for i := range 12 {
			s.result(i, "522", catalog.Warning, "de7")
		}
		show("all alike", s.members(0), incident.Delivery{})
		s.at = begin.Add(time.Minute)
		for i := range 4 {
			s.result(i, "525", catalog.Critical, "de7")
		}
		s.result(4, "", "", "")
		show("some changed and rose, one is over", s.members(1), told)
		s.at = begin.Add(2 * time.Minute)
		for i := range 4 {
			s.result(i, "", "", "")
		}
		show("some over, the others alike", s.members(2), told)
		s.at = begin.Add(4 * time.Hour)
		for i := range s.recs {
			s.recs[i], _ = incident.Tick(s.recs[i], s.at, incident.Timings{RepeatInterval: 3 * time.Hour})
		}
		show("a reminder", s.members(1), told)
		s.at = s.at.Add(time.Minute)
		for i := range s.recs {
			s.result(i, "", "", "")
		}
		show("over", s.members(2), told)
		show("over before it was told", s.members(0), incident.Delivery{})
		golden(t, "digest."+lang+".txt", b.String())
	}
}

func TestShared(t *testing.T) {
	result := func(c catalog.Condition, f func(*checks.Result)) member {
		r := checks.Result{Location: "fra-1", StatusCode: c.StatusCode(), Diagnosis: &catalog.Diagnosis{Condition: c, Fault: catalog.FaultOrigin, Owner: "origin team"}}
		r.Edge.ViaESA, r.Edge.POP = "yes", "de7"
		if f != nil {
			f(&r)
		}
		return member{inc: incident.Incident{Alerts: map[string]incident.Alert{"home": {Firing: true, Result: r}}}}
	}
	over := result("502", nil)
	over.inc.Alerts = map[string]incident.Alert{"home": {Result: over.inc.Alerts["home"].Result}}
	over.inc.ResolvedAt = time.Now()
	for want, members := range map[string][]member{
		"": nil,
		"522; origin; origin team; answered by ESA itself; POP de7; seen from fra-1": {result("522", nil), result("522", nil), over},
		"origin; origin team; answered by ESA itself; POP de7; seen from fra-1":      {result("522", nil), result("525", nil)},
		"origin; origin team; POP de7; seen from fra-1":                              {result("522", nil), result("503", nil)},
		"503; origin; origin team; answered by ESA itself; POP de7; seen from fra-1": {result("503", func(r *checks.Result) { r.Edge.ErrorToken = "x" })},
		"522; origin; origin team; POP de7; seen from fra-1":                         {result("522", func(r *checks.Result) { r.Edge.ViaESA = "no" })},
		"502; origin; origin team; POP de7; seen from fra-1":                         {over, over},
		"522; origin team; answered by ESA itself": {
			result("522", func(r *checks.Result) { r.Location, r.Edge.POP = "sin-1", "sg3" }),
			result("522", func(r *checks.Result) { r.Diagnosis.Fault = catalog.FaultDNS }),
		},
	} {
		if got := newWriter(Receiver{}, "").shared(members); got != want {
			t.Errorf("shared:\n got %q\nwant %q", got, want)
		}
	}
}
