package web

import (
	"net/http"
	"slices"

	"github.com/esawatch/esawatch/agent/incident"
)

// maxIncidents is how many are listed unless more are asked for.
const maxIncidents = 200

// incidents is the page that lists them all.
func (s *Server) incidents(w http.ResponseWriter, r *http.Request) {
	p := s.begin(r, "incidents", "Incidents")
	all, err := s.incidentList(r, "")
	if err != nil {
		s.broken(w, r, err)
		return
	}
	v := struct {
		Stories []story
		More    int
	}{More: max(0, len(all)-maxIncidents)}
	for i := range all[:min(len(all), maxIncidents)] {
		v.Stories = append(v.Stories, p.storyOf(&all[i]))
	}
	p.Body = &v
	s.write(w, r, http.StatusOK, "incidents", p)
}

// incidentList reads the incidents of a site, or of all sites if it is "": the
// open ones first, then the newest.
//
// Those of all sites are read one request after another: with a thousand sites
// that have twenty each it takes seconds and 200 MB.
func (s *Server) incidentList(r *http.Request, site string) ([]incident.Incident, error) {
	if site == "" {
		select {
		case s.reading <- struct{}{}:
			defer func() { <-s.reading }()
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	var all []incident.Incident
	for _, rec := range s.opts.Incidents.Records() {
		if site == "" || rec.Site == site {
			all = append(all, rec.Incidents...)
		}
	}
	past, err := s.opts.Incidents.History(r.Context(), site)
	if err != nil {
		return nil, err
	}
	for _, inc := range past {
		// One that is just leaving its record is in both.
		if !slices.ContainsFunc(all, func(i incident.Incident) bool { return i.ID == inc.ID }) {
			all = append(all, inc)
		}
	}
	slices.SortStableFunc(all, func(a, b incident.Incident) int {
		if a.Open() != b.Open() {
			return bit(b.Open()) - bit(a.Open())
		}
		return b.OpenedAt.Compare(a.OpenedAt)
	})
	return all, nil
}
