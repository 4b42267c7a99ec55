// Package agent decides and remembers: when to look, what it means, whom to
// wake. It puts the rooms of the pipeline together and runs them as one:
//
//	schedule   a cron tick becomes a Result
//	incident   a Result becomes a Record, saved before anything else happens
//	outbox     what a Record owes is delivered
//	web        what is known is shown
//
// Data flows in that order and never back.
package agent
