package incident

import "time"

// Policy is what the configuration says about one check's alerts, and the
// moment. Its slices and maps are shared with records and must not be changed.
type Policy struct {
	Failures     int // in a row, whatever their conditions, that fire; below 1 means 1
	ResolveAfter int // passes in a row that resolve; below 1 means 1

	// Quorum is how many of the locations have to fail for the check to fire.
	// Locations names those that have a vote. Empty means that there is one,
	// whatever it is called: a streak left under another name (a host was
	// renamed, a container came back with a new name) is carried on. Of several
	// the keeper sets them, with their regions, for each result.
	Quorum    Quorum
	Locations []string
	Regions   map[string]string // by location; one that has none is missing
	// Stale is the age at which what another location saw last is no vote any
	// more; 0 = never. What still fails is saved again within half of it.
	Stale time.Duration
	// Behind is by how much a location's clock is behind that of the result, which
	// the keeper sets too: the age of what it saw is not to depend on that.
	Behind map[string]time.Duration
	// Single is set when the agent judges alone what several should.
	Single bool

	Flapping Flapping

	// Mutes are those in force when the result is judged; the keeper sets them.
	Mutes Mutes

	Labels     map[string]string
	Receivers  []string // empty: every receiver whose match fits
	RunbookURL string
}

func (p *Policy) failures() int     { return max(p.Failures, 1) }
func (p *Policy) resolveAfter() int { return max(p.ResolveAfter, 1) }
func (p *Policy) quorum() int       { return p.Quorum.Of(max(len(p.Locations), 1)) }

// Quorum is how many of the locations that vote on a check have to see it fail.
// A positive one is that number; 0 means 1.
type Quorum int

// The quorums that depend on how many vote.
const (
	Majority Quorum = -1 // more than half
	All      Quorum = -2
)

// Of is the number of so many voters that have to agree, at least 1. A number
// that was asked for stays what it is, even if fewer vote.
func (q Quorum) Of(voters int) int {
	switch q {
	case Majority:
		return voters/2 + 1
	case All:
		return max(voters, 1)
	}
	return max(int(q), 1)
}

// Timings say when a change of an incident is told.
type Timings struct {
	GroupWait      time.Duration // from an incident's opening to its first notification
	GroupInterval  time.Duration // from a notification to that of a change
	RepeatInterval time.Duration // from the last event to a reminder; 0 = never
}
