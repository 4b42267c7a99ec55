package outbox

import (
	"log/slog"
	"slices"

	"github.com/esawatch/esawatch/agent/incident"
)

// unheard says in the log, once an incident, that none of the receivers takes any
// of its alerts. An outage that is told to nobody looks like none. It holds the ID
// of the incident of which that was said last, by site.
type unheard map[string]string

// warn looks at records that have changed. Where there are no receivers at all,
// that was said at the start.
func (u *unheard) warn(log *slog.Logger, s settings, records []*incident.Record) {
	if len(s.receivers) == 0 {
		return
	}
	for _, rec := range records {
		if len(rec.Incidents) == 0 {
			delete(*u, rec.Site)
			continue
		}
		inc := &rec.Incidents[len(rec.Incidents)-1]
		if !inc.Open() || inc.Held() || (*u)[rec.Site] == inc.ID {
			continue
		}
		shown := inc.Told()
		if !shown.Open() || slices.ContainsFunc(s.receivers, func(r Receiver) bool { return r.wants(&shown) }) {
			continue
		}
		if *u == nil {
			*u = unheard{}
		}
		(*u)[rec.Site] = inc.ID
		log.Warn("incident goes to nobody: no receiver's match fits its alerts", "site", rec.Site, "incident", inc.ID, "severity", string(inc.Severity))
	}
}
