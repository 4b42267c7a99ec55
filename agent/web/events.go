package web

import (
	"net/http"
	"strconv"
	"time"
)

const (
	maxListeners = 64               // pages that refresh themselves, at once
	lookEvery    = 2 * time.Second  // for something new
	heartbeat    = 15 * time.Second // so that a proxy does not think us dead
	streamFor    = 30 * time.Minute // then the browser connects anew
)

// version is a number that is another when there is something new to see: a
// result, a silence that began or ended, another configuration, or what other
// agents did.
func (s *Server) version() uint64 {
	n := s.opts.Recent.observed.Load()*31 + s.shown.Load()
	for _, one := range s.opts.Incidents.Silences().List() {
		n = n*31 + uint64(one.Until.UnixMilli())
	}
	if s.opts.Cluster != nil {
		n = n*31 + s.opts.Cluster.Version()
	}
	return max(n, 1) // 0 is no version
}

// events tells open pages when something is new, as server-sent events. What is
// new they ask for themselves.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if n := s.listeners.Add(1); n > maxListeners {
		s.listeners.Add(-1)
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many pages refresh themselves already", http.StatusServiceUnavailable)
		return
	}
	defer s.listeners.Add(-1)
	c := http.NewResponseController(w)
	if c.SetWriteDeadline(time.Time{}) != nil || c.SetReadDeadline(time.Time{}) != nil {
		http.Error(w, "this connection cannot stream", http.StatusNotImplemented)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would collect them
	say := func(text string) bool {
		// A reader that takes nothing is given up, or it would be kept for ever.
		_ = c.SetWriteDeadline(time.Now().Add(lookEvery)) // it worked above
		_, err := w.Write([]byte(text))
		return err == nil && c.Flush() == nil
	}
	// Who says what version they have is told at once of a newer one.
	seen, quiet := s.version(), time.Now()
	if since := r.URL.Query().Get("since"); since != "" && since != strconv.FormatUint(seen, 10) {
		seen = 0
	}
	if !say("retry: 5000\n\n") {
		return
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	over := time.NewTimer(streamFor)
	defer over.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		case <-over.C:
			return
		case now := <-ticker.C:
			text := ""
			if n := s.version(); n != seen {
				seen, text = n, "data: new\n\n"
			} else if now.Sub(quiet) >= heartbeat {
				text = ": still here\n\n"
			}
			if text == "" {
				continue
			}
			if quiet = now; !say(text) {
				return
			}
		}
	}
}
