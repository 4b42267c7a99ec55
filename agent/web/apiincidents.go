package web

import (
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// maxIncidentsAsked is the most that one request may ask for: each can hold the
// results of all checks of its site.
const maxIncidentsAsked = 1000

// incidentJSON is an incident as the API gives it: without what the agent keeps
// for its own use.
type incidentJSON struct {
	ID         string           `json:"id"`
	Site       string           `json:"site"`
	State      string           `json:"state"` // open, resolved
	Since      time.Time        `json:"since"`
	OpenedAt   time.Time        `json:"opened_at"`
	ResolvedAt *time.Time       `json:"resolved_at"` // null while open
	Reason     string           `json:"reason"`      // why it was closed: recovered, removed; "" while open
	Severity   catalog.Severity `json:"severity"`
	Peak       catalog.Severity `json:"peak"`
	URL        string           `json:"url"`
	Alerts     []alertJSON      `json:"alerts"`
	Events     []eventJSON      `json:"events"`
}

type alertJSON struct {
	Check      string              `json:"check"`
	State      string              `json:"state"` // firing, resolved
	Since      time.Time           `json:"since"`
	FiredAt    time.Time           `json:"fired_at"`
	ResolvedAt *time.Time          `json:"resolved_at"` // null while it fires
	Severity   catalog.Severity    `json:"severity"`
	Conditions []catalog.Condition `json:"conditions"`
	Labels     map[string]string   `json:"labels"`
	Result     checks.Result       `json:"result"`
}

type eventJSON struct {
	Seq       int                `json:"seq"`
	At        time.Time          `json:"at"`
	Kind      incident.EventKind `json:"kind"`
	Check     string             `json:"check"`     // "" when it is about the whole incident
	Condition catalog.Condition  `json:"condition"` // of the check after it, or ""
	Was       catalog.Condition  `json:"was"`       // of the check before it, or ""
	Severity  catalog.Severity   `json:"severity"`  // of the incident after it, or ""
	Quiet     bool               `json:"quiet"`     // not told for its own sake
}

// apiIncidents gives the open incidents, then the newest of the others. A Link
// header leads to those that follow.
func (s *Server) apiIncidents(w http.ResponseWriter, r *http.Request) {
	q := queryOf(r, "site", "state", "limit", "before")
	state := q.oneOf("state", "open", "resolved")
	limit := q.number("limit", maxIncidents, maxIncidentsAsked)
	if !q.ok(w, r) {
		return
	}
	site, ok := s.siteFrom(w, r, q)
	if !ok {
		return
	}
	want := wanted{site: site, state: state, limit: limit}
	if id := q.text("before"); id != "" {
		last, known, err := s.opts.Incidents.Incident(r.Context(), id)
		switch {
		case err != nil:
			s.unread(w, r, err)
			return
		case !known:
			problem(w, r, http.StatusNotFound, fmt.Sprintf("before %.100q: there is no such incident (any more)", id))
			return
		}
		want.before = &last
	}
	list, all, err := s.listIncidents(r, want)
	if err != nil {
		s.unread(w, r, err)
		return
	}
	if all > len(list) && len(list) > 0 {
		w.Header().Set("Link", linkToNext(r, list[len(list)-1].ID))
	}
	streamArray(w, r, incidentsJSON(list, s.content.Load().ExternalURL))
}

// linkToNext is the Link to what follows an incident in the list that was asked for.
func linkToNext(r *http.Request, id string) string {
	values := r.URL.Query()
	values.Set("before", id)
	// Relative to the request, so that it holds behind a proxy.
	return "<?" + values.Encode() + `>; rel="next"`
}

func incidentsJSON(list []incident.Incident, externalURL string) iter.Seq[incidentJSON] {
	return func(yield func(incidentJSON) bool) {
		for i := range list {
			if !yield(incidentOf(&list[i], externalURL)) {
				return
			}
		}
	}
}

func incidentOf(inc *incident.Incident, externalURL string) incidentJSON {
	j := incidentJSON{
		ID: inc.ID, Site: inc.Site, State: "open", Since: inc.Since, OpenedAt: inc.OpenedAt, Reason: inc.Reason,
		Severity: inc.Severity, Peak: inc.Peak, Events: make([]eventJSON, 0, len(inc.Events)), Alerts: []alertJSON{},
		URL: strings.TrimSuffix(externalURL, "/") + "/incidents/" + url.PathEscape(inc.ID),
	}
	if !inc.Open() {
		j.State, j.ResolvedAt = "resolved", &inc.ResolvedAt
	}
	for i := range inc.Events {
		j.Events = append(j.Events, eventJSON(inc.Events[i]))
	}
	for _, a := range alerts(inc) {
		alert := alertJSON{
			Check: a.Check, State: "firing", Since: a.Since, FiredAt: a.FiredAt, Severity: a.Severity,
			Conditions: a.Conditions, Labels: a.Labels, Result: a.Result,
		}
		if !a.Firing {
			alert.State, alert.ResolvedAt = "resolved", &a.ResolvedAt
		}
		if alert.Labels == nil {
			alert.Labels = map[string]string{}
		}
		if alert.Conditions == nil {
			alert.Conditions = []catalog.Condition{}
		}
		j.Alerts = append(j.Alerts, alert)
	}
	return j
}
