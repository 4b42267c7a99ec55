package outbox

import (
	"fmt"
	"strings"

	"github.com/esawatch/esawatch/agent/incident"
)

// maxViews is how many locations are named in a message.
const maxViews = 12

// views says which locations see an alert's check fail and what that pattern
// means, as lines of evidence: what is to be known before all else. There are
// none where one location watches.
func (w writer) views(a *incident.Alert) []string {
	var failing, named []string
	for _, v := range a.Views {
		if !v.Failing {
			continue
		}
		failing = append(failing, v.Location)
		name := v.Location
		if v.POP != "" {
			name = fmt.Sprintf(w.phrases.placePOP, v.Location, v.POP)
		}
		named = append(named, name)
	}
	if len(failing) == 0 {
		return nil
	}
	if more := len(named) - maxViews; more > 0 {
		named = append(named[:maxViews], w.words.More(more))
	}
	lines := []string{fmt.Sprintf(w.phrases.seenBy, strings.Join(named, w.phrases.comma), len(failing), len(a.Views))}
	if len(a.Views) > 1 {
		lines = append(lines, w.pattern(a.Views))
	}
	return lines
}

// pattern is what it means that some of the locations see a failure.
func (w writer) pattern(views []incident.View) string {
	p := &w.phrases
	switch pattern, name := incident.PatternOf(views); pattern {
	case incident.PatternEverywhere:
		return p.everywhere
	case incident.PatternOnePlace:
		return p.onePlace
	case incident.PatternOnePOP:
		return fmt.Sprintf(p.onePOP, name)
	case incident.PatternOneRegion:
		return fmt.Sprintf(p.oneRegion, name)
	}
	return p.somePlaces
}

// spread says that one more location sees a check fail, and how many do by now.
func (w writer) spread(inc *incident.Incident, e *incident.Event) string {
	a := inc.Alerts[e.Check]
	failing, voters := a.Failing()
	return fmt.Sprintf(w.phrases.spread, e.Check, e.Location, len(failing), voters)
}

// single is the line that comes first while an agent tells what it alone sees.
func (w writer) single(inc *incident.Incident, a *incident.Alert) []string {
	if !inc.Single || len(a.Views) > 0 {
		return nil
	}
	return []string{fmt.Sprintf(w.phrases.single, a.Result.Location)}
}

// mergedInto says what becomes of an incident that an agent told alone, once it
// can ask the others again.
func (w writer) mergedInto(inc *incident.Incident) string {
	if inc.Into == "" {
		return w.phrases.unseen
	}
	return fmt.Sprintf(w.phrases.into, inc.Into)
}
