package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// maxIncidents is how many are listed unless more are asked for.
const maxIncidents = 200

// incidents is the page that lists them all.
func (s *Server) incidents(w http.ResponseWriter, r *http.Request) {
	p := s.begin(r, "incidents", "Incidents")
	list, all, err := s.listIncidents(r, wanted{limit: maxIncidents})
	if err != nil {
		s.broken(w, r, err)
		return
	}
	v := struct {
		Stories []story
		More    int
	}{More: max(0, all-maxIncidents)}
	for i := range list {
		v.Stories = append(v.Stories, p.storyOf(&list[i]))
	}
	p.Body = &v
	s.write(w, r, http.StatusOK, "incidents", p)
}

// wanted is which incidents are to be listed.
type wanted struct {
	site   string  // "": of all sites
	state  string  // open, resolved; "": both
	before *listed // only those that follow it; nil: from the beginning
	limit  int
}

// listIncidents reads incidents: the open ones first, then the newest. all is how
// many there would be without the limit.
//
// Past ones are read from the store one by one, about 0.1 ms each. Those of all
// sites are read one request after another.
func (s *Server) listIncidents(r *http.Request, want wanted) (list []incident.Incident, all int, err error) {
	done, err := s.inTurn(r, want.site)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	found, err := s.findIncidents(r, want)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range found {
		if len(list) == want.limit {
			break
		}
		inc, ok, err := s.readIncident(r.Context(), f)
		if err != nil {
			return nil, 0, err
		}
		if ok {
			list = append(list, *inc)
		}
	}
	return list, len(found), nil
}

// inTurn waits until no other request reads the incidents of all sites, if this
// one is about to. done ends its turn.
func (s *Server) inTurn(r *http.Request, site string) (done func(), err error) {
	if site != "" {
		return func() {}, nil
	}
	select {
	case s.reading <- struct{}{}:
		return func() { <-s.reading }, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// readIncident reads an incident of a list, unless it is known already. The bool
// is as that of incident.Keeper.Recall.
func (s *Server) readIncident(ctx context.Context, l listed) (*incident.Incident, bool, error) {
	if l.known != nil {
		return l.known, true, nil
	}
	inc, ok, err := s.opts.Incidents.Recall(ctx, l.Past)
	return &inc, ok, err
}

// listed is an incident of a list: one of a record, or one of the history that
// is yet to be read.
type listed struct {
	incident.Past
	opened time.Time          // to the second
	known  *incident.Incident // nil: of the history
}

func listedOf(inc *incident.Incident) listed {
	p := incident.Past{Site: inc.Site, ID: inc.ID}
	return listed{p, p.Opened(), inc}
}

func (l *listed) open() bool { return l.known != nil && l.known.Open() }

// placeOf is where the incident of an ID stands in a list, be it kept any more or
// not: its ID tells when it was opened. The bool is false for what is no ID.
func (s *Server) placeOf(id string) (listed, bool) {
	for _, rec := range s.opts.Incidents.Records() {
		for i := range rec.Incidents {
			if rec.Incidents[i].ID == id {
				return listedOf(&rec.Incidents[i]), true
			}
		}
	}
	past := incident.Past{ID: id}
	return listed{Past: past, opened: past.Opened()}, !past.Opened().IsZero()
}

// inOrder compares two as they are listed: what is open first, then the newest.
// No two that differ are alike, so that a list can be gone on with.
func inOrder(a, b listed) int {
	return cmp.Or(bit(b.open())-bit(a.open()), b.opened.Compare(a.opened), strings.Compare(b.ID, a.ID))
}

// findIncidents lists what is wanted, in order and without a limit.
func (s *Server) findIncidents(r *http.Request, want wanted) ([]listed, error) {
	var found []listed
	ids := map[string]bool{}
	for _, rec := range s.opts.Incidents.Records() {
		for i := range rec.Incidents {
			found = append(found, listedOf(&rec.Incidents[i]))
			ids[rec.Incidents[i].ID] = true
		}
	}
	if want.state != "open" {
		past, err := s.opts.Incidents.History(r.Context(), want.site)
		if err != nil {
			return nil, err
		}
		for _, p := range past {
			if !ids[p.ID] { // one that is just leaving its record is in both
				found = append(found, listed{Past: p, opened: p.Opened()})
			}
		}
	}
	found = slices.DeleteFunc(found, func(l listed) bool {
		return want.site != "" && l.Site != want.site || want.state != "" && l.open() != (want.state == "open") ||
			want.before != nil && inOrder(l, *want.before) <= 0
	})
	slices.SortFunc(found, inOrder)
	return found, nil
}
