package incident

import "slices"

// Pattern is what the locations that see a check fail have in common.
type Pattern string

// The patterns.
const (
	PatternNone       Pattern = ""           // nobody sees it fail, or but one location watches
	PatternEverywhere Pattern = "everywhere" // all see it
	PatternOnePlace   Pattern = "one_place"  // one location of several does
	PatternOnePOP     Pattern = "one_pop"    // ESA answers all that do at one POP
	PatternOneRegion  Pattern = "one_region" // all of a region do, and nobody else
	PatternSomePlaces Pattern = "some_places"
)

// PatternOf finds what those that see a failure have in common, and the name of
// the POP or the region that it is about.
func PatternOf(views []View) (p Pattern, name string) {
	failing, region, pop := 0, "", ""
	oneRegion, onePOP := true, true
	for _, v := range views {
		if !v.Failing {
			continue
		}
		if failing++; failing == 1 {
			region, pop = v.Region, v.POP
		}
		oneRegion = oneRegion && v.Region == region
		onePOP = onePOP && v.POP == pop
	}
	wholly := !slices.ContainsFunc(views, func(v View) bool { return v.Region == region && !v.Failing })
	switch {
	case failing == 0 || len(views) < 2:
		return PatternNone, ""
	case failing == len(views):
		return PatternEverywhere, ""
	case failing == 1:
		return PatternOnePlace, ""
	case onePOP && pop != "":
		return PatternOnePOP, pop
	case oneRegion && region != "" && wholly:
		return PatternOneRegion, region
	}
	return PatternSomePlaces, ""
}
