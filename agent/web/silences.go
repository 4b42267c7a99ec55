package web

import (
	"errors"
	"fmt"
	"net/http"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks/catalog"
)

// maxSilenceBody bounds what is read of a request for a silence, in bytes. As
// many matchers as a silence may have, of the longest kind, fit.
const maxSilenceBody = 64 << 10

// silenceJSON is a silence as the API gives it.
type silenceJSON struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`    // active, expired
	Matchers  []string  `json:"matchers"` // as Alertmanager writes them: site="shop"
	CreatedAt time.Time `json:"created_at"`
	Until     time.Time `json:"until"`
	Author    string    `json:"author"`
	Comment   string    `json:"comment"`
	Checks    *int      `json:"checks,omitempty"` // that it may cover, when it is added
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
	q := queryOf(r, "state")
	state := q.oneOf("state", "active", "expired")
	if !q.ok(w, r) {
		return
	}
	list, now := s.opts.Incidents.Silences().List(), time.Now()
	streamArray(w, r, func(yield func(silenceJSON) bool) {
		for i := range list {
			if j := silenceOf(&list[i], now); (state == "" || state == j.State) && !yield(j) {
				return
			}
		}
	})
}

// parseSilence reads what asks for a silence, its time counted from now, or
// tells all that is wrong with it. The keeper checks the rest.
func parseSilence(body []byte, now time.Time) (incident.Silence, []fault) {
	o := parseObject(body, "matchers", "duration", "until", "author", "comment")
	one := incident.Silence{Until: o.moment("until"), Author: o.text("author", "ana"), Comment: o.text("comment", "new origin")}
	duration := o.text("duration", "2h")
	faults := len(o.faults)
	matchers := o.texts("matchers", "site=shop")
	if len(o.faults) == faults { // else what is no text is told already
		for i, text := range matchers {
			m, err := incident.ParseMatcher(text)
			if err != nil {
				o.fail(pointer("matchers", strconv.Itoa(i)), "%s", matcherFault(err, i))
			}
			one.Matchers = append(one.Matchers, m)
		}
	}
	if len(o.faults) > 0 {
		return one, o.faults
	}
	switch {
	case o.has("duration") == o.has("until"):
		o.fail("", "want either a duration or until")
	case o.has("duration"):
		d, err := config.ParseDuration(duration)
		if err != nil {
			o.fail(pointer("duration"), "duration: %v", err)
		}
		one.Until = now.Add(d)
	}
	return one, o.faults
}

// matcherFault says what is wrong with a matcher; of a regular expression
// without what we have put around it.
func matcherFault(err error, i int) string {
	if bad, ok := errors.AsType[*syntax.Error](err); ok {
		return fmt.Sprintf("matchers[%d]: not a regular expression of RE2: %s", i, bad.Code)
	}
	return fmt.Sprintf("matchers[%d]: %s", i, strings.TrimPrefix(err.Error(), "matcher: "))
}

// apiSilenceAdd puts a silence in force. It is kept when 201 is answered.
func (s *Server) apiSilenceAdd(w http.ResponseWriter, r *http.Request) {
	if q := queryOf(r); !q.ok(w, r) {
		return
	}
	body, ok := readBody(w, r, maxSilenceBody)
	if !ok {
		return
	}
	now := time.Now()
	one, faults := parseSilence(body, now)
	if len(faults) > 0 {
		invalid(w, r, faults)
		return
	}
	if one.Author == "" {
		one.Author, _, _ = r.BasicAuth()
	}
	one, err := s.opts.Incidents.Silences().Add(r.Context(), one)
	switch {
	case errors.Is(err, incident.ErrNotSaved):
		later(w, r, err.Error())
	case errors.Is(err, incident.ErrTooMany):
		problem(w, r, http.StatusConflict, err.Error())
	case err != nil:
		problem(w, r, http.StatusBadRequest, err.Error())
	default:
		added := silenceOf(&one, now)
		added.Checks = s.mayCover(one.Matchers)
		writeJSON(w, r, http.StatusCreated, "application/json", added)
	}
}

// mayCover counts the checks whose alerts matchers may fit: none, and whoever
// wrote them most likely mistyped.
func (s *Server) mayCover(matchers []incident.Matcher) *int {
	n, m, c := 0, mute{matchers: matchers}, s.content.Load()
	if slices.ContainsFunc(matchers, func(one incident.Matcher) bool { return !possible(one, c.Catalog) }) {
		return &n
	}
	for _, site := range c.Sites {
		for i := range site.Checks {
			if may, _ := m.covers(site.Name, s.toldFrom(), &site.Checks[i]); may {
				n++
			}
		}
	}
	return &n
}

// possible tells whether the label of a matcher, if it depends on what a check
// will alert of, can come to fit.
func possible(m incident.Matcher, cat *catalog.Catalog) bool {
	switch m.Name {
	case "severity":
		return anyFits(m, catalog.Severities())
	case "fault":
		return anyFits(m, catalog.Faults())
	case "condition":
		for code := 400; code < 1000; code++ {
			if m.Fits(strconv.Itoa(code)) {
				return true
			}
		}
		return anyFits(m, cat.Conditions())
	}
	return true
}

func anyFits[T ~string](m incident.Matcher, values []T) bool {
	return slices.ContainsFunc(values, func(v T) bool { return m.Fits(string(v)) })
}

// apiSilenceExpire ends a silence and answers with what it has become. One that
// is over already stays as it is.
func (s *Server) apiSilenceExpire(w http.ResponseWriter, r *http.Request) {
	if q := queryOf(r); !q.ok(w, r) {
		return
	}
	one, err := s.opts.Incidents.Silences().Expire(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, incident.ErrNoSilence):
		problem(w, r, http.StatusNotFound, err.Error())
	case err != nil:
		later(w, r, err.Error())
	default:
		writeJSON(w, r, http.StatusOK, "application/json", silenceOf(&one, time.Now()))
	}
}
