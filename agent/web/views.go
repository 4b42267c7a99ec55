package web

import (
	"fmt"

	"github.com/esawatch/esawatch/agent/incident"
)

// viewRow is what one location sees of a check.
type viewRow struct {
	Location, Region, POP string
	Look                  look
}

// viewsOf are what the locations see that vote on an alert, none where there is one.
func viewsOf(a *incident.Alert) []viewRow {
	if len(a.Views) < 2 {
		return nil
	}
	rows := make([]viewRow, 0, len(a.Views))
	for _, v := range a.Views {
		row := viewRow{Location: clean(v.Location), Region: clean(v.Region), POP: clean(v.POP), Look: look{"ok", "no", 1}}
		if v.Failing {
			row.Look = look{"bad", "yes", 3}
		}
		rows = append(rows, row)
	}
	return rows
}

// seenBy says in a sentence from where an alert is seen, or was while it fired.
func seenBy(a *incident.Alert) string {
	if !a.Firing {
		if len(a.Spread) < 1 {
			return ""
		}
		var views []incident.View
		for _, location := range a.Spread {
			views = append(views, incident.View{Location: location})
		}
		return "It was seen from " + places(views, 0) + "."
	}
	var failing []incident.View
	for _, v := range a.Views {
		if v.Failing {
			failing = append(failing, v)
		}
	}
	if len(failing) == 0 {
		return ""
	}
	return fmt.Sprintf("Seen from %d of %d: %s.", len(failing), len(a.Views), places(failing, len(a.Views)))
}

// patternText says what it means that just these locations see an alert.
func patternText(a *incident.Alert) string {
	if !a.Firing {
		return ""
	}
	switch pattern, name := incident.PatternOf(a.Views); pattern {
	case incident.PatternEverywhere:
		return "Everywhere: look at the origin, or at ESA as a whole."
	case incident.PatternOnePlace:
		return "One place: look at its route to ESA and at the POP that answers it."
	case incident.PatternOnePOP:
		return fmt.Sprintf("One POP, %s, and no other.", clean(name))
	case incident.PatternOneRegion:
		return fmt.Sprintf("All of region %s and nowhere else: look at the routes and POPs there, and at the region that the site is served in.", clean(name))
	case incident.PatternSomePlaces:
		return "Some places and not others: compare their POPs."
	}
	return ""
}

// singleView says of an incident that one agent judged it alone, "" when all did,
// or when they have taken it over since.
func singleView(inc *incident.Incident) string {
	if !inc.Single {
		return ""
	}
	location := ""
	for _, a := range alerts(inc) {
		if len(a.Views) > 0 {
			return ""
		}
		if location == "" {
			location = clean(a.Result.Location)
		}
	}
	if location == "" {
		location = "One agent"
	}
	if inc.Open() {
		return location + " is cut off from the other agents, so nobody else was asked."
	}
	return location + " was cut off from the other agents when it told this, so nobody else was asked."
}
