package incident

import (
	"fmt"
	"strings"
	"testing"
)

func TestPatternOf(t *testing.T) {
	// Each view is location/region/POP, with a ! where it fails.
	for views, want := range map[string]string{
		"":                              "",
		"!fra-1/eu/de7":                 "",
		"fra-1/eu/ sgp-1/asia/":         "",
		"!fra-1/eu/de7 !sgp-1/asia/sg2": "everywhere",
		"!fra-1/eu/de7 !ams-1/eu/de7":   "everywhere",
		"!fra-1/eu/de7 sgp-1/asia/":     "one_place",
		"!fra-1/eu/de7 !ams-1/eu/de7 sgp-1/asia/":  "one_pop de7",
		"!fra-1/eu/de7 !ams-1/eu/nl1 sgp-1/asia/":  "one_region eu",
		"!fra-1//de7 !ams-1//nl1 sgp-1//":          "some_places",
		"!a/eu/de7 !b/eu/nl1 c/eu/ d/asia/":        "some_places",
		"!a/eu/de7 !b/asia/sg2 c/eu/":              "some_places",
		"!fra-1/eu/ !ams-1/eu/ sgp-1/asia/":        "one_region eu",
		"!fra-1/eu/de7 !ams-1/eu/ sgp-1/asia/":     "one_region eu",
		"!fra-1/eu/de7 !ams-1/us/de7 sgp-1/asia/x": "one_pop de7",
	} {
		var all []View
		for _, text := range strings.Fields(views) {
			parts := strings.Split(text, "/")
			location, failing := strings.CutPrefix(parts[0], "!")
			all = append(all, View{Location: location, Region: parts[1], POP: parts[2], Failing: failing})
		}
		p, name := PatternOf(all)
		if got := strings.TrimSpace(fmt.Sprint(p, " ", name)); got != want {
			t.Errorf("%q: got %q, want %q", views, got, want)
		}
	}
}
