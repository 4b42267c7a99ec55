package web

import (
	"net/http"
	"slices"
	"time"
)

// agentJSON is an agent as the API gives it.
type agentJSON struct {
	ID       string        `json:"id"`
	Location string        `json:"location"`
	Region   string        `json:"region"` // "" = none
	Version  string        `json:"version"`
	URL      string        `json:"url"` // of its page, "" = not known
	Self     bool          `json:"self"`
	Live     bool          `json:"live"`
	Offline  bool          `json:"offline"`
	LastSeen time.Time     `json:"last_seen"`
	Standing *standingJSON `json:"standing,omitempty"` // of this agent, where there are several
}

// standingJSON is how this agent stands to the others.
type standingJSON struct {
	Together bool      `json:"together"`
	Alone    bool      `json:"alone"`
	Since    time.Time `json:"since"`
	Why      string    `json:"why"` // "" while together
}

// apiAgents gives all agents that are known, this one first.
func (s *Server) apiAgents(w http.ResponseWriter, r *http.Request) {
	if q := queryOf(r); !q.ok(w, r) {
		return
	}
	streamArray(w, r, slices.Values(s.agents(time.Now().UTC())))
}

func (s *Server) agents(now time.Time) []agentJSON {
	if s.opts.Cluster == nil {
		return []agentJSON{{
			ID: s.opts.Location, Location: s.opts.Location, Version: s.opts.Version,
			URL: s.content.Load().ExternalURL, Self: true, Live: true, LastSeen: now,
		}}
	}
	var all []agentJSON
	for _, m := range s.opts.Cluster.Members() {
		one := agentJSON{
			ID: m.ID, Location: m.Location, Region: m.Region, Version: m.Version, URL: webLink(m.URL),
			Self: m.Self, Live: m.Live, Offline: m.Offline, LastSeen: m.Seen.UTC(),
		}
		if m.Self {
			st := s.opts.Cluster.Standing()
			one.Standing = &standingJSON{Together: st.Together, Alone: st.Alone, Since: st.Since.UTC(), Why: st.Why}
		}
		all = append(all, one)
	}
	return all
}
