package web

import (
	"context"
	"errors"

	"github.com/esawatch/esawatch/agent/incident"
)

// ErrElsewhere says that a check cannot be run here and now.
var ErrElsewhere = errors.New("another agent of this location runs the check")

// Incidents is where the pages find what is known of sites, and what mutes them.
// *incident.Keeper is one.
type Incidents interface {
	Records() []incident.Record
	Record(site string) (incident.Record, bool)
	History(ctx context.Context, site string) ([]incident.Past, error)
	Recall(ctx context.Context, p incident.Past) (incident.Incident, bool, error)
	Incident(ctx context.Context, id string) (incident.Incident, bool, error)
	Silences() *incident.Silences
	Windows() []incident.Window
}
