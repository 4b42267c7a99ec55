package catalog

import (
	"slices"
	"strings"
)

// sign is a piece of evidence that changes what an entry says.
type sign uint8

const (
	// signDenied: a refusal that names the security module behind it.
	signDenied sign = iota
	// signDeniedOther: one with a status that is not ESA's own for that.
	signDeniedOther
	// signOwnPage: an error that is a page of ESA's protection or waiting room.
	signOwnPage
	// signUnserved: ESA says that it does not serve the domain.
	signUnserved
	// signNoHandshake: a timeout before the edge had finished the TLS handshake.
	signNoHandshake
	// signStalled: a timeout in the midst of the answer.
	signStalled
	// signCachedError: an error that came out of ESA's cache.
	signCachedError
	// signCachedStill: the same, and the origin gives that very error now.
	signCachedStill
	// signCachedContent: a page that is not as expected and came out of the cache.
	signCachedContent
	// signOtherSuccess: a status that was not expected and is no redirect.
	signOtherSuccess
	// signEdgeMade: the edge says that it made this error itself.
	signEdgeMade
	// signEdgeBroken: the same, and the reason is ESA itself.
	signEdgeBroken
	// signOriginMade: ESA passes on what an origin's server or application made,
	// and the origin was not asked itself.
	signOriginMade
	// The same for those whose entry leaves open who made them.
	signOriginMade500
	signOriginMade502
	signOriginMade503
	signOriginMade504
	// signRedirected: a redirect led to another host or port, and this is about that.
	signRedirected
	// signForeign: what only ESA says comes from something that is not ESA.
	signForeign
	numSigns
)

// signNames are the signs as evidence.yaml writes them.
var signNames = [numSigns]string{
	signDenied:        "denied",
	signDeniedOther:   "denied_other",
	signOwnPage:       "own_page",
	signUnserved:      "unserved",
	signNoHandshake:   "no_handshake",
	signStalled:       "stalled",
	signCachedError:   "cached_error",
	signCachedStill:   "cached_still",
	signCachedContent: "cached_content",
	signOtherSuccess:  "other_success",
	signEdgeMade:      "edge_made",
	signEdgeBroken:    "edge_broken",
	signOriginMade:    "origin_made",
	signOriginMade500: "origin_made_500",
	signOriginMade502: "origin_made_502",
	signOriginMade503: "origin_made_503",
	signOriginMade504: "origin_made_504",
	signRedirected:    "redirected",
	signForeign:       "foreign",
}

// signs are the pieces of evidence that q holds. That the Server header says
// ESA is none: it is on answers that ESA merely passed on as well.
func signs(q Query, class edgeClass, proxyError string) []sign {
	var found []sign
	cached := freshnessOf(q.CacheStatus) == freshCached
	code := q.Edge.Condition.StatusCode()
	if q.RedirectedFrom != "" {
		found = append(found, signRedirected)
	}
	if q.Edge.Condition == UnexpectedStatus && q.Edge.StatusCode < 300 && q.RedirectedFrom == "" {
		found = append(found, signOtherSuccess)
	}
	switch {
	case class == edgeUnserved:
		found = append(found, signUnserved)
	case class == edgeSecurity && q.Page != "" && code >= 400:
		found = append(found, signOwnPage)
	case class == edgeSecurity && q.ErrorToken != "" && slices.Contains(refusals, q.Edge.Condition):
		found = append(found, signDenied)
	case class == edgeSecurity && q.ErrorToken != "" && code >= 400:
		found = append(found, signDeniedOther)
	case q.Edge.Condition == Timeout && q.Phase == "tls":
		found = append(found, signNoHandshake)
	case q.Edge.Condition == Timeout && q.Phase == "transfer":
		found = append(found, signStalled)
	case cached && code >= 400 && q.Origin != nil && !q.Origin.ViaESA && q.Origin.Condition == q.Edge.Condition:
		found = append(found, signCachedStill)
	case cached && code >= 400:
		found = append(found, signCachedError)
	case cached && isContent(q.Edge.Condition):
		found = append(found, signCachedContent)
	}
	switch {
	case proxyError == "" || code < 400:
	case class == edgePlatform:
		found = append(found, signEdgeBroken)
	default:
		found = append(found, signEdgeMade)
	}
	if q.Origin == nil && q.passedOn() && slices.Contains(ofOrigins, code) {
		found = append(found, originMade(code))
	}
	if q.notESA() && (onlyESA(q.Edge.Condition) || code >= 400) {
		found = append(found, signForeign)
	}
	return found
}

