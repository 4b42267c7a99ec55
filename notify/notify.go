// Package notify tells: what a notification is, and what can send one. It knows
// nothing of checks or of how an incident came about.
package notify

import (
	"context"
	"time"
)

// Notifier sends notifications to one receiver.
type Notifier interface {
	// Notify makes the receiver show n, which is the incident's whole present
	// state. It may be called again with the same n after an error.
	//
	// The receipt is what the receiver needs to be handed back in the next
	// Notification of the same incident; it is meaningful beside an error too,
	// when part of the work was done. An error is one of: Permanent (never try
	// this notification again), Misconfigured (try again slowly, and at once
	// after a reload), one with RetryAfter, or one worth trying again with
	// backoff. No error holds a secret; ReasonOf names its kind.
	Notify(ctx context.Context, n Notification) (Receipt, error)
}

// Resender is a Notifier for a receiver that forgets: it has to be told the same
// again from time to time, or it takes an incident for over.
type Resender interface {
	Notifier
	// Resend is how long after Notify returned r without an error the receiver
	// wants to be told the incident's state once more, although nothing has
	// changed. It is 0 when it need not be; that can become so with time, but
	// only for an incident that is over.
	//
	// The same state told again gives the same receipt, unless something about
	// the receiver has changed: a receipt that is equal need not be stored.
	Resend(r Receipt) time.Duration
}

// Receipt is a receiver's own note about an incident, such as a Slack channel
// and message. It is stored as it is; nil when there is none.
type Receipt map[string]string

// Notification is an incident's present state and what has happened since the
// receiver was last told.
type Notification struct {
	ID       string // of the incident; the same in all its notifications
	Seq      int    // of the last event in it; grows within an incident
	Receiver string // the receiver's name
	Test     bool   // a sample, sent by hand

	Site     string
	SiteURL  string
	Firing   bool   // false: the incident is over
	Severity string // info, warning, critical
	Reason   string // why it is over: "recovered", "removed" or "merged"; "" while firing
	Summary  string // one line of plain text

	Since      time.Time // the first failed result
	OpenedAt   time.Time
	ResolvedAt time.Time // zero while firing
	At         time.Time // of this state

	Alerts []Alert // firing first, then recovered; by severity, then name
	// Digest is set when many incidents are told as one. Then there is no Site:
	// each of the Alerts has its own.
	Digest *Digest
	Events []Event // not told to this receiver yet, oldest first

	IncidentURL string // the status page of the incident; "" when there is none

	// Receipt is what the receiver returned last; nil the first time.
	Receipt Receipt
	// Doubtful is set when an earlier attempt at this or an older state was cut
	// off, so that the receiver may have it already. DoubtfulSince is when that
	// attempt began.
	Doubtful      bool
	DoubtfulSince time.Time

	Lang string // "en" or "zh"
}

// Digest is what a notification about many incidents has beside their alerts.
type Digest struct {
	Incidents int    // told as one; that number only grows
	Over      int    // of them
	Shared    string // what those that go on have in common, in plain words; "" when nothing
	// Lines are the incidents, one each: those that go on first, the most severe
	// first, then by site.
	Lines []DigestLine
}

// DigestLine is one incident of a digest.
type DigestLine struct {
	Site       string
	Firing     bool
	Severity   string
	Summary    string // what fails, in plain words, without the site
	Since      time.Time
	ResolvedAt time.Time // zero while firing
	URL        string    // the status page of the incident; "" when there is none
}

// Alert is one check's part in an incident.
type Alert struct {
	Site       string // in a digest only; else it is the notification's
	Check      string
	URL        string
	Location   string
	Firing     bool
	Flapping   bool // it changes too often to be told each time
	Since      time.Time
	ResolvedAt time.Time

	Condition  string   // the present one, "522"
	Conditions []string // all seen, in order of appearance
	Title      string
	Fault      string
	Owner      string
	Severity   string
	Summary    string
	Verdict    string
	Evidence   []string // "label: value", most telling first
	Steps      []string
	DocURL     string
	RunbookURL string
	CatalogURL string // the status page of the condition; "" when there is none
	StatusCode int
	RequestID  string
	Labels     map[string]string
}

// Event is one line of an incident's history, in words.
type Event struct {
	Seq  int
	At   time.Time
	Kind string // as incident.EventKind: opened, joined, changed, severity, left, resolved, reminder, removed, …
	Text string // one line of plain text, which may quote a server
}
