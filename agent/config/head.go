package config

import (
	"slices"

	"github.com/esawatch/esawatch/checks/assert"
)

// checkHead wants nothing of a body that is never sent: an answer to HEAD has no
// content (RFC 9110, section 9.3.2), so that what looks at it fails or passes
// whatever the page is.
func (l *loader) checkHead(c *Check, layers []element) {
	if c.Method != "HEAD" {
		return
	}
	e := &c.Expect
	for _, about := range []struct {
		key   string
		given bool
	}{
		{"body_contains", len(e.BodyContains) > 0},
		{"body_not_contains", len(e.BodyNotContains) > 0},
		{"body_matches", len(e.BodyMatches) > 0},
		{"body_not_matches", len(e.BodyNotMatches) > 0},
		{"json", len(e.JSON) > 0},
		{"expr", slices.ContainsFunc(e.Expr, assert.ReadsBody)},
	} {
		if about.given {
			l.blame(layers, newProblem("use GET", "the answer to HEAD has no body, and expect.%s is about one", about.key), "expect."+about.key, "method")
		}
	}
}
