// Package cluster is what agents in many places have in common: the connection to
// NATS, who is there, who of a location runs which check, and who has a vote.
//
// Members tell each other that they live by beats over core NATS, which are
// stored nowhere: each is believed for a few seconds by the clock of who hears
// it, so clocks need not agree. There is no leader. What a check or a receiver
// needs one agent for is decided by a hash of the names of those that live
// (rendezvous hashing), which all compute alike; where they differ for a moment,
// the compare and swap of the shared store decides.
package cluster
