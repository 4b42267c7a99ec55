// Package incident decides: from one result after another it makes the states
// of checks and the incidents of sites. The machine is pure; the keeper in this
// package is the only part that saves.
package incident
