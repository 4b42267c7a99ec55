package web

import (
	"net/http"
	"strings"
)

// lost is a page that could not be shown, with the ways on.
type lost struct {
	Title, Text string
	Link, Name  string // one way on, "" when there is none
}

// notFound answers a path that leads nowhere.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	p := s.begin(r, "", "")
	s.missing(w, r, "There is no such page.", p.Home(), "The status page")
}

// missing answers 404 and says what is not there.
func (s *Server) missing(w http.ResponseWriter, r *http.Request, text, link, name string) {
	s.sorry(w, r, http.StatusNotFound, lost{Title: "Not found", Text: text, Link: link, Name: name})
}

// broken answers 500 for something that should have worked.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody waits for it any more
	}
	s.opts.Log.Error("page cannot be shown", "path", r.URL.Path, "err", err)
	s.sorry(w, r, http.StatusInternalServerError, lost{Title: "This cannot be shown",
		Text: "What the agent remembers could not be read; its log says why."})
}

// sorry answers with a page that says what is wrong, or in JSON where a program asks.
func (s *Server) sorry(w http.ResponseWriter, r *http.Request, status int, v lost) {
	if strings.HasPrefix(r.URL.Path, "/api/") && !wantsPage(r) {
		problem(w, r, status, v.Text)
		return
	}
	p := s.begin(r, "", v.Title)
	p.Icon = "idle"
	p.Body = &v
	s.write(w, r, status, "lost", p)
}
