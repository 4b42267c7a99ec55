package web

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
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
	ResolvedAt *time.Time       `json:"resolved_at"`      // null while open
	Reason     string           `json:"reason"`           // why it was closed: recovered, removed, merged; "" while open
	Into       string           `json:"into,omitempty"`   // of merged: the incident that it goes on as
	Single     bool             `json:"single,omitempty"` // told by an agent that could not ask the others
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
	Views      []incident.View     `json:"views,omitempty"` // where several locations vote
}

type eventJSON struct {
	Seq       int                `json:"seq"`
	At        time.Time          `json:"at"`
	Kind      incident.EventKind `json:"kind"`
	Check     string             `json:"check"`              // "" when it is about the whole incident
	Condition catalog.Condition  `json:"condition"`          // of the check after it, or ""
	Was       catalog.Condition  `json:"was"`                // of the check before it, or ""
	Severity  catalog.Severity   `json:"severity"`           // of the incident after it, or ""
	Location  string             `json:"location,omitempty"` // of spread and shared
	Quiet     bool               `json:"quiet"`              // not told for its own sake
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
		place, known := s.placeOf(id)
		if !known {
			problem(w, r, http.StatusNotFound, fmt.Sprintf("before %.100q: there is no such incident", id))
			return
		}
		want.before = &place
	}
	list, more, err := s.beginIncidents(r, want)
	if err != nil {
		s.unread(w, r, err)
		return
	}
	if more {
		w.Header().Set("Link", linkToNext(r, list[len(list)-1].ID))
	}
	streamArray(w, r, s.incidentsJSON(r, list))
}

// beginIncidents finds what is wanted, and reads only the first past one: a store
// that cannot be read is better told before the answer begins. more tells whether
// the limit has left some out.
func (s *Server) beginIncidents(r *http.Request, want wanted) (list []listed, more bool, err error) {
	done, err := s.inTurn(r, want.site)
	if err != nil {
		return nil, false, err
	}
	defer done()
	found, err := s.findIncidents(r, want)
	if err != nil {
		return nil, false, err
	}
	list = found[:min(want.limit, len(found))]
	if i := slices.IndexFunc(list, func(l listed) bool { return l.known == nil }); i >= 0 {
		inc, ok, err := s.readIncident(r.Context(), list[i])
		if err != nil {
			return nil, false, err
		}
		if ok {
			list[i].known = inc
		}
	}
	return list, len(found) > want.limit, nil
}

// linkToNext is the Link to what follows an incident in the list that was asked for.
func linkToNext(r *http.Request, id string) string {
	values := r.URL.Query()
	values.Set("before", id)
	// Relative to the request, so that it holds behind a proxy.
	return "<?" + values.Encode() + `>; rel="next"`
}

// incidentsJSON reads the incidents of a list as they are sent: a thousand can be
// a hundred megabytes, and a slow reader would have them held for a minute. Those
// that are dropped meanwhile are left out.
func (s *Server) incidentsJSON(r *http.Request, list []listed) iter.Seq[incidentJSON] {
	// A reader that has gone is known by what is sent; one that is only slow may
	// take longer than the patience of the request.
	ctx := context.WithoutCancel(r.Context())
	externalURL := s.content.Load().ExternalURL
	return func(yield func(incidentJSON) bool) {
		for _, l := range list {
			inc, ok, err := s.readIncident(ctx, l)
			if err != nil {
				s.opts.Log.Error("answer broken off", "path", r.URL.Path, "err", err)
				panic(http.ErrAbortHandler)
			}
			if ok && !yield(incidentOf(inc, externalURL)) {
				return
			}
		}
	}
}

func incidentOf(inc *incident.Incident, externalURL string) incidentJSON {
	j := incidentJSON{
		ID: inc.ID, Site: inc.Site, State: "open", Since: inc.Since, OpenedAt: inc.OpenedAt, Reason: inc.Reason,
		Into: inc.Into, Single: inc.Single,
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
			Check: a.Check, State: "firing", Since: a.Since, FiredAt: a.FiredAt, Severity: a.Loudness(),
			Conditions: a.Conditions, Labels: a.Labels, Result: a.Result, Views: a.Views,
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
