// Package release checks how releases are made: that deploy/release/build gives
// the same bytes wherever it runs, of what was committed and of nothing else, and
// that the workflows use what it uses.
package release
