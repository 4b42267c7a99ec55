package outbox

import (
	"math/rand/v2"
	"time"
)

const (
	// firstPause and longestPause bound the pause after a failed attempt.
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	// farthest is how far ahead anything is ever due. What lies beyond was
	// written by a clock that has been set back since.
	farthest = time.Hour
)

// pauseAfter is the pause after n failures in a row: exponential with full
// jitter, so that many agents do not come back to a mended receiver as one. Its
// lower tenth is cut off: no pause at all would be one attempt wasted.
func pauseAfter(n int) time.Duration {
	limit := longestPause
	if n < 10 {
		limit = min(firstPause<<max(n-1, 0), longestPause)
	}
	return limit/10 + rand.N(limit-limit/10)
}
