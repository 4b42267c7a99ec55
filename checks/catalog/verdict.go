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
	edgeSecurity edgeClass = "security"  // challenge, waiting room, a refusal of ESA's own
	edgeUnserved edgeClass = "unserved"  // ESA says that it does not serve the domain
	edgePlatform edgeClass = "platform"  // ESA says that it failed itself
	edgeContent  edgeClass = "content"   // an answer, but not the expected one
	edgeNoAnswer edgeClass = "transport" // no whole answer
	edgeUnjudged edgeClass = ""          // nothing that an origin could be held against

	edgeAny edgeClass = "any" // in a rule: whatever class it is
)

var edgeClasses = []edgeClass{edgeOK, edgeClient, edgeServer, edgeLink, edgeFunction, edgeSecurity, edgeUnserved, edgePlatform, edgeContent, edgeNoAnswer}

// originClass is how the direct request to the origin went beside it.
type originClass string

const (
	originOK          originClass = "ok"
	originSame        originClass = "same"        // the very condition that the edge has
	originOther       originClass = "other"       // an answer, and another failure
	originUntrusted   originClass = "untrusted"   // it is up, with a certificate that is not accepted: its answer is not known
	originUnreachable originClass = "unreachable" // no whole answer
	originESA         originClass = "esa"         // an answer of ESA, and so none of the origin
)

var originClasses = []originClass{originOK, originSame, originOther, originUntrusted, originUnreachable, originESA}

// transport are the conditions of a request that got no whole answer.
var transport = []Condition{DNSFailure, ConnectRefused, ConnectTimeout, ConnectUnreachable,
	TLSHandshake, TLSExpired, TLSWrongHost, TLSUntrusted, Timeout, ConnectionReset, ProtocolError}

// class is the kind of trouble that the edge had, in the light of what it says itself.
func (q *Query) class() edgeClass {
	class := classOf(q.Edge.Condition)
	if class != edgeClient && class != edgeServer {
		return class
	}
	switch fault := edgeErrorFault(edgeError(q.ProxyStatus)); {
	case q.ErrorToken == unservedToken:
		return edgeUnserved
	case q.Page != "", q.refused(), fault == FaultSecurity:
		return edgeSecurity
	case class == edgeServer && freshnessOf(q.CacheStatus) == freshCached:
		return class // what the edge said then may be over
	case class == edgeServer && fault == FaultPlatform:
		return edgePlatform
	case class == edgeServer && fault != "" && fault != FaultOrigin:
		return edgeLink
	}
	return class
}

func classOf(c Condition) edgeClass {
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

// The X-Tengine-Error header names what refused a request. Rules that only observe
// send it as well, on pages that are in order: observingToken was seen on such.
// unservedToken is no rule; the edge does not know the domain.
const (
	observingToken = "intelligent_cc_acl"
	unservedToken  = "non-existent domain"
)

// refusals are the status codes with which ESA's rules refuse unless their owner
// has set another.
var refusals = []Condition{"403", "405", "429"}

// refused tells whether X-Tengine-Error is to be believed that ESA made the error.
// It is not where the error bears the marks of the origin. At a status that only an
// owner's setting makes ESA's something has to agree: the origin answers well, or,
// of a 4xx, nobody asked it; and the error is not an old one.
func (q *Query) refused() bool {
	switch {
	case q.ErrorToken == "", q.passedOn():
		return false
	case slices.Contains(refusals, q.Edge.Condition):
		return true
	case q.ErrorToken == observingToken, freshnessOf(q.CacheStatus) == freshCached:
		return false
	case q.Origin == nil:
		return q.Edge.Condition.StatusCode() < 500
	}
	return q.originClass() == originOK
}

// originClass compares the origin's leg with the edge's. An origin that merely
// answers late, say, does answer. Where ESA says that it made the error itself, the
// same one at the origin is another.
func (q *Query) originClass() originClass {
	edge, origin := q.Edge.Condition, q.Origin.Condition
	switch {
	case q.Origin.ViaESA:
		return originESA
	case origin == "":
		return originOK
	case origin == edge && classOf(edge) == edgeServer && edgeError(q.ProxyStatus) != "":
		return originOther
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
	phase     string    // in which the edge failed; "" = any
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
	phase     string

	passedOn bool
	notESA   bool
}

func (r *rule) fits(s situation) bool {
	return (r.edge == edgeAny || r.edge == s.edge) &&
		slices.Contains(r.origin, s.origin) &&
		(r.edgeIs == nil || slices.Contains(r.edgeIs, s.edgeIs)) &&
		(r.originIs == nil || slices.Contains(r.originIs, s.originIs)) &&
		(r.freshness == freshUnknown || r.freshness == s.freshness) &&
		(r.scheme == "" || r.scheme == s.scheme) &&
		(r.phase == "" || r.phase == s.phase) &&
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
	severity   Severity
	stepsFirst [numLangs][]template // in front of the entry's
	steps      [numLangs][]template // in place of the entry's
}
