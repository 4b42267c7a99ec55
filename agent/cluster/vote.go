package cluster

import (
	"slices"
	"time"
)

// Neighbours are the members of this agent's own location that can check
// anything, with itself, sorted.
func (m *Member) Neighbours() []string {
	return m.living(func(p *peer) bool { return p.Location == m.opts.Location && !p.Offline })
}

// living are the members that are there and that fit, with this one, sorted.
func (m *Member) living(fits func(*peer) bool) []string {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := []string{m.id}
	for id, p := range m.peers {
		if p.live(now) && fits(p) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Share decides which checks this agent runs among so many members of its
// location. The members are those of Neighbours.
func (m *Member) Share(neighbours []string, check string) bool {
	return owner(neighbours, check) == m.id
}

// Owner is the one of so many members of a location that runs a check. The members
// are those of Neighbours.
func (m *Member) Owner(neighbours []string, check string) string { return owner(neighbours, check) }

// Voters are the locations whose vote on a check counts now, sorted, and the
// regions of those that have one. This agent's own always does; another one while
// one of its members that has the check in its configuration is there and has a
// network, or was within stale: one that left may well be restarting, as one that
// was killed may. Once another of its location is there, that one's word counts.
func (m *Member) Voters(check string, stale time.Duration) (locations []string, regions map[string]string) {
	now := time.Now()
	regions = make(map[string]string)
	m.mu.Lock()
	defer m.mu.Unlock()
	locations = append(locations, m.opts.Location)
	if m.opts.Region != "" {
		regions[m.opts.Location] = m.opts.Region
	}
	there := m.there(now)
	for _, p := range m.peers {
		lasts := p.live(now) || now.Sub(p.last) <= stale && !(p.Leaving && there[p.Location])
		if slices.Contains(locations, p.Location) || p.Offline || !lasts || !m.has(p, check) {
			continue
		}
		locations = append(locations, p.Location)
		if p.Region != "" {
			regions[p.Location] = p.Region
		}
	}
	slices.Sort(locations)
	return locations, regions
}

// Behind is how far the clock of a location is behind ours, of several members the
// one that is furthest; 0 for our own, and where it is not known.
func (m *Member) Behind(location string) time.Duration {
	if location == m.opts.Location {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var behind time.Duration
	known := false
	for _, p := range m.peers {
		if p.Location == location && !p.gone && (!known || p.behind > behind) {
			behind, known = p.behind, true
		}
	}
	return behind
}

// Watched tells whether another member has the check. One that is gone counts for
// watchedFor more, as it may be restarting, unless others of its location are
// there: those know what the location has now.
func (m *Member) Watched(check string) bool {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	there := m.there(now)
	for _, p := range m.peers {
		if (p.live(now) || !there[p.Location] && now.Sub(p.last) < watchedFor) && m.has(p, check) {
			return true
		}
	}
	return false
}

// there are the locations of which a member is there. The caller holds m.mu.
func (m *Member) there(now time.Time) map[string]bool {
	there := make(map[string]bool)
	for _, p := range m.peers {
		there[p.Location] = there[p.Location] || p.live(now)
	}
	return there
}

// has tells whether a peer has a check, as far as that is known. The caller holds
// m.mu.
func (m *Member) has(p *peer, check string) bool {
	if p.Checks == m.digest {
		return m.own.has(check)
	}
	set, known := m.sets[p.Checks]
	return !known || set.has(check)
}

// Alive tells whether a member is there.
func (m *Member) Alive(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[id]
	return id == m.id || p != nil && p.live(time.Now())
}

// Wait is how long after something is due for a receiver this member may do it:
// 0 for the one whose turn it is.
func (m *Member) Wait(receiver string) time.Duration {
	all := m.living(func(*peer) bool { return true })
	return min(time.Duration(rank(all, m.id, receiver))*turnWait, farTurn)
}
