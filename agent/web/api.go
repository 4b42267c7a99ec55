package web

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks"
)

const (
	// apiPatience is how long a request to the API may wait for what it needs.
	apiPatience = 20 * time.Second
	// maxLists bounds the lists that are being sent at once: each holds a
	// connection, and the memory to compress it, for as long as its reader reads.
	maxLists = 16
)

// endpoint is one thing that the API does. What is not a GET changes something.
type endpoint struct {
	method, path string
	serve        http.HandlerFunc
}

// endpoints is all of the API; openapi.yaml describes it.
func (s *Server) endpoints() []endpoint {
	return []endpoint{
		{"GET", "/api/v1/results", s.limited(s.apiResults)},
		{"GET", "/api/v1/incidents", s.limited(s.apiIncidents)},
		{"GET", "/api/v1/agents", s.limited(s.apiAgents)},
		{"GET", "/api/v1/catalog", s.apiCatalog},
		{"GET", "/api/v1/silences", s.limited(s.apiSilences)},
		{"POST", "/api/v1/silences", s.apiSilenceAdd},
		{"DELETE", "/api/v1/silences/{id}", s.apiSilenceExpire},
		{"POST", "/api/v1/checks/{site}/{check}/run", s.apiRun},
		{"GET", "/api/v1/openapi.json", s.apiDescription},
	}
}

// api serves the API. Each path also answers the methods that it does not have,
// so that every error is a problem in JSON.
func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, e := range s.endpoints() {
		var h http.Handler = takesJSON(e.serve)
		if e.method == http.MethodGet {
			allowed[e.path] = append(allowed[e.path], http.MethodHead)
		} else {
			h = s.guard(h)
		}
		allowed[e.path] = append(allowed[e.path], e.method)
		mux.Handle(e.method+" "+e.path, h)
	}
	for path, methods := range allowed {
		slices.Sort(methods)
		allow := strings.Join(methods, ", ")
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			problem(w, r, http.StatusMethodNotAllowed, fmt.Sprintf("%s is for %s", path, allow))
		})
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, r, http.StatusNotFound, "there is no such endpoint; GET /api/v1/openapi.json describes all that there are")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), apiPatience)
		defer cancel()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

// takesJSON refuses who would not read the answer, before anything is done.
func takesJSON(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if accepts(r, "application/json") {
			next(w, r)
			return
		}
		problem(w, r, http.StatusNotAcceptable, "the answer is application/json, which the request's Accept header does not allow")
	}
}

// limited bounds how many lists are sent at once.
func (s *Server) limited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.lists <- struct{}{}:
			defer func() { <-s.lists }()
			next(w, r)
		default:
			later(w, r, fmt.Sprintf("%d lists are being sent already; ask again in a moment", maxLists))
		}
	}
}

// later answers 503 for what may work soon.
func later(w http.ResponseWriter, r *http.Request, detail string) {
	w.Header().Set("Retry-After", "5")
	problem(w, r, http.StatusServiceUnavailable, detail)
}

// unread answers for what the agent remembers and cannot read.
func (s *Server) unread(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(r.Context().Err(), context.DeadlineExceeded):
		later(w, r, fmt.Sprintf("what the agent remembers could not be read within %v", apiPatience))
	case r.Context().Err() != nil: // nobody waits for it any more
	default:
		s.opts.Log.Error("answer cannot be given", "path", r.URL.Path, "err", err)
		problem(w, r, http.StatusInternalServerError, "what the agent remembers could not be read; its log says why")
	}
}

// siteFrom is the site that a request is about, "" for all. It answers itself,
// and returns false, when the configuration has no such site.
func (s *Server) siteFrom(w http.ResponseWriter, r *http.Request, q *query) (string, bool) {
	site := q.text("site")
	if site != "" && s.content.Load().site(site) == nil {
		problem(w, r, http.StatusNotFound, fmt.Sprintf("the configuration has no site %.64q", site))
		return "", false
	}
	return site, true
}

// apiResults gives the newest result of each check that has one, in the order
// of the configuration.
func (s *Server) apiResults(w http.ResponseWriter, r *http.Request) {
	q := queryOf(r, "site", "check", "outcome")
	outcome := q.oneOf("outcome", string(checks.Pass), string(checks.Degraded), string(checks.Fail))
	if !q.ok(w, r) {
		return
	}
	site, ok := s.siteFrom(w, r, q)
	if !ok {
		return
	}
	check := q.text("check")
	if check != "" && !s.content.Load().hasCheck(site, check) {
		problem(w, r, http.StatusNotFound, fmt.Sprintf("the configuration has no check %.64q there", check))
		return
	}
	streamArray(w, r, s.results(site, check, checks.Outcome(outcome)))
}

// results are the newest ones of each check; "" stands for any site, check or
// outcome.
func (s *Server) results(site, check string, outcome checks.Outcome) iter.Seq[*checks.Result] {
	return func(yield func(*checks.Result) bool) {
		c := s.content.Load()
		for i := range c.Sites {
			if site != "" && c.Sites[i].Name != site {
				continue
			}
			for j := range c.Sites[i].Checks {
				name := c.Sites[i].Checks[j].Name
				if check != "" && name != check {
					continue
				}
				r, ok := s.opts.Recent.Newest(c.Sites[i].Name, name)
				if ok && (outcome == "" || r.Outcome == outcome) && !yield(&r) {
					return
				}
			}
		}
	}
}

// hasCheck tells whether the configuration has a check of that name: in a site,
// or in any if site is "".
func (c *Content) hasCheck(site, check string) bool {
	return slices.ContainsFunc(c.Sites, func(one Site) bool {
		return (site == "" || one.Name == site) &&
			slices.ContainsFunc(one.Checks, func(c Check) bool { return c.Name == check })
	})
}

// apiCatalog gives the entries that fit what is searched for, or all.
func (s *Server) apiCatalog(w http.ResponseWriter, r *http.Request) {
	q := queryOf(r, "lang", "q")
	lang := q.oneOf("lang", "en", "zh")
	if !q.ok(w, r) {
		return
	}
	body, err := encode(found(s.content.Load().Catalog, clip(q.text("q"), 100), lang))
	if err != nil {
		s.unread(w, r, err)
		return
	}
	writeStable(w, r, body)
}
