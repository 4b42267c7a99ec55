package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/checks"
)

const (
	// maxForm bounds what is read of a form, in bytes.
	maxForm = 64 << 10
	// ranFor is for how long a page says that a run was asked for.
	ranFor = time.Minute
	// sentTwiceIn is within what time the same form is the same silence.
	sentTwiceIn = 10 * time.Second
)

// addForms serves what the buttons of the pages do.
func (s *Server) addForms(mux *http.ServeMux) {
	for path, h := range map[string]http.HandlerFunc{
		"/silences":                        s.formSilence,
		"/silences/{id}/expire":            s.formExpire,
		"/sites/{site}/checks/{check}/run": s.formRun,
	} {
		mux.Handle("POST "+path, s.form(h))
		if path != "/silences" {
			mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
				// Who comes here by the address bar is led on.
				seeOther(w, string(rootOf(r)))
			})
		}
	}
}

// form lets the form of a page of our own through, as guard does, and says on a
// page why not.
func (s *Server) form(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reason := s.refusal(r); reason != "" {
			s.sorry(w, r, http.StatusForbidden, lost{Title: "Not allowed", Text: reason + "."})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			status := http.StatusBadRequest
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				status = http.StatusRequestEntityTooLarge
			}
			s.sorry(w, r, status, lost{Title: "This form cannot be read", Text: clip(err.Error(), 200) + "."})
			return
		}
		next(w, r)
	})
}

// seeOther leads a browser on after it has sent a form. The link stays relative,
// which http.Redirect would not let it: a proxy may serve us in a folder.
func seeOther(w http.ResponseWriter, link string) {
	w.Header().Set("Location", link)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// formRun has a check run now, and leads back to the site's page, where the
// result will be.
func (s *Server) formRun(w http.ResponseWriter, r *http.Request) {
	site, check := r.PathValue("site"), r.PathValue("check")
	back := rootOf(r).to("sites", site)
	fail := func(status int, text string) {
		s.sorry(w, r, status, lost{Title: "The check was not run", Text: text, Link: back, Name: "Back to the site"})
	}
	if !s.content.Load().has(site, check) {
		back = string(rootOf(r))
		fail(http.StatusNotFound, fmt.Sprintf("The configuration has no check %.130q.", checks.FullName(site, check)))
		return
	}
	now := time.Now()
	err := s.opts.RunNow(checks.FullName(site, check))
	switch {
	case err == nil, errors.Is(err, schedule.ErrBusy): // who wants it run sees it run
	case errors.Is(err, ErrElsewhere):
		fail(http.StatusConflict, "Another agent of this location runs the check. Run it from the page of that one.")
		return
	default:
		fail(http.StatusServiceUnavailable, err.Error()+".")
		return
	}
	q := url.Values{"ran": {check}, "at": {strconv.FormatInt(now.UnixMilli(), 10)}}
	seeOther(w, back+"?"+q.Encode()+"#check-"+url.PathEscape(check))
}

// ran is when a run of a check was asked for by the button, the zero time when
// that is long ago or never was.
func ran(r *http.Request, check string, now time.Time) time.Time {
	q := r.URL.Query()
	ms, err := strconv.ParseInt(q.Get("at"), 10, 64)
	at := time.UnixMilli(ms)
	if err != nil || q.Get("ran") != check || at.After(now) || now.Sub(at) > ranFor {
		return time.Time{}
	}
	return at
}

// formSilence puts a silence in force and shows it among the others. What is
// wrong with it is said beside the form, which keeps what was filled in.
func (s *Server) formSilence(w http.ResponseWriter, r *http.Request) {
	f := formFrom(r)
	now := time.Now()
	one, err := f.silence(now)
	if err == nil {
		if id := s.sentTwice(&one, now); id != "" {
			one.ID = id
		} else {
			one, err = s.opts.Incidents.Silences().Add(r.Context(), one)
		}
	}
	switch {
	case errors.Is(err, incident.ErrNotSaved):
		s.silencePage(w, r, http.StatusServiceUnavailable, f, err)
	case err != nil:
		s.silencePage(w, r, http.StatusBadRequest, f, err)
	default:
		seeOther(w, rootOf(r).to("silences")+"?"+url.Values{"added": {one.ID}}.Encode())
	}
}

// sentTwice is the ID of a silence that says the same and was made a moment ago,
// by the first of two clicks; "" when there is none.
func (s *Server) sentTwice(one *incident.Silence, now time.Time) string {
	for _, was := range s.opts.Incidents.Silences().List() {
		if was.Author == one.Author && was.Comment == one.Comment && was.Until.After(now) &&
			now.Sub(was.CreatedAt) < sentTwiceIn && one.Until.Sub(was.Until).Abs() < sentTwiceIn &&
			slices.EqualFunc(was.Matchers, one.Matchers, func(a, b incident.Matcher) bool { return a.String() == b.String() }) {
			return was.ID
		}
	}
	return ""
}

// formExpire ends a silence.
func (s *Server) formExpire(w http.ResponseWriter, r *http.Request) {
	back := rootOf(r).to("silences")
	one, err := s.opts.Incidents.Silences().Expire(r.Context(), r.PathValue("id"))
	if err != nil {
		status := http.StatusServiceUnavailable
		if errors.Is(err, incident.ErrNoSilence) {
			status = http.StatusNotFound
		}
		s.sorry(w, r, status, lost{Title: "The silence was not ended", Text: err.Error() + ".", Link: back, Name: "All silences"})
		return
	}
	seeOther(w, back+"?"+url.Values{"ended": {one.ID}}.Encode())
}

// silenceForm is what the form for a silence holds.
type silenceForm struct {
	Site, Check, Condition string
	More                   string // further matchers, one a line
	Duration               string
	Author, Comment        string
	Known                  bool // the author is who is logged in
}

func formFrom(r *http.Request) silenceForm {
	field := func(name string) string { return clip(r.FormValue(name), 1000) }
	f := silenceForm{
		Site: field("site"), Check: field("check"), Condition: field("condition"), More: clip(r.FormValue("more"), 8000),
		Duration: field("duration"), Author: field("author"), Comment: field("comment"),
	}
	if user, _, ok := r.BasicAuth(); ok && user != "" {
		f.Author, f.Known = user, true
	}
	return f
}

// silence is what the form asks for, its time counted from now.
func (f *silenceForm) silence(now time.Time) (incident.Silence, error) {
	one := incident.Silence{Author: f.Author, Comment: f.Comment}
	for _, field := range []struct{ name, value string }{{"site", f.Site}, {"check", f.Check}, {"condition", f.Condition}} {
		if field.value == "" {
			continue
		}
		m, err := incident.NewMatcher(field.name, "=", field.value)
		if err != nil {
			return one, err
		}
		one.Matchers = append(one.Matchers, m)
	}
	for _, line := range lines(f.More) {
		m, err := incident.ParseMatcher(line)
		if err != nil {
			return one, err
		}
		one.Matchers = append(one.Matchers, m)
	}
	if len(one.Matchers) == 0 {
		return one, errors.New("say what to silence: a site, a check, a condition or a label")
	}
	d, err := config.ParseDuration(f.Duration)
	if err != nil {
		return one, fmt.Errorf("duration: %w", err)
	}
	one.Until = now.Add(d)
	if f.Comment == "" {
		return one, errors.New("want a reason: who is woken up next asks for it")
	}
	return one, nil
}
