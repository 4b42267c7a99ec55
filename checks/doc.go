// Package checks observes: is a site up; if not, why, and what now? A check has
// one leg, through the edge, or two, the second straight to the origin.
package checks
