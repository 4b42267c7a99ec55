package incident

import (
	"context"
	"log/slog"
)

// logEvents logs what happened in a site's incidents between two records. A
// pruned incident has nothing new: its end was an event.
func (k *Keeper) logEvents(ctx context.Context, old, rec *Record) {
	if !k.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	told := make(map[string]int, len(old.Incidents))
	for i := range old.Incidents {
		told[old.Incidents[i].ID] = old.Incidents[i].Seq
	}
	for i := range rec.Incidents {
		inc := &rec.Incidents[i]
		for _, e := range inc.Events {
			if e.Seq > told[inc.ID] {
				k.log.Info("incident "+string(e.Kind), e.attrs(inc)...)
			}
		}
	}
}

// attrs are what a log line says of an event.
func (e *Event) attrs(inc *Incident) []any {
	attrs := []any{"site", inc.Site, "incident", inc.ID}
	if e.Check != "" {
		attrs = append(attrs, "check", e.Check)
	}
	if e.Condition != "" {
		attrs = append(attrs, "condition", string(e.Condition))
	}
	if e.Was != "" {
		attrs = append(attrs, "was", string(e.Was))
	}
	return append(attrs, "severity", string(e.Severity))
}
