package checks

import (
	"math"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// Outcome is how a run of a check ended.
type Outcome string

// The outcomes. Degraded works, but not as it should: worth a warning, not downtime.
const (
	Pass     Outcome = "pass"
	Degraded Outcome = "degraded"
	Fail     Outcome = "fail"
)

// Result is one run of a check: complete, immutable, and the JSON that users
// see of it. Slices, maps and pointers in it are never changed once it is made.
type Result struct {
	Site            string             `json:"site"`
	Check           string             `json:"check"`
	Location        string             `json:"location"`
	URL             string             `json:"url"`
	Method          string             `json:"method"`
	StartedAt       time.Time          `json:"started_at"`
	DurationSeconds float64            `json:"duration_seconds"`
	Outcome         Outcome            `json:"outcome"`
	Success         bool               `json:"success"` // false only when Outcome is Fail
	StatusCode      int                `json:"status_code"`
	HTTPVersion     string             `json:"http_version"`
	RemoteAddress   string             `json:"remote_address"`
	Redirects       int                `json:"redirects"`
	RedirectedTo    string             `json:"redirected_to,omitempty"` // URL at another host or port, that they led to, if that is what failed
	BodyBytes       int64              `json:"body_bytes"`
	PhasesSeconds   Phases             `json:"phases_seconds"`
	TLS             *TLS               `json:"tls"`
	Edge            probe.Edge         `json:"edge"`
	Diagnosis       *catalog.Diagnosis `json:"diagnosis"` // nil on Pass
	Origin          *Origin            `json:"origin"`    // nil with no origin
}

// Phases are a request's phases in seconds.
type Phases struct {
	Resolve    float64 `json:"resolve"`
	Connect    float64 `json:"connect"`
	TLS        float64 `json:"tls"`
	Processing float64 `json:"processing"`
	Transfer   float64 `json:"transfer"`
}

// TLS is the part of a handshake that people ask for.
type TLS struct {
	Version     string    `json:"version"`
	Cipher      string    `json:"cipher"`
	NotAfter    time.Time `json:"not_after"`            // the earliest in the presented chain
	ValidUntil  time.Time `json:"valid_until,omitzero"` // when trust in it ends, whatever else is presented
	Issuer      string    `json:"issuer"`
	Subject     string    `json:"subject"`
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the leaf, lower-case hex
}

// Ends is when trust in the certificate ends. Results from before that was looked
// for tell only when the presented chain does.
func (t *TLS) Ends() time.Time {
	if t.ValidUntil.IsZero() {
		return t.NotAfter
	}
	return t.ValidUntil
}

// Origin is the same request, sent straight to the origin at the same moment.
type Origin struct {
	Success         bool              `json:"success"`
	StatusCode      int               `json:"status_code"`
	DurationSeconds float64           `json:"duration_seconds"`
	Condition       catalog.Condition `json:"condition"` // "" when Success
}

// Condition is what the result is called, "" on Pass.
func (r Result) Condition() catalog.Condition {
	if r.Diagnosis == nil {
		return ""
	}
	return r.Diagnosis.Condition
}

// FullName is a check's name in the whole configuration: SITE/CHECK.
func FullName(site, check string) string { return site + "/" + check }

// SplitName is the reverse of FullName; check is "" for a bare site.
func SplitName(name string) (site, check string) {
	site, check, _ = strings.Cut(name, "/")
	return site, check
}

// seconds rounds a duration to whole microseconds, so that JSON shows no noise.
func seconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1e6) / 1e6
}

// Micros is a duration in whole microseconds, of up to 71 minutes: what the
// seconds of a Result are, in half the room.
type Micros uint32

// MicrosOf is exact for the seconds of a result. What is longer than there is
// room for is as long as that, and what is negative, or no number, is 0.
func MicrosOf(seconds float64) Micros {
	if !(seconds > 0) {
		return 0
	}
	return Micros(min(math.Round(seconds*1e6), math.MaxUint32))
}

// PhaseNames are the phases of a run, in the order of Phases.
var PhaseNames = [...]string{"resolve", "connect", "tls", "processing", "transfer"}

// Micros are the phases in the order of PhaseNames.
func (p Phases) Micros() [len(PhaseNames)]Micros {
	return [...]Micros{MicrosOf(p.Resolve), MicrosOf(p.Connect), MicrosOf(p.TLS), MicrosOf(p.Processing), MicrosOf(p.Transfer)}
}

// Seconds is the reverse of MicrosOf.
func (m Micros) Seconds() float64 { return float64(m) / 1e6 }

// duration is the reverse of seconds.
func duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
