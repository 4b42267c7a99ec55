package catalog

import (
	"slices"
	"strings"
)

// edgeClass is the kind of trouble that the request through the edge had.
type edgeClass string

const (
	edgeOK       edgeClass = "ok"
	edgeClient   edgeClass = "client"    // 4xx
	edgeServer   edgeClass = "server"    // 5xx that an origin can make as well
	edgeLink     edgeClass = "link"      // 520-579: ESA and its way to the origin
	edgeFunction edgeClass = "function"  // 580-599
	edgeSecurity edgeClass = "security"  // challenge, waiting room, a refusal that names its module
	edgeContent  edgeClass = "content"   // an answer, but not the expected one
	edgeNoAnswer edgeClass = "transport" // no whole answer
	edgeUnjudged edgeClass = ""          // nothing that an origin could be held against
)

var edgeClasses = []edgeClass{edgeOK, edgeClient, edgeServer, edgeLink, edgeFunction, edgeSecurity, edgeContent, edgeNoAnswer}

// originClass is how the direct request to the origin went beside it.
type originClass string

const (
	originOK          originClass = "ok"
	originSame        originClass = "same"        // the very condition that the edge has
	originOther       originClass = "other"       // an answer, and another failure
	originUntrusted   originClass = "untrusted"   // it is up, with a certificate that is not accepted: its answer is not known
	originUnreachable originClass = "unreachable" // no whole answer
)

var originClasses = []originClass{originOK, originSame, originOther, originUntrusted, originUnreachable}

// transport are the conditions of a request that got no whole answer.
var transport = []Condition{DNSFailure, ConnectRefused, ConnectTimeout, ConnectUnreachable,
	TLSHandshake, TLSExpired, TLSWrongHost, TLSUntrusted, Timeout, ConnectionReset, ProtocolError}

// refusals are the status codes that an X-Tengine-Error header is believed at.
// The header alone proves nothing: rules that only observe send it as well, on
// pages that are in order.
var refusals = []Condition{"403", "405", "429"}

func classifyEdge(c Condition, errorToken string) edgeClass {
	switch c {
	case "":
		return edgeOK
	case Challenge, WaitingRoom:
		return edgeSecurity
	case InternalError, AgentOffline, OriginDown:
		return edgeUnjudged
	}
	if slices.Contains(transport, c) {
		return edgeNoAnswer
	}
	switch code := c.StatusCode(); {
	case code == 0:
		return edgeContent
	case code < 500 && errorToken != "" && slices.Contains(refusals, c):
		return edgeSecurity
	case code < 500:
		return edgeClient
	case 520 <= code && code < 580:
		return edgeLink
	case 580 <= code && code <= 599:
		return edgeFunction
	default:
		return edgeServer
	}
}

// classifyOrigin compares the origin's leg with the edge's. An origin that
// merely answers late, say, does answer.
func classifyOrigin(edge, origin Condition) originClass {
	switch {
	case origin == "":
		return originOK
	case origin == edge:
		return originSame
	case origin.Degrades():
		return originOK
	case origin == TLSExpired, origin == TLSWrongHost, origin == TLSUntrusted:
		return originUntrusted
	case slices.Contains(transport, origin):
		return originUnreachable
	default:
		return originOther
	}
}

// freshness is what the cache status says of the age of an answer.
type freshness string

const (
	freshUnknown freshness = ""
	freshCached  freshness = "cached" // kept from an earlier answer of the origin
	freshAnswer  freshness = "fresh"  // the origin was asked for it just now
)

func freshnessOf(cacheStatus string) freshness {
	switch strings.ToUpper(cacheStatus) {
	case "HIT", "STALE":
		return freshCached
	case "MISS", "EXPIRED", "BYPASS", "DYNAMIC", "REVALIDATED":
		return freshAnswer
	}
	return freshUnknown
}

// rule is one row of verdicts.yaml: when it fits, and what it then says. Of
// several that fit, the first counts.
type rule struct {
	edge      edgeClass
	origin    []originClass
	edgeIs    []Condition // "" = any of the class
	originIs  []Condition
	freshness freshness // "" = any
	scheme    string    // by which the origin was asked; "" = any
	advice    advice

	passedOn bool // only errors that ESA got from its origin
	notESA   bool // only answers that carry no sign of ESA
}

// situation is what rules are held against.
type situation struct {
	edge      edgeClass
	origin    originClass
	edgeIs    Condition
	originIs  Condition
	freshness freshness
	scheme    string

	passedOn bool
	notESA   bool
}

func (r *rule) fits(s situation) bool {
	return r.edge == s.edge &&
		slices.Contains(r.origin, s.origin) &&
		(r.edgeIs == nil || slices.Contains(r.edgeIs, s.edgeIs)) &&
		(r.originIs == nil || slices.Contains(r.originIs, s.originIs)) &&
		(r.freshness == freshUnknown || r.freshness == s.freshness) &&
		(r.scheme == "" || r.scheme == s.scheme) &&
		(!r.passedOn || s.passedOn) &&
		(!r.notESA || s.notESA)
}

// advice is what an entry turns into in the light of more than its condition.
// Its zero fields change nothing.
type advice struct {
	says       [numLangs]template // a verdict, or a sentence for the summary
	summary    *[numLangs]template
	fault      Fault
	owner      *Text
	stepsFirst [numLangs][]template // in front of the entry's
	steps      [numLangs][]template // in place of the entry's
}
