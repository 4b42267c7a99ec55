package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
)

// maxSilenceBody bounds what is read of a request for a silence, in bytes. As
// many matchers as a silence may have, of the longest kind, fit.
const maxSilenceBody = 64 << 10

// addSilences serves the silences: to all who may read what there are, behind
// the guard to add and to end them.
func (s *Server) addSilences(mux *http.ServeMux) {
	const all, one = "/api/v1/silences", "/api/v1/silences/{id}"
	mux.HandleFunc("GET "+all, s.apiSilences)
	mux.Handle("POST "+all, s.guard(http.HandlerFunc(s.apiSilenceAdd)))
	mux.Handle("DELETE "+one, s.guard(http.HandlerFunc(s.apiSilenceExpire)))
	for path, allowed := range map[string]string{all: "GET, POST", one: "DELETE"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allowed)
			problem(w, r, http.StatusMethodNotAllowed, fmt.Sprintf("%s is for %s", path, allowed))
		})
	}
}

// silenceJSON is a silence as the API gives it.
type silenceJSON struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`    // active, expired
	Matchers  []string  `json:"matchers"` // as Alertmanager writes them: site="shop"
	CreatedAt time.Time `json:"created_at"`
	Until     time.Time `json:"until"`
	Author    string    `json:"author"`
	Comment   string    `json:"comment"`
}

func silenceOf(one *incident.Silence, now time.Time) silenceJSON {
	j := silenceJSON{ID: one.ID, State: "expired", Matchers: make([]string, 0, len(one.Matchers)),
		CreatedAt: one.CreatedAt, Until: one.Until, Author: one.Author, Comment: one.Comment}
	if one.Active(now) {
		j.State = "active"
	}
	for _, m := range one.Matchers {
		j.Matchers = append(j.Matchers, m.String())
	}
	return j
}

// apiSilences lists the silences, those in force before those that are over.
func (s *Server) apiSilences(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	if state != "" && state != "active" && state != "expired" {
		problem(w, r, http.StatusBadRequest, fmt.Sprintf("state %.32q: want active or expired", state))
		return
	}
	list := []silenceJSON{}
	now := time.Now()
	for _, one := range s.opts.Incidents.Silences().List() {
		if j := silenceOf(&one, now); state == "" || state == j.State {
			list = append(list, j)
		}
	}
	writeJSON(w, r, http.StatusOK, "application/json", list)
}

// silenceRequest is what asks for a silence: for how long, or until when.
type silenceRequest struct {
	Matchers []string  `json:"matchers"`
	Duration string    `json:"duration"` // as in the configuration: 90m, 2h, 1d
	Until    time.Time `json:"until"`    // RFC 3339
	Author   string    `json:"author"`   // "" = the user of basic auth
	Comment  string    `json:"comment"`
}

// silence is what is asked for, its time counted from now.
func (q *silenceRequest) silence(now time.Time) (incident.Silence, error) {
	one := incident.Silence{Until: q.Until, Author: q.Author, Comment: q.Comment}
	for _, text := range q.Matchers {
		m, err := incident.ParseMatcher(text)
		if err != nil {
			return one, err
		}
		one.Matchers = append(one.Matchers, m)
	}
	if (q.Duration == "") == q.Until.IsZero() {
		return one, errors.New("want either a duration or until")
	}
	if q.Duration != "" {
		d, err := config.ParseDuration(q.Duration)
		if err != nil {
			return one, fmt.Errorf("duration: %w", err)
		}
		one.Until = now.Add(d)
	}
	return one, nil
}

// apiSilenceAdd puts a silence in force. It is kept when 201 is answered.
func (s *Server) apiSilenceAdd(w http.ResponseWriter, r *http.Request) {
	var asked silenceRequest
	if err := readJSON(w, r, maxSilenceBody, &asked); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		problem(w, r, status, err.Error())
		return
	}
	if asked.Author == "" {
		asked.Author, _, _ = r.BasicAuth()
	}
	now := time.Now()
	one, err := asked.silence(now)
	if err == nil {
		one, err = s.opts.Incidents.Silences().Add(r.Context(), one)
	}
	switch {
	case errors.Is(err, incident.ErrNotSaved):
		problem(w, r, http.StatusServiceUnavailable, err.Error())
	case err != nil:
		problem(w, r, http.StatusBadRequest, err.Error())
	default:
		writeJSON(w, r, http.StatusCreated, "application/json", silenceOf(&one, now))
	}
}

// apiSilenceExpire ends a silence and answers with what it has become. One that
// is over already stays as it is.
func (s *Server) apiSilenceExpire(w http.ResponseWriter, r *http.Request) {
	one, err := s.opts.Incidents.Silences().Expire(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, incident.ErrNoSilence):
		problem(w, r, http.StatusNotFound, err.Error())
	case err != nil:
		problem(w, r, http.StatusServiceUnavailable, err.Error())
	default:
		writeJSON(w, r, http.StatusOK, "application/json", silenceOf(&one, time.Now()))
	}
}

// readJSON reads a request's body, one object of at most limit bytes, into v. A
// field that v does not have is an error: what is misspelled would be left out
// without a word.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return fmt.Errorf("read the body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read the body: want one JSON object and nothing after it")
	}
	return nil
}