// originMade is the sign of an error that the origin made.
func originMade(code int) sign {
	switch code {
	case 500:
		return signOriginMade500
	case 502:
		return signOriginMade502
	case 503:
		return signOriginMade503
	case 504:
		return signOriginMade504
	}
	return signOriginMade
}

// ofOrigins are the errors that origins make day by day, so that their marks are
// believed. A 405 is rather the check's method, and a 508 ESA's settings.
var ofOrigins = []int{403, 429, 500, 502, 503, 504}

// passedOn tells whether the edge's error is one that ESA got from its origin just
// now: a cached one may be of another time, and where there is no ESA, or a
// redirect led elsewhere, it says nothing of ESA's origin.
func (q *Query) passedOn() bool {
	return q.OriginMade && q.RedirectedFrom == "" && q.ViaESA != "no" && freshnessOf(q.CacheStatus) != freshCached
}

// notESA tells whether the answer carries no sign of ESA.
func (q *Query) notESA() bool { return q.ViaESA == "no" && edgeError(q.ProxyStatus) == "" }

// onlyESA tells whether c is explained as an act of ESA: a code of its own
// range, or a page that it puts in front of the site.
func onlyESA(c Condition) bool {
	code := c.StatusCode()
	return 520 <= code && code <= 599 || c == Challenge || c == WaitingRoom
}

// isContent tells whether c is about what the answer holds, so that an old
// copy of it explains something.
func isContent(c Condition) bool {
	switch c {
	case BodyMismatch, HeaderMismatch, JSONMismatch, ExprMismatch, UnexpectedStatus, RedirectLoop:
		return true
	}
	return false
}

// edgeError is the error type of a Proxy-Status header (RFC 9209) that ESA
// itself wrote, "" when there is none. Servers in front of the origin may add
// members of their own, which say nothing about ESA. ESA writes the values
// unquoted, and the parsing is as lenient.
func edgeError(proxyStatus string) string {
	for member := range strings.SplitSeq(proxyStatus, ",") {
		name, params, _ := strings.Cut(member, ";")
		if !strings.EqualFold(strings.Trim(name, ` "`), "esa") {
			continue
		}
		for param := range strings.SplitSeq(params, ";") {
			key, value, _ := strings.Cut(param, "=")
			if strings.EqualFold(strings.TrimSpace(key), "error") {
				return strings.Trim(value, ` "`)
			}
		}
	}
	return ""
}

// edgeErrorFault is where the fault lies when the edge names this error. It
// settles what a 502 leaves open; "" for an error that settles nothing.
func edgeErrorFault(proxyError string) Fault {
	switch {
	case strings.HasPrefix(proxyError, "dns_"):
		return FaultDNS
	case strings.HasPrefix(proxyError, "tls_"):
		return FaultTLS
	case strings.HasPrefix(proxyError, "connection_"), strings.HasPrefix(proxyError, "destination_"):
		return FaultOriginLink
	case strings.HasPrefix(proxyError, "http_response_"):
		return FaultOrigin
	case proxyError == "http_request_denied":
		return FaultSecurity
	case strings.HasPrefix(proxyError, "proxy_"):
		return FaultPlatform
	}
	return ""
}

// AgeText is an Age header in words of a language, "en" or "zh"; "" when it is no
// number of seconds.
func AgeText(age, language string) string { return ageSeconds(age, langOf(language)) }

func ageSeconds(age string, l lang) string {
	switch {
	case age == "", len(age) > 10, strings.Trim(age, "0123456789") != "":
		return ""
	case l == chinese:
		return age + " 秒"
	}
	return age + " s"
}
