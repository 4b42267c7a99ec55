package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// beatVersion is written into each beat. A member reads the beats of any version:
// what it does not know of one it leaves alone.
const beatVersion = 1

// farClock is the largest difference between two clocks that is believed.
const farClock = 24 * time.Hour

// maxBeat bounds a beat in bytes.
const maxBeat = 4 << 10

// beat is what a member tells of itself, again and again.
type beat struct {
	Version  int    `json:"version"`
	ID       string `json:"id"`
	Location string `json:"location"`
	Region   string `json:"region,omitempty"`
	Program  string `json:"program,omitempty"` // version of esawatch
	URL      string `json:"url,omitempty"`     // of its status page
	// Checks tells the sets of checks of different configurations apart.
	Checks uint64 `json:"checks,string"`
	// At is the member's clock, in milliseconds since 1970; 0 = not told.
	At int64 `json:"at,omitempty"`
	// Wrote is the highest revision of the shared store that the member has
	// written; 0 = none, or not told.
	Wrote uint64 `json:"wrote,string,omitempty"`
	// Offline is set while the member's own network is down, as far as it knows.
	Offline bool `json:"offline,omitempty"`
	// Hello asks the others to tell of themselves at once.
	Hello bool `json:"hello,omitempty"`
	// Leaving is set when the member will not be heard of again.
	Leaving bool `json:"leaving,omitempty"`
}

var (
	validID   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	validName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)
)

// parseBeat reads a beat. Whoever has an account may have sent it.
func parseBeat(raw []byte) (beat, error) {
	var b beat
	if len(raw) > maxBeat {
		return b, fmt.Errorf("beat of %d bytes, want at most %d", len(raw), maxBeat)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("beat: %w", err)
	}
	switch {
	case !validID.MatchString(b.ID):
		return b, errors.New("beat: its id is no name")
	case !validName.MatchString(b.Location):
		return b, errors.New("beat: its location is no name")
	case b.Region != "" && !validName.MatchString(b.Region):
		return b, errors.New("beat: its region is no name")
	case len(b.URL) > 500 || len(b.Program) > 100:
		return b, errors.New("beat: more text than there is room for")
	}
	return b, nil
}

// behind is how far the sender's clock is behind that of who hears the beat now.
// Of one that does not tell, or that cannot be true, it is 0.
func (b *beat) behind(now time.Time) time.Duration {
	if b.At == 0 {
		return 0
	}
	if d := now.Sub(time.UnixMilli(b.At)); d.Abs() <= farClock {
		return d
	}
	return 0
}
