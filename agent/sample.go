package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/agent/outbox"
)

// Samples is how telling one receiver of a sample incident went.
type Samples struct {
	Receiver string
	Resolved bool  // it was told of the end as well: it has send_resolved
	Err      error // nil when it was told
}

// SendSamples tells receivers of a sample incident, opened and then resolved:
// those named, or all. The error is about the names.
func (p *Plan) SendSamples(ctx context.Context, names []string) ([]Samples, error) {
	known := make([]string, len(p.Receivers))
	for i, r := range p.Receivers {
		known[i] = r.Name
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("the configuration has no receivers")
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no receiver %q; the configuration has: %s", name, strings.Join(known, ", "))
		}
	}
	var told []Samples
	for _, r := range p.Receivers {
		if len(names) == 0 || slices.Contains(names, r.Name) {
			told = append(told, Samples{r.Name, r.SendResolved, outbox.SendSample(ctx, r, p.Config.Web.ExternalURL)})
		}
	}
	return told, nil
}
