package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Override changes or adds to what the catalog says of one condition, in the
// user's own words, which count for every language. Empty fields change
// nothing. Steps and Summary may name facts, such as {host}; other braces stay.
type Override struct {
	Condition   Condition // one with an entry, or any status code from 400 to 599
	Severity    Severity
	Owner       string
	Title       string
	Summary     string
	RunbookURL  string
	StepsBefore []string // in front of all others
	// Steps replace the catalog's, and those that a verdict or the evidence
	// would put in front of them.
	Steps      []string
	StepsAfter []string // behind all others
}

// With returns a catalog with the overrides applied in their order. Several may
// name the same condition: the last word counts, and StepsBefore and StepsAfter
// add up. It copies only what changes, so that thousands of checks may each
// have one; callers with the same overrides do well to share the result.
//
// The error holds every override that is wrong.
func (c *Catalog) With(overrides []Override) (*Catalog, error) {
	if len(overrides) == 0 {
		return c, nil
	}
	next := &Catalog{built: c.built, own: maps.Clone(c.own)}
	if next.own == nil {
		next.own = make(map[Condition]*entry, len(overrides))
	}
	var errs []error
	for i, o := range overrides {
		if err := c.checkOverride(o); err != nil {
			errs = append(errs, fmt.Errorf("catalog override %d: %w", i+1, err))
			continue
		}
		e := *next.find(o.Condition)
		e.Condition = o.Condition
		e.apply(o)
		next.own[o.Condition] = &e
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return next, nil
}

func (c *Catalog) checkOverride(o Override) error {
	if o.Severity != "" && o.Severity.Rank() == 0 {
		return fmt.Errorf("severity %.64q: want %s, %s or %s", o.Severity, Info, Warning, Critical)
	}
	if _, ok := c.exact(o.Condition); ok {
		return nil
	}
	// Only the code as it is normally written, so that a condition is one key.
	if code := o.Condition.StatusCode(); 400 <= code && code <= 599 && FromStatus(code) == o.Condition {
		return nil
	}
	if s := c.suggest(o.Condition); s != "" {
		return fmt.Errorf("unknown condition %.64q, did you mean %q?", o.Condition, s)
	}
	return fmt.Errorf("unknown condition %.64q: want a status code from 400 to 599 or a named condition such as %q", o.Condition, TLSExpired)
}

// apply changes e, whose slices and templates are shared and therefore replaced.
func (e *entry) apply(o Override) {
	if o.Severity != "" {
		e.Severity, e.userSeverity = o.Severity, true
	}
	if o.Owner != "" {
		e.Owner, e.userOwner = both(o.Owner), true
	}
	if o.Title != "" {
		e.Title = both(o.Title)
	}
	if o.Summary != "" {
		e.Summary, e.userSummary = both(o.Summary), true
		t, _ := compile(o.Summary)
		e.summary = [numLangs]template{t, t}
	}
	if o.RunbookURL != "" {
		e.RunbookURL = o.RunbookURL
	}
	if len(o.Steps) > 0 {
		e.userSteps = true
		steps := compileAll(o.Steps)
		e.steps = [numLangs][]template{steps, steps}
	}
	e.before = slices.Concat(e.before, compileAll(o.StepsBefore))
	e.after = slices.Concat(e.after, compileAll(o.StepsAfter))
	e.Steps = e.allSteps()
}

// allSteps is the list of steps that Entry shows.
func (e *entry) allSteps() []Text {
	var steps []Text
	for _, t := range e.before {
		steps = append(steps, both(t.source))
	}
	for i := range e.steps[english] {
		steps = append(steps, Text{En: e.steps[english][i].source, Zh: e.steps[chinese][i].source})
	}
	for _, t := range e.after {
		steps = append(steps, both(t.source))
	}
	return steps
}

func compileAll(texts []string) []template {
	compiled := make([]template, 0, len(texts))
	for _, s := range texts {
		t, _ := compile(s)
		compiled = append(compiled, t)
	}
	return compiled
}

// suggest is the condition that is written most like the one given, "" when
// none is near. For a number it is not: which code was meant, nobody can tell.
func (c *Catalog) suggest(condition Condition) Condition {
	if len(condition) > 32 || strings.Trim(string(condition), "0123456789") == "" {
		return ""
	}
	given := strings.ToLower(strings.NewReplacer("-", "_", " ", "_").Replace(strings.TrimSpace(string(condition))))
	best, nearest := 3, Condition("")
	for _, known := range c.built.order {
		if d := editDistance(given, string(known)); d < best {
			best, nearest = d, known
		}
	}
	return nearest
}

// editDistance is the number of bytes to insert, delete or replace to make a
// of b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
