package alertmanager

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// wire is an alert as the API takes it.
type wire struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt,omitzero"`
	EndsAt       time.Time         `json:"endsAt,omitzero"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// encode makes the bodies of the requests that tell alerts. What fires holds
// until the given time.
func encode(alerts []Alert, until time.Time) ([][]byte, error) {
	var bodies [][]byte
	for batch := range slices.Chunk(alerts, maxBatch) {
		var all []wire
		for _, a := range batch {
			w := wire{a.Labels, a.Annotations, a.StartsAt.UTC(), a.EndsAt.UTC(), a.GeneratorURL}
			if a.Firing() {
				// A clock that was set back must not make it end before it starts.
				w.EndsAt = end(a.StartsAt, until).UTC()
			}
			all = append(all, w)
		}
		body, err := json.Marshal(all)
		if err != nil {
			return nil, fmt.Errorf("encode the alerts: %w", err)
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}
