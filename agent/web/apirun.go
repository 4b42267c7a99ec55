package web

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/checks"
)

// startedJSON tells which check was started.
type startedJSON struct {
	Site  string `json:"site"`
	Check string `json:"check"`
}

// apiRun has a check run now. Its result will be among the others.
func (s *Server) apiRun(w http.ResponseWriter, r *http.Request) {
	if q := queryOf(r); !q.ok(w, r) {
		return
	}
	site, check := r.PathValue("site"), r.PathValue("check")
	name := checks.FullName(site, check)
	if !s.content.Load().has(site, check) {
		problem(w, r, http.StatusNotFound, fmt.Sprintf("the configuration has no check %.130q", name))
		return
	}
	switch err := s.opts.RunNow(name); {
	case err == nil:
		writeJSON(w, r, http.StatusAccepted, "application/json", startedJSON{site, check})
	case errors.Is(err, schedule.ErrUnknown): // it was there a moment ago
		problem(w, r, http.StatusNotFound, err.Error())
	case errors.Is(err, schedule.ErrBusy), errors.Is(err, ErrElsewhere):
		problem(w, r, http.StatusConflict, err.Error())
	default:
		later(w, r, err.Error())
	}
}
