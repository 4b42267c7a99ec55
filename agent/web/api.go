package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// api serves the API. Each path also answers the methods that it does not have,
// so that every error is a problem in JSON.
func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	for _, at := range []struct {
		method, path string
		handler      http.Handler
	}{
		{"GET", "/api/v1/results", http.HandlerFunc(s.apiResults)},
		{"GET", "/api/v1/incidents", http.HandlerFunc(s.apiIncidents)},
		{"GET", "/api/v1/catalog", http.HandlerFunc(s.apiCatalog)},
		{"POST", "/api/v1/checks/{site}/{check}/run", s.guard(http.HandlerFunc(s.apiRun))},
	} {
		mux.Handle(at.method+" "+at.path, at.handler)
		mux.HandleFunc(at.path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", at.method)
			problem(w, r, http.StatusMethodNotAllowed, fmt.Sprintf("%s is for %s", at.path, at.method))
		})
	}
	s.addSilences(mux)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, r, http.StatusNotFound, "no such endpoint")
	})
	return mux
}

// problem answers with an error as RFC 9457 has it.
func problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	writeJSON(w, r, status, "application/problem+json", struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, mediaType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		// Only numbers that are none cannot be written, and there are no such.
		http.Error(w, "this cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	send(w, r, status, append(body, '\n'))
}

// siteFrom is the site that a request is about, "" for all. It answers itself,
// and returns false, when the configuration has no such site.
func (s *Server) siteFrom(w http.ResponseWriter, r *http.Request) (string, bool) {
	site := r.URL.Query().Get("site")
	if site != "" && s.content.Load().site(site) == nil {
		problem(w, r, http.StatusNotFound, fmt.Sprintf("the configuration has no site %.64q", site))
		return "", false
	}
	return site, true
}

func (s *Server) apiResults(w http.ResponseWriter, r *http.Request) {
	if site, ok := s.siteFrom(w, r); ok {
		writeJSON(w, r, http.StatusOK, "application/json", s.results(site))
	}
}

// incidentJSON is an incident as the API gives it: without what the agent keeps
// for its own use.
type incidentJSON struct {
	ID         string           `json:"id"`
	Site       string           `json:"site"`
	State      string           `json:"state"` // open, resolved
	Since      time.Time        `json:"since"`
	OpenedAt   time.Time        `json:"opened_at"`
	ResolvedAt *time.Time       `json:"resolved_at"` // null while open
	Reason     string           `json:"reason"`
	Severity   catalog.Severity `json:"severity"`
	Peak       catalog.Severity `json:"peak"`
	URL        string           `json:"url"`
	Alerts     []alertJSON      `json:"alerts"`
	Events     []incident.Event `json:"events"`
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

// apiIncidents gives the open incidents, then the newest of the others: 200 in
// all, or as many as limit says.
func (s *Server) apiIncidents(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	if state != "" && state != "open" && state != "resolved" {
		problem(w, r, http.StatusBadRequest, fmt.Sprintf("state %.32q: want open or resolved", state))
		return
	}
	limit := maxIncidents
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			problem(w, r, http.StatusBadRequest, fmt.Sprintf("limit %.32q: want a number from 1", text))
			return
		}
		limit = n
	}
	site, ok := s.siteFrom(w, r)
	if !ok {
		return
	}
	list := s.opts.Incidents.Open()
	if state != "open" {
		var err error
		if list, err = s.incidentList(r, site); err != nil {
			s.broken(w, r, err)
			return
		}
	}
	all := []incidentJSON{}
	for i := range list {
		inc := &list[i]
		if len(all) == limit {
			break
		}
		if site != "" && inc.Site != site || state == "resolved" && inc.Open() {
			continue
		}
		all = append(all, incidentOf(inc, s.content.Load().ExternalURL))
	}
	writeJSON(w, r, http.StatusOK, "application/json", all)
}

func incidentOf(inc *incident.Incident, externalURL string) incidentJSON {
	j := incidentJSON{
		ID: inc.ID, Site: inc.Site, State: "open", Since: inc.Since, OpenedAt: inc.OpenedAt, Reason: inc.Reason,
		Severity: inc.Severity, Peak: inc.Peak, Events: inc.Events, Alerts: []alertJSON{},
		URL: strings.TrimSuffix(externalURL, "/") + "/incidents/" + inc.ID,
	}
	if !inc.Open() {
		j.State, j.ResolvedAt = "resolved", &inc.ResolvedAt
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
		j.Alerts = append(j.Alerts, alert)
	}
	return j
}

func (s *Server) apiCatalog(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	lang := q.Get("lang")
	if lang != "" && lang != "en" && lang != "zh" {
		problem(w, r, http.StatusBadRequest, fmt.Sprintf("lang %.32q: want en or zh", lang))
		return
	}
	writeJSON(w, r, http.StatusOK, "application/json", found(s.content.Load().Catalog, clip(q.Get("q"), 100), lang))
}

// apiRun has a check run now. A browser that sent a form is led back to the
// site's page, where the result will be.
func (s *Server) apiRun(w http.ResponseWriter, r *http.Request) {
	site, check := r.PathValue("site"), r.PathValue("check")
	back := rootOf(r).to("sites", site)
	fail := func(status int, text string) {
		s.sorry(w, r, status, lost{Title: "The check was not run", Text: text, Link: back, Name: "Back to the site"})
	}
	if !s.content.Load().has(site, check) {
		fail(http.StatusNotFound, fmt.Sprintf("the configuration has no check %.130q", checks.FullName(site, check)))
		return
	}
	switch err := s.opts.RunNow(checks.FullName(site, check)); {
	case err == nil, errors.Is(err, schedule.ErrBusy) && wantsPage(r):
		// Who pressed a button wants it run, and it is about to be.
	case errors.Is(err, schedule.ErrUnknown):
		fail(http.StatusNotFound, err.Error())
		return
	case errors.Is(err, schedule.ErrBusy):
		fail(http.StatusConflict, err.Error())
		return
	default:
		fail(http.StatusServiceUnavailable, err.Error())
		return
	}
	if wantsPage(r) {
		w.Header().Set("Location", back+"#check-"+check)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	writeJSON(w, r, http.StatusAccepted, "application/json", struct {
		Site  string `json:"site"`
		Check string `json:"check"`
	}{site, check})
}

// wantsPage tells whether it is a browser that asks, for a page.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
