package catalog

import (
	"strconv"
)

// Condition is what a result that did not pass is called: a status code
// written in decimal ("522") or one of the named conditions below.
// The empty Condition means that nothing is wrong.
type Condition string

// The named conditions. Everything that can break before there is a status,
// and everything that can be wrong in spite of one.
const (
	DNSFailure         Condition = "dns_failure"
	ConnectRefused     Condition = "connect_refused"
	ConnectTimeout     Condition = "connect_timeout"
	ConnectUnreachable Condition = "connect_unreachable"
	TLSHandshake       Condition = "tls_handshake"
	TLSExpired         Condition = "tls_expired"
	TLSWrongHost       Condition = "tls_wrong_host"
	TLSUntrusted       Condition = "tls_untrusted"
	TLSExpiring        Condition = "tls_expiring"
	Timeout            Condition = "timeout"
	ConnectionReset    Condition = "connection_reset"
	ProtocolError      Condition = "protocol_error"
	RedirectLoop       Condition = "redirect_loop"
	BodyMismatch       Condition = "body_mismatch"
	HeaderMismatch     Condition = "header_mismatch"
	JSONMismatch       Condition = "json_mismatch"
	ExprMismatch       Condition = "expr_mismatch"
	Slow               Condition = "slow"
	UnexpectedStatus   Condition = "unexpected_status"
	Challenge          Condition = "challenge"
	WaitingRoom        Condition = "waiting_room"
	Stale              Condition = "stale"
	NotViaESA          Condition = "not_via_esa"
	OriginDown         Condition = "origin_down"
	AgentOffline       Condition = "agent_offline"
	InternalError      Condition = "internal_error"
)

// The entries that a status code without one of its own falls back to.
const (
	FallbackReserved Condition = "esa_reserved" // 520-599, the range that ESA keeps for itself
	Fallback4xx      Condition = "4xx"
	Fallback5xx      Condition = "5xx"
)

// FromStatus is the condition of an HTTP status code that was not expected:
// the code itself from 400 up, UnexpectedStatus below.
func FromStatus(code int) Condition {
	if code < 400 {
		return UnexpectedStatus
	}
	return Condition(strconv.Itoa(code))
}

// StatusCode is the HTTP status code that c stands for, 0 for a named condition.
func (c Condition) StatusCode() int {
	if len(c) != 3 {
		return 0
	}
	n, err := strconv.Atoi(string(c))
	if err != nil || n < 100 {
		return 0
	}
	return n
}

// Degrades tells whether c makes a result degraded (the site works, but not
// as it should) rather than failed.
func (c Condition) Degrades() bool {
	switch c {
	case TLSExpiring, Slow, Stale, OriginDown:
		return true
	}
	return false
}

// Fault is the place where a fault lies.
type Fault string

// The fault domains.
const (
	FaultClient     Fault = "client"      // the request, and so whoever sends it
	FaultOrigin     Fault = "origin"      // the site's own servers
	FaultOriginLink Fault = "origin_link" // the way from ESA to the origin
	FaultDNS        Fault = "dns"
	FaultTLS        Fault = "tls"      // certificates and handshakes, on either side
	FaultFunction   Fault = "function" // an edge function
	FaultSecurity   Fault = "security" // a rule that keeps requests out
	FaultPlatform   Fault = "platform" // ESA itself: its settings for the site, or its capacity
	FaultNetwork    Fault = "network"  // the way from the probe to ESA
	FaultContent    Fault = "content"  // what the answer holds
)

// Faults lists every fault domain, in the order of the documentation.
func Faults() []Fault {
	return []Fault{FaultClient, FaultOrigin, FaultOriginLink, FaultDNS, FaultTLS,
		FaultFunction, FaultSecurity, FaultPlatform, FaultNetwork, FaultContent}
}

// Severities lists every severity, the quietest first.
func Severities() []Severity { return []Severity{Info, Warning, Critical} }

// Severity says how loudly a condition is told.
type Severity string

// The severities, from quiet to loud.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Rank orders severities: 0 for unknown, 1 info, 2 warning, 3 critical.
func (s Severity) Rank() int {
	switch s {
	case Info:
		return 1
	case Warning:
		return 2
	case Critical:
		return 3
	}
	return 0
}
