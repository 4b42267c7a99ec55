package incident

import (
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// RecordVersion is written into each Record, so that a later program can read
// an older one's.
const RecordVersion = 1

// Record is everything remembered of one site, stored as one value: what its
// checks look like, its incidents, and with them what is owed to whom. A change
// of state and the debt that it makes are therefore one write.
//
// A Record is never changed in place, nor is anything that it leads to: every
// function of this package that changes one returns a new one, which shares
// with the old one what is the same. A copy is therefore a snapshot.
type Record struct {
	Version int    `json:"version"`
	Site    string `json:"site"`
	// Checks are the states by check name. A check that is well has no entry.
	Checks map[string]CheckState `json:"checks,omitempty"`
	// Memory is what else is remembered of checks, by name, well or not.
	Memory map[string]Memory `json:"memory,omitempty"`
	// Incidents, oldest first. At most the last one is open; a resolved one
	// stays until every receiver that is owed its end has been told.
	Incidents []Incident `json:"incidents,omitempty"`
}

// OpenIncident is the site's open incident, and false when there is none.
func (rec *Record) OpenIncident() (Incident, bool) { return rec.open() }

// State is what a check looks like after its thresholds.
type State string

// The states of a check.
const (
	OK      State = "ok"
	Pending State = "pending" // failing, but not often enough in a row yet
	Firing  State = "firing"
)

// CheckState is one check's state.
type CheckState struct {
	State     State             `json:"state"`
	Locations map[string]Streak `json:"locations"` // by the agent's location
}

// Streak counts what one location saw in a row. One of Failures and Passes is 0.
type Streak struct {
	Failures   int                 `json:"failures,omitempty"`
	Passes     int                 `json:"passes,omitempty"`
	Since      time.Time           `json:"since"`                // of the first failure of this spell
	Last       time.Time           `json:"last"`                 // start of the newest result that counted
	Conditions []catalog.Condition `json:"conditions,omitempty"` // all seen in this spell, in order of appearance
	Failing    bool                `json:"failing"`              // past the thresholds
	// What follows is kept only where several locations vote.
	POP  string    `json:"pop,omitempty"` // where ESA answered the newest failure
	Kept time.Time `json:"kept,omitzero"` // Last as it was saved last
}

// View is what a location that votes sees of a check.
type View struct {
	Location string `json:"location"`
	Region   string `json:"region,omitempty"`
	Failing  bool   `json:"failing,omitempty"`
	POP      string `json:"pop,omitempty"` // where ESA answered it, if it fails and that is known
}

// Incident is a spell in which checks of one site fail, told as one story.
type Incident struct {
	ID         string    `json:"id"`
	Site       string    `json:"site"`
	Since      time.Time `json:"since"`       // the first failed result
	OpenedAt   time.Time `json:"opened_at"`   // when it was confirmed
	ResolvedAt time.Time `json:"resolved_at"` // zero while open
	// Reason is why it was closed: "recovered", "removed" when the check or the
	// site left the configuration, or "merged" when it goes on as part of another,
	// Into, that other agents had told.
	Reason string `json:"reason,omitempty"`
	Into   string `json:"into,omitempty"`
	// Single is set when an agent told it that could not ask the others.
	Single   bool             `json:"single,omitempty"`
	Severity catalog.Severity `json:"severity"` // the highest of its firing alerts; at its end the highest it ever had
	Peak     catalog.Severity `json:"peak"`     // the highest it ever had
	Alerts   map[string]Alert `json:"alerts"`   // by check name; those that recovered stay
	// Events is the history, oldest first. It is bounded: a gap in Seq stands
	// for events that made room for newer ones. The first always stays.
	Events []Event `json:"events"`
	Seq    int     `json:"seq"` // of the last event
	// Hushed is how many events at the end of the history are no news: recorded,
	// but not told for their own sake.
	Hushed int `json:"hushed,omitempty"`
	// Deliveries is what each receiver has been told. What it is owed follows
	// from it: every event after Delivery.Seq, told as the present state.
	Deliveries map[string]Delivery `json:"deliveries,omitempty"`
}

// Open tells whether the incident still goes on.
func (i *Incident) Open() bool { return i.ResolvedAt.IsZero() }

// Alert is one check's part in an incident.
type Alert struct {
	Check      string              `json:"check"`
	Firing     bool                `json:"firing"`             // or flapping, whatever its state at the moment
	Flapping   bool                `json:"flapping,omitempty"` // changes too often to be told each time
	Since      time.Time           `json:"since"`              // the first failed result of this spell
	FiredAt    time.Time           `json:"fired_at"`
	ResolvedAt time.Time           `json:"resolved_at"`
	Conditions []catalog.Condition `json:"conditions"`          // all seen, in order of appearance
	Severity   catalog.Severity    `json:"severity"`            // the highest of this spell
	ChangedAt  time.Time           `json:"changed_at,omitzero"` // since when the present condition holds
	Labels     map[string]string   `json:"labels,omitempty"`
	Receivers  []string            `json:"receivers,omitempty"` // named by the check; empty: by match
	RunbookURL string              `json:"runbook_url,omitempty"`
	Result     checks.Result       `json:"result"` // the failed result that tells most: the newest with the present condition
	// Views are what the locations see that vote, by name; none where there is
	// one. Spread is every location that saw the check fail in this spell.
	Views  []View   `json:"views,omitempty"`
	Spread []string `json:"spread,omitempty"`

	Hush   Hush `json:"hush,omitempty"`   // why nothing is told of it at present
	Untold bool `json:"untold,omitempty"` // nothing of this spell was ever to be told
	Said   Said `json:"said,omitzero"`    // what was last to be told of it
}

// EventKind says what happened in an incident.
type EventKind string

// The kinds of events.
const (
	EventOpened   EventKind = "opened"   // the first check fired
	EventJoined   EventKind = "joined"   // another check fired
	EventChanged  EventKind = "changed"  // a check's condition changed
	EventSeverity EventKind = "severity" // the incident's severity rose
	EventLeft     EventKind = "left"     // a check recovered, others still fire
	EventResolved EventKind = "resolved" // the last check recovered, or was removed
	EventReminder EventKind = "reminder" // it still goes on
	EventRemoved  EventKind = "removed"  // a check left the configuration while it fired
	EventFlapping EventKind = "flapping" // a check changes too often to be told each time
	EventSteady   EventKind = "steady"   // it stopped flapping
	EventMuted    EventKind = "muted"    // a silence or maintenance began to cover it
	EventUnmuted  EventKind = "unmuted"  // no mute covers it any more
	EventSpread   EventKind = "spread"   // one more location sees it fail
	EventShared   EventKind = "shared"   // what one agent told alone, all have taken over
)

// Event is one thing that happened in an incident.
type Event struct {
	Seq       int               `json:"seq"` // 1, 2, …
	At        time.Time         `json:"at"`
	Kind      EventKind         `json:"kind"`
	Check     string            `json:"check,omitempty"`
	Condition catalog.Condition `json:"condition,omitempty"` // of Check, after the event
	Was       catalog.Condition `json:"was,omitempty"`       // of Check, before it
	Severity  catalog.Severity  `json:"severity,omitempty"`  // of the incident, after it
	Location  string            `json:"location,omitempty"`  // of EventSpread and EventShared
	Quiet     bool              `json:"quiet,omitempty"`     // not told for its own sake
}

// Delivery is what one receiver has been told of one incident, and how the
// telling goes. The outbox writes it; the state machine only carries it along.
type Delivery struct {
	Seq      int               `json:"seq"`                // the last event told, or given up when Dropped; 0 = none
	ToldAt   time.Time         `json:"told_at"`            // when it was told last; zero = never
	Severity catalog.Severity  `json:"severity,omitempty"` // the highest that it was told
	Receipt  map[string]string `json:"receipt,omitempty"`

	// Digest is set when the incident is told as one of many: the ID of the one
	// among them that leads, whose delivery has the receipt of the digest and how
	// the telling of it goes. "" when it is told by itself.
	Digest string `json:"digest,omitempty"`

	// Sending is the Seq of an attempt that was begun and not settled. Found
	// after a restart, or left by Failure.Doubtful, it means that the receiver
	// may have it already. SendingAt is when the first such attempt began.
	Sending   int       `json:"sending,omitempty"`
	SendingAt time.Time `json:"sending_at,omitzero"`
	// Claim names the agent that makes the attempt, where several share the record.
	Claim string `json:"claim,omitempty"`

	Attempts  int       `json:"attempts,omitempty"` // in vain, since the last success
	NextTry   time.Time `json:"next_try,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	Dropped   bool      `json:"dropped,omitempty"` // refused for good: not tried again until a newer event
}
