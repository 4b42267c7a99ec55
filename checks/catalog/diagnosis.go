package catalog

import "time"

// Leg is one side of a check as the catalog sees it: the request through the
// edge, or the one straight to the origin.
type Leg struct {
	Condition  Condition     // "" when the leg passed
	StatusCode int           // 0 with no answer
	Duration   time.Duration // of the whole request
	ViaESA     bool          // it certainly came through ESA; asked of the origin's leg only
}

// Diagnosis is a degraded or failed result explained to the person who has to act.
type Diagnosis struct {
	Condition  Condition `json:"condition"`
	Title      string    `json:"title"`
	Fault      Fault     `json:"fault"`
	Owner      string    `json:"owner"`
	Severity   Severity  `json:"severity"`
	Summary    string    `json:"summary"`
	Evidence   []string  `json:"evidence"`    // what was seen, most telling first, one "label: value" a line
	Steps      []string  `json:"steps"`       // what to do, in the order to do it
	DocURL     string    `json:"doc_url"`     // the vendor's page, "" when there is none
	RunbookURL string    `json:"runbook_url"` // the user's own page, "" when none is configured
	Verdict    string    `json:"verdict"`     // edge against origin in one sentence, "" with no origin leg
}
