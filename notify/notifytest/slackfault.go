package notifytest

import (
	"cmp"
	"io"
	"net/http"
	"strings"
)

// SlackFault is a way to fail, for a number of calls.
type SlackFault struct {
	Method string // the method it is for, "webhook" for the webhook, "" for all
	Times  int    // how many calls; negative: until ClearFaults

	// One of:
	Error  string // ok:false with this error; the webhook answers it as text
	Status int    // an HTTP status with an HTML body
	Hang   bool   // no answer until the client goes away
	Reset  bool   // the connection breaks

	RetryAfter string // the header beside Status or Error, seconds or a date
	Needed     string // the scope named beside Error "missing_scope"
	After      bool   // do the work first: only the answer is lost
}

// Fail makes calls fail from now on. Several faults are used up one after
// another; those for other methods wait.
func (s *Slack) Fail(faults ...SlackFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Times = cmp.Or(f.Times, 1)
		s.faults = append(s.faults, f)
	}
}

// ClearFaults ends all faults.
func (s *Slack) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault uses up one fault for a call of method, nil when there is none.
func (s *Slack) takeFault(method string) *SlackFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := s.faults[i]
		if f.Times == 0 || f.Method != "" && f.Method != method {
			continue
		}
		if f.Times > 0 {
			s.faults[i].Times--
		}
		return &f
	}
	return nil
}

// play answers as the fault says.
func (f *SlackFault) play(w http.ResponseWriter, r *http.Request) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch {
	case f.Hang:
		// The server notices that the client went away once the body is read.
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Reset:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte("<html><body>" + http.StatusText(f.Status) + "</body></html>"))
	case strings.HasPrefix(r.URL.Path, "/api/"):
		if f.Error == "ratelimited" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		writeJSON(w, map[string]any{"ok": false, "error": f.Error, "needed": f.Needed})
	default:
		writeWebhookError(w, f.Error)
	}
}
