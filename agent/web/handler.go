package web

import (
	"errors"
	"net/http"

	"github.com/esawatch/esawatch/agent/config"
)

// handler is everything that is served on web.listen.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.private(s.metrics(scrapeTimeout)))
	s.addHealth(mux)
	mux.Handle("POST /-/reload", s.guard(http.HandlerFunc(s.reload)))
	mux.Handle("/-/reload", only("POST"))
	mux.Handle("/api/", s.private(s.api()))
	mux.Handle("/", s.private(s.people()))
	return secureHeaders(explained(mux))
}

// people serves the pages for people.
func (s *Server) people() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.overview)
	mux.HandleFunc("GET /sites/{site}", s.sitePage)
	mux.HandleFunc("GET /incidents", s.incidents)
	mux.HandleFunc("GET /incidents/{id}", s.incidentPage)
	mux.HandleFunc("GET /silences", s.silences)
	s.addForms(mux)
	mux.HandleFunc("GET /catalog", s.catalogList)
	mux.HandleFunc("GET /catalog/{code}", s.catalogEntry)
	mux.HandleFunc("GET /events", s.events)
	mux.Handle("GET /static/", s.static())
	mux.HandleFunc("GET /", s.notFound)
	return mux
}

// only answers the methods that a path does not have.
func only(method string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", method)
		http.Error(w, r.URL.Path+" is for "+method, http.StatusMethodNotAllowed)
	})
}

// healthHandler is what is served on web.health_listen.
func (s *Server) healthHandler() http.Handler {
	mux := http.NewServeMux()
	s.addHealth(mux)
	return secureHeaders(explained(mux))
}

func (s *Server) addHealth(mux *http.ServeMux) {
	mux.Handle("GET /-/healthy", state("healthy", s.opts.Healthy))
	mux.Handle("GET /-/ready", state("ready", s.opts.Ready))
}

// state answers 200 with the word, or 503 with what is wrong.
func state(word string, ask func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := ask(); err != nil {
			http.Error(w, "not "+word+": "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		say(w, word)
	})
}

// reload loads the configuration anew, and says what is wrong with it.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	err := s.opts.Reload()
	if err == nil {
		say(w, "reloaded")
		return
	}
	const kept = "the configuration was not loaded, the old one stays in force"
	if !asksFor(r, "application/json") && !asksFor(r, problemType) {
		http.Error(w, kept+":\n"+err.Error(), http.StatusInternalServerError)
		return
	}
	faults := []fault{{Detail: err.Error()}}
	if list, ok := errors.AsType[config.Errors](err); ok {
		faults = faults[:0]
		for _, e := range list {
			faults = append(faults, fault{Detail: e.Error()})
		}
	}
	problem(w, r, http.StatusInternalServerError, kept+": "+inOneLine(faults), faults...)
}

// say answers 200 with a word.
func say(w http.ResponseWriter, word string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(word + "\n")) // the client has gone if it fails
}

// contentPolicy lets pages load nothing but what is embedded here, and nobody
// frame them.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secureHeaders sets what keeps other sites' pages away from ours. What the
// operator has set in web.config_file stays.
func secureHeaders(next http.Handler) http.Handler {
	headers := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Content-Security-Policy":      contentPolicy,
		"Cross-Origin-Resource-Policy": "same-origin",
		// Not no-referrer: under that, browsers keep quiet about where our own
		// forms come from, and the guard would refuse them.
		"Referrer-Policy": "same-origin",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, value := range headers {
			if h.Get(name) == "" {
				h.Set(name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}
