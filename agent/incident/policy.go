package incident

import "time"

// Policy is what the configuration says about one check's alerts, and the
// moment. Its slices and maps are shared with records and must not be changed.
type Policy struct {
	Failures     int // in a row, whatever their conditions, that fire; below 1 means 1
	ResolveAfter int // passes in a row that resolve; below 1 means 1

	// Quorum is how many locations have to fail for the check to fire; below 1
	// means 1. Locations names those that run the check. Empty means that there
	// is one, whatever it is called: a streak left under another name (a host
	// was renamed, a container came back with a new name) is carried on.
	Quorum    int
	Locations []string

	Flapping Flapping

	// Mutes are those in force when the result is judged; the keeper sets them.
	Mutes Mutes

	Labels     map[string]string
	Receivers  []string // empty: every receiver whose match fits
	RunbookURL string
}

func (p *Policy) failures() int     { return max(p.Failures, 1) }
func (p *Policy) resolveAfter() int { return max(p.ResolveAfter, 1) }
func (p *Policy) quorum() int       { return max(p.Quorum, 1) }

// Timings say when a change of an incident is told.
type Timings struct {
	GroupWait      time.Duration // from an incident's opening to its first notification
	GroupInterval  time.Duration // from a notification to that of a change
	RepeatInterval time.Duration // from the last event to a reminder; 0 = never
}
